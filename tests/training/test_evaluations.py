"""Evaluations while training: the best state, and what it is known by."""

import contextlib
import math
import re

import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.training import checkpoint, evaluations

CONFIG = {'loss': 'hinge'}


def evaluation(values, direction='minimize', settings='those'):
  """Evaluations that find these values one after another."""
  values = iter(values)
  return evaluations.Evaluation(
    lambda state: {'kid': 0.5, 'fid': next(values)}, 'fid', direction, settings
  )


def state(step):
  return {'step': jnp.int32(step), 'weights': jnp.full(3, step, jnp.float32)}


def evaluated(folder, own, steps):
  """Evaluates a run at these steps; returns what is logged, and sentences."""
  said = []
  with evaluations.evaluator(own, folder, CONFIG, said.append) as evaluate:
    logged = [evaluate(state(step), step, 8 * step) for step in steps]
  return logged, said


def kept(folder):
  """The record of the best state, and that state's step."""
  with contextlib.closing(checkpoint.reader(folder)) as reader:
    assert len(reader.all_steps()) == 1
    found = checkpoint.restore(reader, state(0))
    assert np.array_equal(found['weights'], 3 * [found['step']])
    assert checkpoint.config(reader)['config'] == CONFIG
    return evaluations.record(reader), int(found['step'])


@pytest.mark.parametrize(
  ('direction', 'values', 'best'),
  [
    ('minimize', [3.0, 2.0, 2.0, math.nan, 4.0], 2),
    ('maximize', [3.0, 2.0, 5.0, math.inf, 5.0], 3),
    ('minimize', [math.nan, -math.inf, 7.0], 3),
  ],
)
def test_the_best_is_the_first_with_the_best_finite_value(
  tmp_path, direction, values, best
):
  steps = range(1, len(values) + 1)
  logged, said = evaluated(tmp_path, evaluation(values, direction), steps)
  record, step = kept(tmp_path)
  assert step == best
  assert record == {
    'name': 'fid',
    'value': values[best - 1],
    'step': best,
    'images': 8 * best,
    'settings': 'those',
  }
  np.testing.assert_array_equal(
    [row['evaluation/fid'] for row in logged], values
  )
  for row in logged:
    assert row['evaluation/kid'] == 0.5
    assert 0 < row['evaluation_seconds'] < 60
  begun, first, *_, cost, result = said
  assert begun.startswith('Measuring after 8 images')
  assert re.match(rf'After 8 images: kid 0.5, fid {values[0]:.4g}', first)
  assert re.fullmatch(
    rf'Evaluated {len(values)} times in [\d.]+ s, \d+% of the time since the '
    r'start\.',
    cost,
  )
  assert result == (
    f'Best fid {values[best - 1]:.4g} after {8 * best} images, kept in '
    f'{tmp_path} (at the last evaluation: {values[-1]:.4g}).'
  )


def test_without_a_finite_value_there_is_no_best(tmp_path):
  _, said = evaluated(tmp_path, evaluation([math.nan]), [1])
  assert 'best' not in said[1].lower() and 'once' in said[-1]
  with contextlib.closing(checkpoint.reader(tmp_path)) as reader:
    assert not reader.all_steps()
    assert evaluations.record(reader) is None


def test_a_run_that_goes_on_remembers_its_best(tmp_path):
  evaluated(tmp_path, evaluation([3.0, 2.0]), [1, 2])
  # From an earlier checkpoint on, the second evaluation comes again.
  evaluated(tmp_path, evaluation([2.0, 2.5]), [2, 3])
  assert kept(tmp_path)[1] == 2
  # Nothing more to evaluate: the best is said all the same.
  assert evaluated(tmp_path, evaluation([]), [])[1] == [
    f'Best fid 2 after 16 images, kept in {tmp_path}.'
  ]
  evaluated(tmp_path, evaluation([1.5]), [4])
  assert kept(tmp_path)[1] == 4


def test_what_goes_on_elsewhere_may_find_a_better_state_earlier(tmp_path):
  evaluated(tmp_path, evaluation([2.0]), [6])
  evaluated(tmp_path, evaluation([1.9]), [5])
  assert kept(tmp_path)[1] == 5
  assert kept(tmp_path)[0]['value'] == 1.9


def test_a_value_that_was_measured_in_another_way_is_not_compared(tmp_path):
  evaluated(tmp_path, evaluation([2.0]), [6])
  other = evaluation([9.0], settings={'features': 'others'})
  _, said = evaluated(tmp_path, other, [6])
  assert 'measured in another way (those)' in said[0]
  record, step = kept(tmp_path)
  assert (step, record['value']) == (6, 9.0)
  assert record['settings'] == {'features': 'others'}


def test_a_write_that_fails_leaves_the_best_before_it(tmp_path, monkeypatch):
  evaluated(tmp_path, evaluation([2.0]), [1])

  def full(*arguments):
    raise OSError('the disk is full')

  monkeypatch.setattr(checkpoint, 'save', full)
  with pytest.raises(OSError, match='full'):
    evaluated(tmp_path, evaluation([1.0]), [2])
  assert kept(tmp_path)[1] == 1


def test_without_an_evaluation_nothing_is_written(tmp_path):
  place = tmp_path / 'best'
  with evaluations.evaluator(None, place, CONFIG, print) as evaluate:
    assert evaluate(state(1), 1, 8) == {}
  assert not place.exists()
