"""A folder of mixed pictures: of every kind, size and shape, one broken."""

import itertools
import warnings

import jax
import numpy as np
import pytest
from PIL import Image

from ganjax.data import images, loaders, order

KEY = jax.random.key(7)

# The quarters of every picture, in reading order: red, green, blue, yellow.
FLAG = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]])
LUMINANCE = np.round(FLAG @ [0.299, 0.587, 0.114])
OPAQUE = np.c_[FLAG, 4 * [255]]
GREY = np.c_[np.tile(LUMINANCE[:, None], 3), 4 * [255]]

# How to store what the EXIF orientation turns upright.
_Turn = Image.Transpose
TURNS = {
  2: _Turn.FLIP_LEFT_RIGHT,
  3: _Turn.ROTATE_180,
  4: _Turn.FLIP_TOP_BOTTOM,
  5: _Turn.TRANSPOSE,
  6: _Turn.ROTATE_90,
  7: _Turn.TRANSVERSE,
  8: _Turn.ROTATE_270,
}


def flag(width, height):
  """Which quarter each pixel belongs to, [height, width]."""
  right, low = np.arange(width) >= width / 2, np.arange(height) >= height / 2
  return (2 * low[:, None] + right).astype(np.uint8)


def clear(colours):
  """The same, with nothing to see of the last quarter."""
  return np.concatenate([colours[:3], [[*colours[3, :3], 0]]])


