"""Files of pictures: odd ones are read as NumPy has them, or in a sentence."""

import os
import struct
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from ganjax import picture_files, pictures
from ganjax.data import images

SIDE = 8
RAMP = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE) * 4
COLORS = np.stack([RAMP, 255 - RAMP, RAMP.T], -1)
ALPHA = np.where(RAMP < 100, 0, 255).astype(np.uint8)
GREY = np.stack([RAMP] * 3, -1)


def on_white(colors, alpha):
  share = alpha[..., None] / 255
  return colors * share + 255 * (1 - share)


def tagged(orientation):
  """A picture of that EXIF orientation, as stored; upright it is COLORS."""
  stored = {
    1: COLORS,
    2: COLORS[:, ::-1],
    3: COLORS[::-1, ::-1],
    4: COLORS[::-1],
    5: COLORS.swapaxes(0, 1),
    6: COLORS.swapaxes(0, 1)[::-1],
    7: COLORS[::-1, ::-1].swapaxes(0, 1),
    8: COLORS.swapaxes(0, 1)[:, ::-1],
  }[orientation]
  exif = Image.Exif()
  exif[0x0112] = orientation
  return Image.fromarray(np.ascontiguousarray(stored)), {'exif': exif}


def palette(**options):
  picture = Image.fromarray(RAMP // 4)
  picture.putpalette(COLORS.reshape(-1, 3).ravel().tolist())
  return picture, options


LOSSLESS = {'lossless': True}
BEST = {'quality': 100, 'subsampling': 0}
BITS = 255 * (GREY > 100)
INK = np.stack([RAMP, RAMP.T, 255 - RAMP, RAMP // 2], -1)
FROM_INK = (255.0 - INK[..., :3]) * (255.0 - INK[..., 3:]) / 255
OTHER = Image.fromarray(255 - COLORS)
SHIFTED = RAMP.astype(np.uint16) * 257

# Name: (picture, options of saving it, what it shows, tolerance).
TABLE = {
  'bits.png': (Image.fromarray(RAMP > 100), {}, BITS, 0),
  'bits.tif': (Image.fromarray(RAMP > 100), {}, BITS, 0),
  'grey.png': (Image.fromarray(RAMP), {}, GREY, 0),
  'grey.pgm': (Image.fromarray(RAMP), {}, GREY, 0),
  'clear_grey.png': (
    Image.fromarray(np.stack([RAMP, ALPHA], -1)),
    {},
    on_white(GREY, ALPHA),
    0,
  ),
  'palette.png': (*palette(), COLORS, 0),
  'palette.gif': (*palette(), COLORS, 0),
  'palette_hole.png': (
    *palette(transparency=5),
    on_white(COLORS, np.where(RAMP == 20, 0, 255)),
    0,
  ),
  'color.png': (Image.fromarray(COLORS), {}, COLORS, 0),
  'color.tiff': (Image.fromarray(COLORS), {}, COLORS, 0),
  'color.TIF': (Image.fromarray(COLORS), {'compression': 'lzma'}, COLORS, 0),
  'color.bmp': (Image.fromarray(COLORS), {}, COLORS, 0),
  'color.ppm': (Image.fromarray(COLORS), {}, COLORS, 0),
  'color.jfif': (Image.fromarray(COLORS), BEST, COLORS, 6),
  'color.jpe': (Image.fromarray(COLORS), BEST, COLORS, 6),
  'color_hole.png': (
    Image.fromarray(COLORS),
    {'transparency': tuple(COLORS[2, 3].tolist())},
    on_white(COLORS, np.where(RAMP == 76, 0, 255)),
    0,
  ),
  'clear.png': (
    Image.fromarray(np.concatenate([COLORS, ALPHA[..., None]], -1)),
    {},
    on_white(COLORS, ALPHA),
    0,
  ),
  'clear.webp': (
    Image.fromarray(np.concatenate([COLORS, ALPHA[..., None]], -1)),
    LOSSLESS,
    on_white(COLORS, ALPHA),
    0,
  ),
  'ink.tif': (Image.fromarray(INK, 'CMYK'), {}, FROM_INK, 1),
  'ink.jpg': (Image.fromarray(INK, 'CMYK'), BEST, FROM_INK, 6),
  'deep.png': (Image.fromarray(SHIFTED), {}, GREY, 0),
  'deep.tif': (Image.fromarray(SHIFTED), {}, GREY, 0),
  'deep_dark.tif': (Image.fromarray(SHIFTED // 257), {}, GREY / 257, 0.51),
  'deep_big_endian.tif': (
    Image.frombytes('I;16B', (SIDE, SIDE), SHIFTED.astype('>u2').tobytes()),
    {},
    GREY,
    0,
  ),
  'whole.tif': (Image.fromarray(RAMP.astype(np.int32)), {}, GREY, 0),
  'whole_deep.tif': (Image.fromarray(SHIFTED.astype(np.int32)), {}, GREY, 0),
  'float.tif': (Image.fromarray(np.float32(RAMP)), {}, GREY, 0),
  'float_unit.tif': (Image.fromarray(np.float32(RAMP) / 255), {}, GREY, 0),
  'several.gif': (
    Image.fromarray(RAMP),
    {'save_all': True, 'append_images': [OTHER]},
    GREY,
    0,
  ),
  'several.webp': (
    Image.fromarray(COLORS),
    {'save_all': True, 'append_images': [OTHER], **LOSSLESS},
    COLORS,
    0,
  ),
  'several.tif': (
    Image.fromarray(COLORS),
    {'save_all': True, 'append_images': [OTHER]},
    COLORS,
    0,
  ),
  'several.jpg': (
    Image.fromarray(COLORS),
    {'save_all': True, 'append_images': [OTHER], 'format': 'MPO', **BEST},
    COLORS,
    6,
  ),
  **{
    f'turned_{way}.{ending}': (*tagged(way), COLORS, 6 * (ending == 'jpg'))
    for way in range(1, 9)
    for ending in ('png', 'tif', 'jpg')
  },
  'turned.webp': (tagged(6)[0], tagged(6)[1] | LOSSLESS, COLORS, 0),
}
if 'AVIF' in picture_files.FORMATS:
  FULL = {'quality': 100, 'subsampling': '4:4:4'}
  TABLE['color.avif'] = (Image.fromarray(COLORS), FULL, COLORS, 3)
  TABLE['turned.avif'] = (tagged(6)[0], tagged(6)[1] | FULL, COLORS, 3)


def save(picture, path, options):
  # Copies, because Pillow leaves in a picture how it was encoded last.
  several = [own.copy() for own in options.get('append_images', ())]
  more = {'append_images': several} if several else {}
  picture.copy().save(path, **options | more)


@pytest.mark.parametrize('name', TABLE)
def test_odd_pictures_are_the_same_as_content_and_as_data(tmp_path, name):
  picture, options, shown, tolerance = TABLE[name]
  if name.endswith('.jpg') and 'exif' in options:
    options = options | BEST
  path = tmp_path / 'data' / name
  path.parent.mkdir()
  save(picture, path, options)
  loaded = pictures.load(path)
  assert loaded.dtype == np.float32
  np.testing.assert_allclose(255 * loaded, shown, atol=tolerance + 0.51)
  [data] = images.load(
    'folder', path.parent, resolution=SIDE, cache=tmp_path / 'cache'
  ).images
  np.testing.assert_allclose(255 * loaded, data, atol=1e-4)


def chunk(kind, content):
  code = struct.pack('>I', zlib.crc32(kind + content))
  return struct.pack('>I', len(content)) + kind + content + code


def test_a_clear_value_of_sixteen_bits_is_clear(tmp_path):
  Image.fromarray(SHIFTED).save(tmp_path / 'a.png')
  whole = (tmp_path / 'a.png').read_bytes()
  # Pillow does not write this chunk, which stands before the pixels.
  at = whole.index(b'IDAT') - 4
  hole = chunk(b'tRNS', struct.pack('>H', int(SHIFTED[2, 3])))
  (tmp_path / 'a.png').write_bytes(whole[:at] + hole + whole[at:])
  shown = GREY.copy()
  shown[2, 3] = 255
  np.testing.assert_array_equal(255 * pictures.load(tmp_path / 'a.png'), shown)


def test_what_is_transparent_is_nothing_of_a_mask(tmp_path):
  clear = np.full((2, 2, 4), 255, np.uint8)
  clear[0, 0, 3], clear[0, 1, 3], clear[1, 0, :3] = 0, 51, 102
  Image.fromarray(clear).save(tmp_path / 'a.png')
  mask = pictures.load_mask(tmp_path / 'a.png')
  assert mask.dtype == np.float32
  np.testing.assert_allclose(mask, [[0, 0.2], [0.4, 1]], atol=1e-6)
  hole, options = palette(transparency=0)
  hole.save(tmp_path / 'b.png', **options)
  mask = pictures.load_mask(tmp_path / 'b.png')
  expected = COLORS.mean(-1) / 255
  expected[0, 0] = 0
  np.testing.assert_allclose(mask, expected, atol=1e-6)


def eps(path):
  """A file that Pillow would hand to Ghostscript."""
  path.write_bytes(
    b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n'
    b'showpage\n%%EOF\n'
  )


def bomb(path):
  """A PNG that claims 2 billion pixels in a few bytes."""
  header = struct.pack('>IIBBBBB', 50_000, 50_000, 8, 2, 0, 0, 0)
  path.write_bytes(
    b'\x89PNG\r\n\x1a\n'
    + chunk(b'IHDR', header)
    + chunk(b'IDAT', zlib.compress(bytes(100)))
    + chunk(b'IEND', b'')
  )


def scaleless(path):
  Image.fromarray(np.float32(RAMP) - 7).save(path, 'TIFF')


def torn(path):
  Image.fromarray(COLORS).save(path, 'PNG')
  path.write_bytes(path.read_bytes()[:60])


def torn_header(path):
  Image.fromarray(COLORS).save(path, 'PNG')
  path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize(
  ('write', 'words'),
  [
    (eps, 'in none of the formats PNG, JPEG'),
    (bomb, 'more than 178 million pixels; make it smaller'),
    (scaleless, 'its values go from -7 to 245; scale them'),
    (torn, 'is no picture that can be read'),
    (torn_header, 'is no picture that can be read'),
  ],
)
def test_what_cannot_be_read_is_one_sentence(
  tmp_path, monkeypatch, write, words
):
  monkeypatch.setattr(os, 'system', lambda *_: pytest.fail('started a program'))
  monkeypatch.setattr(
    'subprocess.Popen', lambda *_, **__: pytest.fail('started a program')
  )
  path = tmp_path / 'x.png'
  write(path)
  with pytest.raises(ValueError, match=r'x\.png is no picture') as raised:
    pictures.load(path)
  assert words in f'{raised.value}' and '\n' not in f'{raised.value}'
  with pytest.raises(ValueError, match='none of the 1 pictures'):
    images.load('folder', tmp_path, cache=tmp_path / 'cache')


def test_pipes_and_folders_are_not_opened(tmp_path):
  os.mkfifo(tmp_path / 'pipe.png')
  (tmp_path / 'link.png').symlink_to('/dev/zero')
  for name in ('pipe.png', 'link.png'):
    with pytest.raises(ValueError, match=f'{name} is a pipe or a device'):
      pictures.load(tmp_path / name)
  with pytest.raises(ValueError, match='is a folder'):
    pictures.load(tmp_path)
  with pytest.raises(FileNotFoundError, match='There is no file'):
    pictures.load(tmp_path / 'x.png')


@pytest.mark.slow
def test_damaged_pictures_are_read_or_end_in_a_sentence(tmp_path):
  rng = np.random.default_rng(0)
  for trial in range(300):
    names = list(TABLE)
    name = names[trial % len(names)]
    picture, options, _, _ = TABLE[name]
    path = tmp_path / f'{trial}.{name.split(".")[1]}'
    save(picture, path, options)
    damaged = bytearray(path.read_bytes())
    for at in rng.integers(0, len(damaged), rng.integers(1, 9)):
      damaged[at] = rng.integers(256)
    if trial % 3 == 0:
      del damaged[rng.integers(len(damaged)) :]
    path.write_bytes(damaged)
    began = time.monotonic()
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      try:
        loaded = pictures.load(path)
      except ValueError as error:
        assert f'{error}'.startswith(f'{path} is no picture that can be read')
        assert '\n' not in f'{error}'
      else:
        assert loaded.shape[-1] == 3 and np.isfinite(loaded).all()
    # Up to 178 million pixels are read, whatever the size of the file.
    assert time.monotonic() - began < 60


def test_a_destination_has_a_format_that_holds_its_channels(tmp_path):
  check = picture_files.check_destination
  assert check(tmp_path / 'a.JPG') == tmp_path / 'a.JPG'
  with pytest.raises(ValueError, match=r'ends in \.jpg; .* end in \.png, \.w'):
    check(tmp_path / 'a.jpg', channels=4)
  for ending in picture_files.ENDINGS:
    pixels = np.full((2, 3, 3), 90, np.uint8)
    pictures.save(check(tmp_path / f'a{ending}'), pixels)
    shown = pictures.load(tmp_path / f'a{ending}')
    assert abs(255 * shown - 90).max() < 3
  assert len(list(tmp_path.iterdir())) == len(picture_files.ENDINGS)


def test_a_picture_that_cannot_be_written_leaves_what_was_there(tmp_path):
  path = tmp_path / 'a.webp'
  path.write_bytes(b'before')
  with pytest.raises(
    ValueError, match='20000x1 pixels .RGB. cannot be written'
  ):
    pictures.save(path, np.zeros((1, 20_000, 3), np.uint8))
  assert [own.read_bytes() for own in tmp_path.iterdir()] == [b'before']
