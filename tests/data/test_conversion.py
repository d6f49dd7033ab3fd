"""Shards of pictures: the same pictures, resumed, refused, and streamed."""

import io
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import cloudpickle
import jax
import numpy as np
import pyarrow
import pytest
from absl import flags
from PIL import Image
from pyarrow import parquet

from ganjax.data import (
  array_records,
  conversion,
  decode,
  images,
  loaders,
  own_pictures,
  workers,
)

ROOT = pathlib.Path(__file__).parents[2]
KEY = jax.random.key(5)
NUMBER, SHARD = 22, 8


@pytest.fixture(scope='module')
def album(tmp_path_factory):
  """Pictures in two classes, a zip file of them, and one that is broken."""
  root = tmp_path_factory.mktemp('album') / 'pictures'
  rng = np.random.default_rng(0)
  for index in range(NUMBER):
    path = root / ('owls', 'cats')[index % 2]
    path.mkdir(parents=True, exist_ok=True)
    size = rng.integers(20, 40, 2)
    noise = rng.integers(0, 256, (*size, 3), np.uint8)
    ending = ('png', 'jpg')[index % 3 == 0]
    Image.fromarray(noise).save(path / f'{index:02}.{ending}')
  whole = (root / 'owls' / '10.png').read_bytes()
  (root / 'owls' / '99.png').write_bytes(whole[:200])
  shutil.make_archive(f'{root}', 'zip', root.parent, root.name)
  return root


@pytest.fixture(scope='module')
def shards(album, tmp_path_factory):
  folder = tmp_path_factory.mktemp('shards') / 'album'
  conversion.convert(own_pictures.at(album), folder, shard=SHARD)
  return folder


def contents(folder):
  return {path.name: path.read_bytes() for path in folder.glob('[!l]*')}


def same(batches, others, number=3):
  for one, other in itertools.islice(
    zip(batches, others, strict=False), number
  ):
    jax.tree.map(np.testing.assert_array_equal, one, other)
  batches.close()
  others.close()


def stream(folder, first=3, rows=slice(None), **options):
  return loaders.stream(
    'folder', KEY, first, 8, folder, resolution=16, rows=rows, **options
  )


def test_shards_hold_the_files_of_the_pictures_with_their_labels(album, shards):
  manifest = array_records.read_manifest(shards)
  assert manifest.complete and manifest.examples == NUMBER
  assert manifest.classes == ('cats', 'owls')
  assert [own.examples for own in manifest.shards] == [8, 8, 6]
  assert [len(own.broken) for own in manifest.shards] == [0, 0, 1]
  assert manifest.shards[2].broken[0].startswith('owls/99.png (')
  for own in manifest.shards:
    assert array_records.digest(shards / own.file) == own.sha256
  source = own_pictures.folder(shards, 'train')
  paths = sorted(album.glob('*/[0-8]*'))
  read = source.read(range(NUMBER))
  for path, (file, label) in zip(paths, read, strict=True):
    assert file.getvalue() == path.read_bytes()
    assert source.classes[label] == path.parent.name
  assert source.title(9) == 'picture 1 of pictures-00001.array_record'
  assert source.content == source.identity


def test_a_stream_of_shards_is_that_of_the_decoded_pictures(shards, tmp_path):
  data = images.load('folder', shards, resolution=16, cache=tmp_path)
  assert data.labels.tolist() == [0] * 11 + [1] * 11
  same(stream(shards), loaders.batches(data, KEY, 3, 8))
  # On from the middle, and each process of a training its own rows.
  for rows in slice(0, 4), slice(4, 8):
    late = stream(shards, 3 + 5 * 8, rows)
    same(late, loaders.batches(data, KEY, 3 + 5 * 8, 8, rows))


def test_of_very_many_pictures_some_are_drawn_to_be_measured(shards, tmp_path):
  whole = images.load('folder', shards, resolution=16, cache=tmp_path)
  for most in 10, NUMBER:
    part = images.load(
      'folder', shards, resolution=16, cache=tmp_path, most=most
    )
    rows = [
      next(k for k, own in enumerate(whole.images) if (own == image).all())
      for image in part.images
    ]
    assert len(rows) == most and rows == sorted(set(rows))
    np.testing.assert_array_equal(part.labels, whole.labels[rows])
    assert (' (10 of 22) ' in part.name) == (most == 10)
    assert (part.identity == whole.identity) == (most == NUMBER)


def test_what_is_sent_to_a_process_makes_the_same_batches(shards):
  words = np.asarray(jax.random.key_data(KEY))
  find, pool = workers.found, workers.pool
  sent = workers.Stream(
    lambda: find('folder', f'{shards}', 'train'),
    *(words, 3, 8, slice(None), 16, 3, 'center'),
    lambda: pool(1),
  )
  sent = cloudpickle.loads(cloudpickle.dumps(sent))
  for number, batch in zip(range(4), stream(shards), strict=False):
    found, faults = workers.batch(sent, number)
    assert faults == []
    jax.tree.map(np.testing.assert_array_equal, batch, found)


