"""What each program answers to a wrong input: one sentence, and no traces."""

import importlib
import os
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from configs import dcgan, dense, resnet, style_network
from ganjax.config import datasets, workdir
from ganjax.data import array_records, conversion, own_pictures

EXPERIMENTS = pathlib.Path(__file__).parents[2] / 'experiments'
TABLE = pathlib.Path(__file__).with_name('mistakes.txt')


def mistakes():
  """Returns the rows of the table: (program, flags, code, words)."""
  lines = [line for line in TABLE.read_text().splitlines() if line]
  lines = [line for line in lines if line[0] != '#']
  return [
    (*asked.partition(' ')[::2], *answer.split(maxsplit=1))
    for asked, answer in zip(lines[::2], lines[1::2], strict=True)
  ]


# What begins the work of a program, which no mistake may reach.
STARTS = [
  ('training.loop', 'fit'),
  ('sweeps.runner', 'run_all'),
  ('sweeps.search', 'run'),
  ('sweeps.jobs', 'run'),
  ('sweeps.forecast', 'announce_grid'),
  ('sweeps.forecast', 'announce_search'),
  ('style.transfer', 'run'),
  ('dirac_cases', 'trajectory'),
  ('evaluation.classifier', 'trained_for'),
]
# Programs that need a --workdir.
WORKDIRS = 'train', 'sweep', 'mode_collapse', 'style_network'
# Flags without which features would be looked for on the network.
FEATURES = {
  'style_transfer': '--features=random',
  'style_pairs': '--features=random',
  'style_network': '--config.features=random',
}


@pytest.fixture(scope='module')
def place(tmp_path_factory):
  """A folder with all that a mistake can name, and a cache of their own."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('XDG_CACHE_HOME', f'{tmp_path_factory.mktemp("cache")}')
    yield filled(tmp_path_factory.mktemp('mistakes'))


def filled(place):
  for name in 'empty', 'pictures', 'swept', 'strange':
    (place / name).mkdir()
  for name in 'text.txt', 'damaged.png', 'weights.pth', 'broken.zip':
    (place / name).write_text('neither a picture nor weights')
  (place / 'loop').symlink_to('loop')
  os.mkfifo(place / 'fifo')
  pixels = np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)
  for name in 'a.png', 'b.png', 'pictures/1.png', 'pictures/2.png':
    Image.fromarray(pixels).save(place / name)
  conversion.convert(own_pictures.at(place / 'pictures'), place / 'shards')
  shutil.copytree(place / 'shards', place / 'stopped')
  (place / 'shards' / 'pictures-00000.array_record').unlink()
  manifest = array_records.read_manifest(place / 'stopped')
  manifest = manifest._replace(complete=False)
  array_records.write_manifest(place / 'stopped', manifest)
  config = dcgan.get_config()
  data = datasets.dataset(config)  # The next time, it is in the cache.
  datasets.dataset(dense.get_config())
  datasets.dataset(resnet.get_config())
  claim(place / 'trained', config, data)
  config.update(labels=True, classes=10)
  claim(place / 'labelled', config, data)
  claim(place / 'painted', style_network.get_config(), data)
  (place / 'swept/sweep.json').write_text('{"task": "images"}')
  for name in 'config.json', 'run.json':
    (place / 'strange' / name).write_text('{')
  return place


def claim(folder, config, data):
  with workdir.claimed(folder, config, data):
    pass


def contents(*folders):
  """What lies in folders, but for compiled programs: when it was written."""
  return {
    path: path.lstat().st_mtime_ns
    for folder in folders
    for path in folder.rglob('*')
    if 'xla' not in path.parts
  }


def given(name, flags, place):
  """The flags of a row of the table, and those that it leaves out."""
  paths = {path.stem: path for path in place.iterdir()}
  words = flags.format(place=place, out=place / 'new', **paths).split()
  if name in WORKDIRS and '--workdir' not in flags:
    words.append(f'--workdir={place}/new')
  if name in FEATURES and 'features' not in flags and '--weights' not in flags:
    words.append(FEATURES[name])
  return words


def test_the_table_has_rows_for_all_programs():
  programs = [path.stem for path in EXPERIMENTS.glob('[!_]*') if path.stem]
  assert {name for name, *_ in mistakes()} == {*programs} - {'dirac'}
  assert len(mistakes()) >= 80


@pytest.mark.parametrize(('name', 'flags', 'code', 'words'), mistakes())
def test_a_mistake_is_one_sentence(
  name, flags, code, words, program, place, monkeypatch
):
  for module, function in STARTS:
    monkeypatch.setattr(
      importlib.import_module(f'ganjax.{module}'),
      function,
      lambda *_, **__: pytest.fail('The work has begun.'),
    )
  cache = pathlib.Path(os.environ['XDG_CACHE_HOME']) / 'ganjax'
  before = contents(place, cache)
  ended, out, err = program(name, *given(name, flags, place))
  assert words in err
  assert err.startswith(f'{name}: ')
  # What a program says that it does is not said before it is known to be right.
  assert (ended, out, err.count('\n')) == (int(code), '', 1), err
  assert contents(place, cache) == before
