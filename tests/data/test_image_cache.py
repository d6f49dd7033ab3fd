"""Decoded pictures are stored with checksums, and only where there is room."""

import os
import warnings

import numpy as np
import pytest

from ganjax.data import image_cache, images, loaders


def load(cache, **options):
  return images.load('digits', split='test', cache=cache, **options)


def flipped(path, at):
  whole = bytearray(path.read_bytes())
  whole[at] ^= 4
  path.write_bytes(whole)


@pytest.mark.parametrize('name', ['images.bin', 'labels.bin', 'about.json'])
@pytest.mark.parametrize(
  'damage',
  [
    lambda path: flipped(path, 300),
    lambda path: flipped(path, path.stat().st_size - 2),
    lambda path: os.truncate(path, path.stat().st_size - 1),
    lambda path: os.truncate(path, 0),
    os.unlink,
  ],
  ids=['flipped', 'flipped late', 'truncated', 'empty', 'deleted'],
)
def test_what_is_damaged_is_decoded_anew(tmp_path, name, damage):
  before = load(tmp_path, resolution=8)
  [folder] = tmp_path.iterdir()
  pixels, labels = np.array(before.images), np.array(before.labels)
  damage(folder / name)
  with pytest.warns(UserWarning, match='damaged .* decoded anew'):
    again = load(tmp_path, resolution=8)
  np.testing.assert_array_equal(again.images, pixels)
  np.testing.assert_array_equal(again.labels, labels)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    later = load(tmp_path, resolution=8)
  np.testing.assert_array_equal(later.images, pixels)
  assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_decoding_is_announced_where_it_happens(tmp_path):
  said = []
  with pytest.raises(ValueError, match='no crop'):
    load(tmp_path, crop='centre', announce=said.append)
  assert said == []
  for _ in range(2):
    load(tmp_path, resolution=8, announce=said.append)
  assert said == ['Decoding 297 pictures of digits/test 8x8x1 ...']


def test_a_part_of_many_chunks_is_verified_to_its_last_bit(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(image_cache, '_CHUNK', 1000)
  folder = tmp_path / 'data'
  pixels = np.random.default_rng(0).integers(0, 256, (9, 20, 20, 3), np.uint8)
  with image_cache.draft(folder, (12, 20, 20, 3)) as images:
    images[:9] = pixels
    image_cache.publish(folder, images[:9], None, {'a': (1, 2)})
  stored = image_cache.load(folder)
  np.testing.assert_array_equal(stored.images, pixels)
  assert stored.labels is None and stored.about == {'a': [1, 2]}
  assert (folder / 'images.bin').stat().st_size == pixels.size
  for at in (0, 999, 1000, pixels.size - 1):
    flipped(folder / 'images.bin', at)
    with pytest.raises(ValueError, match=r'images\.bin has another checksum'):
      image_cache._verified(folder)
    flipped(folder / 'images.bin', at)
    image_cache._verified(folder)


def test_drafts_of_killed_processes_are_removed_and_no_others(tmp_path):
  folder, shape = tmp_path / 'data', (2, 4, 4, 1)
  with image_cache.draft(folder, shape) as alive:
    abandoned = tmp_path / '.data-0'
    abandoned.mkdir()
    (abandoned / 'lock').touch()
    (abandoned / 'images.bin').write_bytes(bytes(32))
    with image_cache.draft(folder, shape) as images:
      assert not abandoned.exists()
      assert len(list(tmp_path.iterdir())) == 2
      images[:] = 1
      image_cache.publish(folder, images, None, {})
    alive[:] = 1
    image_cache.publish(folder, alive, None, {})
  [left] = tmp_path.iterdir()
  assert {p.name for p in left.iterdir()} == {'images.bin', 'about.json'}


def test_a_file_in_the_place_of_the_folder_is_replaced(tmp_path):
  load(tmp_path, resolution=8)
  [folder] = tmp_path.iterdir()
  image_cache.shutil.rmtree(folder)
  folder.touch()
  with pytest.warns(UserWarning, match='damaged'):
    load(tmp_path, resolution=8)
  assert folder.is_dir()


def test_a_full_disk_is_asked_and_not_filled(tmp_path, monkeypatch):
  monkeypatch.setattr(
    image_cache.os, 'posix_fallocate', lambda *_: pytest.fail('was filled')
  )
  usage = image_cache.shutil.disk_usage(tmp_path)._replace(free=2**26)
  monkeypatch.setattr(image_cache.shutil, 'disk_usage', lambda _: usage)
  with pytest.warns(UserWarning, match='0.1 GiB free.*decoding to memory'):
    data = load(tmp_path, resolution=8)
  assert data.images.shape == (297, 8, 8, 1)
  assert not list(tmp_path.iterdir())
  monkeypatch.setattr(image_cache, '_free_memory', lambda: 10**4)
  with pytest.raises(ValueError, match="smaller resolution.*'stream'"):
    load(tmp_path, resolution=8)
  assert not list(tmp_path.iterdir())


def test_pictures_that_nothing_can_hold_are_one_sentence(tmp_path):
  with pytest.raises(ValueError, match='297 decoded pictures take 2,766.0 GiB'):
    load(tmp_path, resolution=100_000)
  assert not list(tmp_path.iterdir())


def test_a_run_goes_on_where_the_cache_vanishes(tmp_path):
  import jax

  data = load(tmp_path, resolution=8)
  batches = loaders.batches(data, jax.random.key(0), 0, 4)
  first = next(batches)
  image_cache.shutil.rmtree(tmp_path)
  assert next(batches).images.shape == first.images.shape
  batches.close()