@pytest.mark.slow
def test_two_and_four_processes_make_the_batches_of_none(shards):
  flags.FLAGS.mark_as_parsed()
  try:
    same(stream(shards), stream(shards, processes=2), 6)
    # From the middle on, for one of two processes of a training.
    late = 3 + 16, slice(4, 8)
    same(stream(shards, *late), stream(shards, *late, processes=4), 6)
  finally:
    flags.FLAGS.unparse_flags()


def test_a_zip_file_of_a_folder_gives_the_same_pictures(album, tmp_path):
  source = own_pictures.at(album.with_suffix('.zip'))
  assert source.name == 'zip/pictures' and source.classes == ('cats', 'owls')
  conversion.convert(source, tmp_path / 'a', shard=SHARD)
  conversion.convert(own_pictures.at(album), tmp_path / 'b', shard=SHARD)
  one, other = contents(tmp_path / 'a'), contents(tmp_path / 'b')
  assert one.keys() == other.keys() and len(one) == 4
  for name in one.keys() - {'manifest.json'}:
    assert one[name] == other[name]


def test_what_a_zip_file_hides_is_no_picture(tmp_path):
  with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
    file = io.BytesIO()
    Image.new('RGB', (4, 4)).save(file, 'png')
    for name in '__MACOSX/._a.png', '.hidden/a.png', 'a.txt', 'b.png':
      archive.writestr(name, file.getvalue())
  source = own_pictures.at(tmp_path / 'a.zip')
  assert (source.size, source.title(0), source.classes) == (1, 'b.png', ())


def test_parquet_files_of_hugging_face(album, tmp_path):
  paths = sorted(album.glob('*/[0-8]*'))
  rows = {
    'image': [
      {'bytes': path.read_bytes(), 'path': path.name} for path in paths
    ],
    'label': [index % 3 for index in range(NUMBER)],
  }
  table = pyarrow.table(rows)
  feature = {'names': ['a', 'b', 'c'], '_type': 'ClassLabel'}
  about = json.dumps({'info': {'features': {'label': feature}}})
  for metadata, names in (
    ({b'huggingface': about.encode()}, ('a', 'b', 'c')),
    ({}, ('0', '1', '2')),
  ):
    own = table.replace_schema_metadata(metadata)
    parquet.write_table(own, tmp_path / 'a.parquet', row_group_size=5)
    source = own_pictures.at(tmp_path / 'a.parquet')
    assert (source.size, source.classes) == (NUMBER, names)
    for index, (file, label) in enumerate(source.read(range(NUMBER))):
      assert file.getvalue() == paths[index].read_bytes()
      assert label == index % 3
  hidden = table.set_column(1, 'label', [[-1] * NUMBER])
  parquet.write_table(hidden, tmp_path / 'a.parquet')
  source = own_pictures.at(tmp_path / 'a.parquet')
  assert source.classes == () and source.read([3])[0][1] is None
  parquet.write_table(table.drop(['image']), tmp_path / 'a.parquet')
  with pytest.raises(ValueError, match="no column 'image'"):
    own_pictures.at(tmp_path / 'a.parquet')


def test_larger_pictures_are_made_smaller_and_no_others(tmp_path):
  root = tmp_path / 'pictures'
  root.mkdir()
  ramp = np.linspace(0, 255, 64).astype(np.uint8)
  large = np.stack([np.tile(ramp, (48, 1))] * 3, -1)
  for name, array in (('a.png', large), ('b.jpg', large), ('c.png', large[:9])):
    Image.fromarray(array).save(root / name)
  conversion.convert(own_pictures.at(root), tmp_path / 'small', 12)
  read = own_pictures.folder(tmp_path / 'small', 'train').read(range(3))
  found = [Image.open(file) for file, _ in read]
  assert [own.size for own in found] == [(16, 12), (16, 12), (64, 9)]
  assert [own.format for own in found] == ['PNG', 'JPEG', 'PNG']
  # As decoding does it: the mean over the area of a new pixel.
  expected = decode.fit(root / 'a.png', 12, 3, 'center')[0].astype(int)
  for file, _ in read[:2]:
    pixels = decode.fit(file, 12, 3, 'center')[0]
    assert np.abs(pixels - expected).max() < 8
  (tmp_path / 'small/manifest.json').unlink()
  with pytest.raises(ValueError, match='no pictures below'):
    own_pictures.folder(tmp_path / 'small', 'train')


SLOW = """
import os, signal, sys
from ganjax.data import conversion, own_pictures

def done(number, kept):
  if number == 11:  # In the middle of the second shard.
    os.kill(os.getpid(), signal.SIGKILL)

conversion._CHUNK = 3
conversion.convert(own_pictures.at(sys.argv[1]), sys.argv[2], 24, 8, done)
"""


