"""The program prepare, and a training and an evaluation of what it wrote."""

import json

import numpy as np
import pytest
from PIL import Image

TINY = (
  '--config=configs/dense.py',
  '--config.data.name=folder',
  '--config.data.resolution=16',
  '--config.generator.widths=(8,)',
  '--config.discriminator.widths=(8,)',
  '--config.batch_size=8',
  '--config.images=32',
  '--config.steps_together=2',
  '--config.labels=true',
)


@pytest.fixture
def album(tmp_path):
  rng = np.random.default_rng(0)
  for index in range(20):
    path = tmp_path / 'album' / ('cats', 'owls')[index % 2] / f'{index:02}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(path)
  (tmp_path / 'album/owls/99.png').write_text('broken')
  return tmp_path / 'album'


def test_prepared_pictures_are_streamed_and_measured(program, album, tmp_path):
  output = tmp_path / 'prepared'
  command = 'prepare', f'--source={album}', f'--output={output}', '--shard=8'
  for _ in range(2):
    code, out, err = program(*command)
    assert code == 0, err
    assert '20 pictures of 2 classes in 3 shards' in out
    assert '1 of 21 pictures of folder/album cannot be read' in out
  code, out, _ = program('prepare', f'--output={output}', '--verify')
  assert code == 0 and 'All 3 shards' in out
  run = tmp_path / 'run'
  where = f'--config.data.dir={output}', f'--workdir={run}'
  code, out, err = program(
    'train', *TINY, *where, '--config.data.loader=stream'
  )
  assert code == 0, err
  code, out, err = program(
    'evaluate',
    f'--workdir={run}',
    '--samples=10',
    '--metrics=distance',
    '--features=random',
    '--by=class',
  )
  assert code == 0, err
  rows = json.loads((run / 'evaluation.json').read_text())['measures']
  assert {row['class'] for row in rows} == {None, 'cats', 'owls'}
