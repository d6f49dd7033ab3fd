"""What CONTRIBUTING.md shows works as it stands there, one place for each."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXT = (ROOT / 'CONTRIBUTING.md').read_text()
SNIPPETS = re.findall(r'```python\n# (\S+)\n(.*?)```', TEXT, re.DOTALL)
FOUND = """
import jax
import jax.numpy as jnp

from configs import linear
from configs.protocols import mine
from ganjax.config import augmentations, datasets, runs
from ganjax.evaluation import measures
from ganjax.sweeps import task

config = linear.get_config()
data = datasets.dataset(config)
assert data.images.shape == (64, 8, 8, 1) and set(data.labels) == {0, 1}
section = config.regularizers.discriminator
with section.unlocked():
  section.centred = {'weight': 0.1, 'every': 1, 'power': 2}
[phase] = runs.phases(config, (8, 8, 1))
batch = datasets.stored(data)
batch = jax.tree.map(lambda rows: rows[: phase.rows], batch)
batch = phase.preprocess(batch, jax.random.key(0), 0)
_, metrics = jax.jit(phase.step)(runs.start(config, (8, 8, 1))(), batch)
assert metrics['regularizer/centred'] >= 0

config.augment.name, config.augment.p = 'mirror', 1.0
mirrored = augmentations.augmentation_names()['mirror']()
images = jnp.arange(12.0).reshape(1, 3, 4, 1)
assert (mirrored(images, jax.random.key(0), 1.0) == images[:, :, ::-1]).all()
[phase] = runs.phases(config, (8, 8, 1))
jax.eval_shape(phase.step, jax.eval_shape(runs.start(config, (8, 8, 1))), batch)

config.augment.name = 'none'
config.network, config.labels = 'linear_by_class', True
config = datasets.with_classes(config, data)
assert config.classes == 2
[phase] = runs.phases(config, (8, 8, 1))
batch = phase.preprocess(datasets.stored(data), jax.random.key(0), 0)
state, _ = jax.jit(phase.step)(runs.start(config, (8, 8, 1))(), batch)
assert phase.sample(state, 6).shape == (6, 8, 8, 1)
[brightness] = measures.chosen(['brightness'])
assert [column.title for column in brightness.columns] == ['brightness']
remedies = mine.ring_with_centred().remedies
assert remedies.centred.regularizers.discriminator.centred.weight == 0.1
"""


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
  """A copy of the tree to which all snippets were added."""
  place = tmp_path_factory.mktemp('contributed')
  for folder in ('ganjax', 'configs', 'experiments'):
    shutil.copytree(ROOT / folder, place / folder)
  for name, code in SNIPPETS:
    path = place / name
    there = path.read_text() if path.exists() else ''
    path.write_text(f'{there}\n\n{code}' if there else code)
  return place


def run(place, *arguments):
  environment = os.environ | {'PYTHONPATH': str(place)}
  done = subprocess.run(
    [sys.executable, *arguments],
    cwd=place,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert not done.returncode, done.stderr[-2000:]
  return done.stdout + done.stderr


def test_each_thing_is_found_where_it_was_added(copy):
  run(copy, '-c', FOUND)


@pytest.mark.slow
def test_the_commands_run_as_they_are_written(copy):
  commands = re.findall(r'^python -m (experiments\..*)$', TEXT, re.MULTILINE)
  assert len(commands) >= 2
  short = {
    'experiments.train': ['--config.images=64', '--config.batch_size=16'],
    'experiments.sweep': [
      '--config.images=64',
      '--config.batch_size=8',
      '--seeds=1',
      '--samples=20',
    ],
  }
  for command in commands:
    module, *flags = command.split()
    run(copy, '-m', module, *flags, *short[module])


def test_a_snippet_is_short():
  for name, code in SNIPPETS:
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 35, f'{name}: {len(lines)} lines'