def test_a_killed_conversion_goes_on_to_the_same_bytes(album, tmp_path):
  ended = subprocess.run(
    [sys.executable, '-c', SLOW, album, tmp_path / 'killed'],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
  )
  assert ended.returncode == -signal.SIGKILL
  first = tmp_path / 'killed/pictures-00000.array_record'
  before = first.stat().st_mtime_ns
  with pytest.raises(ValueError, match='8 pictures so far, of 23: .* stopped'):
    own_pictures.folder(tmp_path / 'killed', 'train')
  source, done = own_pictures.at(album), []
  with pytest.raises(ValueError, match='another conversion.*resolution: 24'):
    conversion.convert(source, tmp_path / 'killed', 0, SHARD)
  conversion.convert(
    source, tmp_path / 'killed', 24, SHARD, lambda *own: done.append(own)
  )
  assert first.stat().st_mtime_ns == before
  assert done[0] == (8, 8) and done[-1] == (23, 8)
  conversion.convert(source, tmp_path / 'whole', 24, SHARD)
  assert contents(tmp_path / 'killed') == contents(tmp_path / 'whole')


def test_missing_and_damaged_shards_are_refused_and_made_anew(
  album, shards, tmp_path
):
  folder = tmp_path / 'copy'
  shutil.copytree(shards, folder)
  path = folder / 'pictures-00001.array_record'
  whole = path.read_bytes()
  path.unlink()
  with pytest.raises(ValueError, match='00001.array_record is missing. Give'):
    own_pictures.folder(folder, 'train')
  path.write_bytes(whole[:-9])
  with pytest.raises(ValueError, match='00001.array_record has .* bytes, and'):
    own_pictures.folder(folder, 'train')
  # A flipped bit within a picture.
  at = whole.index((album / 'cats' / '17.png').read_bytes()) + 60
  damaged = bytearray(whole)
  damaged[at] ^= 16
  path.write_bytes(damaged)
  with pytest.raises(ValueError, match='00001.array_record is damaged .*Give'):
    for _ in itertools.islice(stream(folder), 4):
      pass
  manifest = array_records.read_manifest(folder)
  with pytest.raises(ValueError, match='another SHA-256'):
    array_records.check(folder, manifest.shards[1], whole=True)
  path.unlink()
  conversion.convert(own_pictures.at(album), folder, shard=SHARD)
  assert contents(folder) == contents(shards)


def test_a_conversion_with_no_picture_in_it_is_an_error(tmp_path):
  (tmp_path / 'a').mkdir()
  (tmp_path / 'a/a.png').write_text('none')
  with pytest.raises(ValueError, match='none of the 1 pictures of folder/a'):
    conversion.convert(own_pictures.at(tmp_path / 'a'), tmp_path / 'b')
  (tmp_path / 'b/manifest.json').write_text('{"format": 2, "shards": []}')
  with pytest.raises(ValueError, match='no manifest of pictures in shards'):
    own_pictures.folder(tmp_path / 'b', 'train')


STREAM = """
import resource, sys
import jax
import numpy as np
from ganjax.data import loaders

key, seen, size = jax.random.key(0), 0, int(sys.argv[2])
parts = loaders.stream('folder', key, 0, 32, sys.argv[1], resolution=256)
next(parts)
begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
# Whatever is taken beyond, of memory that is not shared, is refused.
limit = 1024 * begun + size // 2
for line in open('/proc/self/status'):
  if line.startswith('VmData:'):
    limit = int(line.split()[1]) * 1024 + size // 2
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
while seen < size:
  seen += next(parts).images.nbytes
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun))
"""


def test_twice_the_memory_that_a_process_may_take_streams_within_it(tmp_path):
  number = 640  # 120 MiB at 256 pixels
  root = tmp_path / 'plain'
  root.mkdir()
  for index in range(number):
    Image.new('L', (256, 256), index % 256).save(root / f'{index:03}.png')
  conversion.convert(own_pictures.at(root), tmp_path / 'shards')
  size = number * 256 * 256 * 3
  ended = subprocess.run(
    [sys.executable, '-c', STREAM, tmp_path / 'shards', f'{size}'],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert ended.returncode == 0, ended.stderr
  assert int(ended.stdout) < size / 2


ORPHAN = """
import os, sys
import jax
from absl import flags
from ganjax.data import loaders

if __name__ == '__main__':
  flags.FLAGS.mark_as_parsed()
  parts = loaders.stream(
    'digits', jax.random.key(0), 0, 4, split='test', processes=1
  )
  next(parts)
  import multiprocessing
  print(multiprocessing.active_children()[0].pid, flush=True)
  os._exit(1)
"""


@pytest.mark.slow
def test_processes_end_with_their_parent(tmp_path):
  script = tmp_path / 'orphan.py'
  script.write_text(ORPHAN)
  ended = subprocess.run(
    [sys.executable, script],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': f'{ROOT}'},
    stdout=subprocess.PIPE,
    text=True,
  )
  child = pathlib.Path('/proc', ended.stdout.strip(), 'stat')
  assert ended.stdout.strip()
  deadline = time.monotonic() + 20
  while child.exists() and child.read_text().split(') ')[1][0] != 'Z':
    assert time.monotonic() < deadline
    time.sleep(0.1)
