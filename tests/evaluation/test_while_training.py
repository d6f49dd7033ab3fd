"""Evaluation while training, as users run it, and what reads its results."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.config import restore
from ganjax.training import checkpoint, loop

SMALL = (
  '--config.data.resolution=16',
  '--config.batch_size=8',
  '--config.images=80',
  '--config.log.every=16',
  '--config.samples.every=80',
  '--config.checkpoint.every=32',
)
DENSE = (
  '--config=configs/dense.py',
  '--config.generator.widths=(8,)',
  '--config.discriminator.widths=(8,)',
  '--config.steps_together=2',
  *SMALL,
)
MEASURED = (
  '--config.evaluate.measures=fid,distance',
  '--config.evaluate.every=16',
  '--config.evaluate.samples=40',
  '--config.evaluate.features=random',
)


def rows(folder):
  """The lines of metrics.jsonl, but for what they say of time."""
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  measured = [json.loads(line) for line in lines]
  for row in measured:
    for name in 'images_per_second', 'compile_seconds', 'evaluation_seconds':
      row.pop(name, None)
  return measured


def state_bits(run):
  leaves = jax.tree_util.tree_leaves_with_path(run.state)
  return {
    jax.tree_util.keystr(path): np.asarray(
      jax.random.key_data(leaf)
      if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
      else leaf
    ).tobytes()
    for path, leaf in leaves
  }


def evaluate(program, folder, *flags):
  """What `evaluate` measures as while training, by step; and what it prints."""
  code, out, err = program(
    'evaluate',
    f'--workdir={folder}',
    '--metrics=fid,distance',
    '--samples=40',
    '--features=random',
    '--held_out=',
    *flags,
  )
  assert code == 0, err
  found = json.loads((folder / 'evaluation.json').read_text())['measures']
  return {row['step']: row for row in found}, out


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('evaluated')


@pytest.fixture
def run(program, folder):
  """The workdir of a run that is evaluated five times, trained once."""
  place = folder / 'run'
  if not place.exists():
    code, out, err = program('train', *DENSE, *MEASURED, f'--workdir={place}')
    assert (code, err) == (0, '')
    assert 'Measures fid,distance every 16 images, of 40 samples' in out
    assert 'random-conv-384 (seed 0, untrained)' in out
    assert out.count('so far (') >= 1
    assert 'Evaluated 5 times in ' in out
    assert f', kept in {place}/checkpoints/best (at the last' in out
  return place


def test_values_are_those_of_evaluate_and_the_best_is_kept(program, run):
  logged = rows(run)
  assert [row['images'] for row in logged] == [16, 32, 48, 64, 80]
  fids = [row['evaluation/fid'] for row in logged]
  assert min(row['evaluation/distance'] for row in logged) > 0
  found, _ = evaluate(program, run, '--checkpoint=all')
  assert list(found) == [4, 8, 10]
  best = 2 * int(np.argmin(fids)) + 2
  found, out = evaluate(program, run, '--checkpoint=best')
  assert {4, 8, 10, best} == set(found)
  for step, row in found.items():
    names = ['last'] * (step == 10) + ['best'] * (step == best)
    assert row['checkpoint'] == ', '.join(names)
    of_now = logged[step // 2 - 1]
    assert row['images_seen'] == of_now['images']
    for name in 'fid', 'distance':
      assert row[name] == of_now[f'evaluation/{name}'], name
  assert 'checkpoint' in out and f'{best}' in out
  read = restore.best(run)
  assert int(read.state.step) == best


def test_a_training_is_the_same_with_evaluations_and_without(
  program, run, tmp_path
):
  code, out, err = program('train', *DENSE, f'--workdir={tmp_path}')
  assert (code, err) == (0, '')
  assert 'valuat' not in out and 'Best' not in out
  assert state_bits(restore.last(run)) == state_bits(restore.last(tmp_path))
  assert not (tmp_path / 'checkpoints' / 'best').exists()
  code, _, err = program('sample', f'--workdir={tmp_path}', '--checkpoint=best')
  assert code == 1
  assert 'holds no best checkpoint, for its training evaluated nothing' in err


@pytest.mark.parametrize('step', [4, 8])
def test_ended_between_an_evaluation_and_its_checkpoint_nothing_is_lost(
  program, run, tmp_path, monkeypatch, step
):
  save = checkpoint.save

  def ending(manager, number, *arguments):
    if manager.directory.name == 'checkpoints' and number == step:
      raise OSError('the process ends here')
    save(manager, number, *arguments)

  flags = (*DENSE, *MEASURED, f'--workdir={tmp_path}')
  with monkeypatch.context() as patch:
    patch.setattr(loop.checkpoint, 'save', ending)
    code, _, err = program('train', *flags)
    assert (code, err) == (1, 'train: the process ends here\n')
  assert int(restore.best(tmp_path).state.step) <= step
  code, out, err = program('train', *flags)
  assert (code, err) == (0, '')
  assert rows(tmp_path) == rows(run)
  for read in restore.last, restore.best:
    assert state_bits(read(tmp_path)) == state_bits(read(run))
  assert restore.names(tmp_path) == restore.names(run)


def test_a_sample_says_which_checkpoint_it_is_of(program, run, tmp_path):
  pictures = {}
  for name in 'last', 'best':
    path = tmp_path / f'{name}.png'
    code, out, err = program(
      'sample', f'--workdir={run}', f'--checkpoint={name}', f'--output={path}'
    )
    assert code == 0, err
    step = int(restore.CHECKPOINTS[name](run).state.step)
    assert f'of the {name} checkpoint at step {step} (ema weights)' in out
    pictures[step] = path.read_bytes()
  assert len(set(pictures.values())) == len(pictures)


@pytest.mark.parametrize(
  ('expected', 'flags'),
  [
    ("no metric 'fit'; did you mean 'fid'?", ['measures=fit']),
    ("no metric ' kid'", ['measures=fid, kid']),
    ('change compares the checkpoints', ['measures=fid,change']),
    ('evaluate.samples is 1; it must be', ['samples=1']),
    ('evaluate.every is 0; it must be', ['every=0']),
    ("no choice of weights 'emma'; did you mean 'ema", ['weights=emma']),
    ("evaluate.best, 'kit'; did you mean 'kid", ['measures=kid', 'best=kit']),
    (
      'evaluate.best is kid_std, of which neither more nor less is better; '
      'choose from kid.',
      ['measures=kid', 'best=kid_std'],
    ),
    ('would be untrained; use features=inc', ['measures=inception_score']),
    ('but this game is unconditional', ['measures=accuracy']),
    ('gone.pth', ['features=gone.pth']),
    # What the measure itself says, before anything is trained.
    ('There are 3 real features; expected', ['measures=prdc', 'samples=3']),
  ],
  ids=lambda value: value[-1] if isinstance(value, list) else '',
)
def test_what_cannot_be_evaluated_is_said_before_the_training(
  program, tmp_path, expected, flags
):
  flags = [f'--config.evaluate.{flag}' for flag in flags]
  code, out, err = program(
    'train', *DENSE, *MEASURED, *flags, f'--workdir={tmp_path}/run'
  )
  assert code == 1
  # The first of them decodes, what the others find in the cache.
  assert re.fullmatch(r'(Decoding 1,500 pictures of .+\n)?', out)
  assert expected in err
  assert 'Traceback' not in err
  assert not (tmp_path / 'run').exists()


def test_a_sweep_is_not_evaluated_by_the_config(program, tmp_path):
  code, _, err = program(
    'sweep', *DENSE, *MEASURED, '--seeds=1', f'--workdir={tmp_path}/sweep'
  )
  assert code == 1
  assert "evaluate.measures is 'fid,distance', but a sweep measures its" in err


@pytest.mark.slow
@pytest.mark.parametrize('preset', ['progressive.py:digits', 'msg.py:digits'])
def test_what_grows_or_has_labels_is_evaluated_as_it_is(
  program, tmp_path, preset
):
  growing = 'progressive' in preset
  code, _, err = program(
    'train',
    f'--config=configs/{preset}',
    '--config.labels=true',
    *(
      f'--config.{player}.{name}={value}'
      for player in ('generator', 'discriminator')
      for name, value in (('base', 32), ('max_channels', 4))
    ),
    *(('--config.growth.fade=16', '--config.growth.hold=8') * growing),
    *SMALL,
    *MEASURED,
    '--config.checkpoint.every=16',
    '--config.checkpoint.keep=9',
    f'--workdir={tmp_path}',
  )
  assert code == 0, err
  logged = {row['images']: row for row in rows(tmp_path)}
  found, _ = evaluate(program, tmp_path, '--checkpoint=all')
  assert len(found) == 5
  for row in found.values():
    assert row['fid'] == logged[row['images_seen']]['evaluation/fid']