def save(path, kind, quarters):
  """Writes a picture of that kind; returns its quarters, RGBA [4, 4]."""
  plain = Image.fromarray(FLAG.astype(np.uint8)[quarters])
  if kind == 'grey':
    plain.convert('L').save(path)
    return GREY
  if kind == 'grey of 16 bits':
    deep = np.asarray(plain.convert('L')).astype(np.uint16) * 257
    Image.fromarray(deep).save(path)
    return GREY
  if kind in ('transparent', 'transparent grey'):
    colours = clear(GREY if kind.endswith('grey') else OPAQUE)
    picture = Image.fromarray(colours.astype(np.uint8)[quarters])
    picture.convert('LA' if kind.endswith('grey') else 'RGBA').save(path)
    return colours
  if kind in ('palette', 'palette with a hole'):
    picture = Image.fromarray(quarters)
    picture.putpalette(FLAG.ravel().tolist())
    hole = {'transparency': 3} if kind.endswith('hole') else {}
    picture.save(path, **hole)
    return clear(OPAQUE) if hole else OPAQUE
  if kind.startswith('turned'):
    orientation = int(kind.split()[1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain.transpose(TURNS[orientation]).save(path, exif=exif)
    return OPAQUE
  plain.convert('CMYK' if kind == 'of ink' else 'RGB').save(path)
  return OPAQUE


KINDS = {
  'plain': 'png',
  'photograph': 'jpg',
  'grey': 'png',
  'transparent': 'png',
  'palette': 'png',
  **{f'turned {orientation}': 'jpg' for orientation in TURNS},
  'grey of 16 bits': 'png',
  'transparent grey': 'png',
  'palette with a hole': 'png',
  'of ink': 'jpg',
  'of the web': 'webp',
  'animated': 'gif',
  'old': 'bmp',
}


def fill(root, number, largest):
  """Pictures of `number` files, sides 40 to `largest`; and what they show.

  Returns:
    `{name: (quarters, shorter side)}` of those that can be read.
  """
  root.mkdir()
  rng, shown = np.random.default_rng(0), {}
  sides = np.geomspace(40, largest, number - 1).round().astype(int)
  for index, (side, kind) in enumerate(
    zip(sides, itertools.cycle(KINDS), strict=False)
  ):
    other = min(largest, round(side * rng.uniform(1, 2)))
    width, height = (side, other) if index % 2 else (other, side)
    name = f'{index:03} {kind}.{KINDS[kind]}'
    shown[name] = save(root / name, kind, flag(width, height)), side
  whole = (root / '001 photograph.jpg').read_bytes()
  (root / '100 broken.jpg').write_bytes(whole[: len(whole) // 2])
  return shown


@pytest.fixture(scope='module')
def album(tmp_path_factory):
  root = tmp_path_factory.mktemp('pictures') / 'mixed'
  return root, fill(root, 60, 1500)


def loaded(root, cache, **options):
  """The pictures, in the order of their names, and what was warned of."""
  with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter('always')
    data = images.load('folder', root, cache=cache, **options)
  return data.images, [f'{warning.message}' for warning in warned]


def quarters(pictures):
  """What is in the middle of each quarter, [N, 4, C]."""
  eighth = pictures.shape[1] // 8
  halves = [slice(k * eighth, (k + 2) * eighth) for k in (1, 5)]
  parts = [pictures[:, y, x] for y in halves for x in halves]
  return np.stack([part.mean((1, 2)) for part in parts], 1)


def expected(shown, channels):
  """The same, of what was drawn: [N, 4, C]."""
  colours = np.stack([colours for colours, _ in shown.values()]).astype(float)
  if channels == 4:
    return colours
  colours = np.where(colours[..., 3:] > 0, colours, 255)[..., :3]
  if channels == 3:
    return colours
  return colours @ [[0.299], [0.587], [0.114]]


def check(pictures, shown, channels):
  found, meant = quarters(pictures), expected(shown, channels)
  if channels == 4:  # nobody sees the colour of what is transparent
    found, meant = (x * [1, 1, 1, 0] * x[..., 3:] / 255 for x in (found, meant))
    np.testing.assert_allclose(
      quarters(pictures)[..., 3], expected(shown, 4)[..., 3], atol=1
    )
  np.testing.assert_allclose(found, meant, atol=20)


@pytest.mark.parametrize(
  'resolution, channels, crop',
  [(16, 1, 'center'), (64, 3, 'stretch'), (256, 4, 'center')],
)
def test_mixed_pictures_are_right_and_one_warning_says_what_is_not(
  album, tmp_path, resolution, channels, crop
):
  root, shown = album
  options = {'resolution': resolution, 'channels': channels, 'crop': crop}
  pictures, warned = loaded(root, tmp_path, **options)
  assert pictures.shape == (59, resolution, resolution, channels)
  check(pictures, shown, channels)

  [words] = warned
  assert words.startswith('1 of 60 pictures of folder/mixed ')
  assert '100 broken.jpg (' in words
  small = [side for _, side in shown.values() if side < resolution]
  assert ('enlarged' in words) == bool(small)
  if small:
    assert f'{len(small)} of 60 ' in words
    assert '000 plain.png, has a side of 40 pixels' in words
  again, warned = loaded(root, tmp_path, **options)
  assert warned == [words]
  np.testing.assert_array_equal(pictures, again)


def test_what_is_padded_is_as_large_as_its_longer_side(tmp_path):
  (tmp_path / 'one').mkdir()
  save(tmp_path / 'one' / 'a.png', 'plain', flag(64, 20))
  assert not loaded(tmp_path / 'one', tmp_path, resolution=64, crop='pad')[1]
  [words] = loaded(tmp_path / 'one', tmp_path, resolution=64)[1]
  assert 'a.png, has a side of 20 pixels' in words


def test_a_folder_without_faults_is_read_without_a_word(tmp_path):
  (tmp_path / 'one').mkdir()
  save(tmp_path / 'one' / 'a.png', 'plain', flag(64, 80))
  assert not loaded(tmp_path / 'one', tmp_path, resolution=64)[1]
  # A data set of one size is enlarged by whoever asks for it.
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    images.load('digits', split='test', resolution=16, cache=tmp_path)


def test_crooked_exif_is_no_second_warning(tmp_path):
  (tmp_path / 'one').mkdir()
  plain = Image.fromarray(FLAG.astype(np.uint8)[flag(64, 64)])
  # It announces nine entries and ends within the first.
  crooked = b'Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12\0\x03'
  plain.save(tmp_path / 'one' / 'a.jpg', exif=crooked)
  pictures, warned = loaded(tmp_path / 'one', tmp_path, resolution=64)
  assert not warned
  check(pictures, {'a': (OPAQUE, 64)}, 3)


@pytest.mark.parametrize('resolution', [2**power for power in range(12)])
def test_any_power_of_two(tmp_path, resolution):
  (tmp_path / 'one').mkdir()
  save(tmp_path / 'one' / 'a.png', 'plain', flag(300, 200))
  pictures, _ = loaded(tmp_path / 'one', tmp_path, resolution=resolution)
  assert pictures.shape == (1, resolution, resolution, 3)
  if resolution >= 16:
    check(pictures, {'a': (OPAQUE, 200)}, 3)


def test_the_top_of_a_portrait_and_the_middle_of_a_landscape_are_kept(
  tmp_path,
):
  (tmp_path / 'two').mkdir()
  ramp = np.arange(24, dtype=np.uint8)
  tall = np.repeat(ramp[:, None], 8, 1)
  for name, picture in (('tall', tall), ('wide', tall.T)):
    Image.fromarray(picture).save(tmp_path / 'two' / f'{name}.png')
  pictures, _ = loaded(
    tmp_path / 'two', tmp_path, resolution=8, channels=1, crop='top'
  )
  np.testing.assert_array_equal(pictures[0, ..., 0], tall[:8])
  np.testing.assert_array_equal(pictures[1, ..., 0], tall.T[:, 8:16])


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_decoded_or_streamed_the_batches_are_the_same(
  album, tmp_path, channels
):
  root, shown = album
  whole = tmp_path / 'whole'
  whole.mkdir()
  for name in list(shown)[: len(KINDS)]:
    (whole / name).symlink_to(root / name)
  options = {'directory': whole, 'resolution': 32, 'channels': channels}
  data = images.load('folder', cache=tmp_path, **options)
  decoded = loaders.batches(data, KEY, 3, 16)
  streamed = loaders.stream('folder', KEY, 3, 16, **options)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    for _ in range(3):
      one, other = next(decoded), next(streamed)
      np.testing.assert_array_equal(one.images, other.images)
      # All of them lie in one folder, which has no classes.
      assert one.labels is other.labels is None
  decoded.close()


def test_a_stream_warns_of_a_broken_picture_once(album):
  root, shown = album
  with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter('always')
    batches = loaders.stream('folder', KEY, 0, 60, root, resolution=16)
    epochs = [next(batches) for _ in range(3)]
  [warning] = warned
  assert f'{warning.message}'.startswith('100 broken.jpg of folder/mixed ')
  names = sorted([*shown, '100 broken.jpg'])
  place = order.indices(KEY, 0, 60, 60).tolist()
  turns = [place.index(names.index(name)) for name in shown]
  check(epochs[0].images[turns], shown, 3)


def test_a_mixed_folder_trains_with_one_warning(album, program, tmp_path):
  train(album[0], program, tmp_path)


def train(root, program, tmp_path, *flags):
  with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter('always', UserWarning)
    code, out, err = program(
      'train',
      '--config=configs/dense.py',
      '--config.data.name=folder',
      f'--config.data.dir={root}',
      '--config.data.resolution=64',
      '--config.generator.widths=(8,)',
      '--config.discriminator.widths=(8,)',
      '--config.batch_size=16',
      '--config.images=64',
      '--config.steps_together=4',
      *flags,
      f'--workdir={tmp_path}/run',
    )
  assert code == 0, err
  assert 'Done after 64 images.' in out
  [words] = [
    f'{warning.message}'
    for warning in warned
    if issubclass(warning.category, UserWarning)
  ]
  assert '100 broken.jpg' in words and 'enlarged' in words


@pytest.mark.slow
def test_three_hundred_pictures_up_to_4000_pixels(program, tmp_path):
  root = tmp_path / 'mixed'
  shown = fill(root, 300, 4000)
  for channels in (1, 3, 4):
    options = {'resolution': 128, 'channels': channels}
    pictures, [words] = loaded(root, tmp_path / 'cache', **options)
    check(pictures, shown, channels)
    assert '1 of 300 pictures' in words and '100 broken.jpg' in words
  train(root, program, tmp_path)
