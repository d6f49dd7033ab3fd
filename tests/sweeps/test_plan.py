"""Plans of sweeps: each combination once, in as few programs as can be."""

import itertools
import json

import pytest

from ganjax.sweeps import plan

RATE, WEIGHT = 'optimizers.generator.learning_rate', 'r1.weight'


def members(programs):
  """All `(setting, seed)` with the changes that a program gives them."""
  return {
    (setting, seed): program.fixed
    | {field: values[row] for field, values in program.numbers.items()}
    for program in programs
    for row, (setting, seed) in enumerate(
      zip(program.settings, program.seeds, strict=True)
    )
  }


def test_crossing_makes_every_combination_once_in_order():
  settings = plan.cross(
    {('loss',): ['hinge', 'wasserstein'], ('a', 'b'): [1, 2], (RATE,): [0.1]}
  )
  assert settings == [
    {'loss': loss, 'a': both, 'b': both, RATE: 0.1}
    for loss, both in itertools.product(('hinge', 'wasserstein'), (1, 2))
  ]
  assert plan.cross({}) == [{}]


def test_rates_share_a_program_and_losses_and_zeros_start_others():
  losses, weights, rates = ('hinge', 'minimax'), (0.0, 1.0, 5.0), (1e-4, 1e-3)
  settings = plan.cross({('loss',): losses, (WEIGHT,): weights, (RATE,): rates})
  programs = plan.programs(settings, (7, 8, 9), {RATE, WEIGHT, 'unused'})
  assert [(program.fixed, len(program.seeds)) for program in programs] == [
    ({'loss': 'hinge', WEIGHT: 0.0}, 2 * 3),
    ({'loss': 'hinge'}, 2 * 2 * 3),
    ({'loss': 'minimax', WEIGHT: 0.0}, 2 * 3),
    ({'loss': 'minimax'}, 2 * 2 * 3),
  ]
  without, penalised, *_ = programs
  assert without.numbers == {RATE: (1e-4,) * 3 + (1e-3,) * 3}
  assert without.settings == (0, 0, 0, 1, 1, 1)
  assert without.seeds == (7, 8, 9, 7, 8, 9)
  assert penalised.numbers[WEIGHT] == (1.0,) * 6 + (5.0,) * 6
  assert penalised.settings == (2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5)
  # Each member is its setting, and each setting with each seed is a member.
  assert members(programs) == {
    (number, seed): setting
    for number, setting in enumerate(settings)
    for seed in (7, 8, 9)
  }


def test_what_is_no_float_or_may_not_be_traced_is_fixed():
  settings = [{'x': value} for value in (1, True, 1.0, 2.0, '1.0', None, [1.0])]
  assert len(plan.programs(settings, [0], {'x'})) == 6
  assert len(plan.programs(settings, [0], set())) == 7
  assert members(plan.programs(settings, [0], {'x'})) == {
    (number, 0): setting for number, setting in enumerate(settings)
  }


def test_settings_that_change_other_fields_are_other_programs():
  settings = [{}, {RATE: 0.1}, {RATE: 0.2}, {WEIGHT: 0.1}, {}]
  programs = plan.programs(settings, [0], {RATE, WEIGHT})
  assert [program.settings for program in programs] == [(0, 4), (1, 2), (3,)]
  assert programs[0].numbers == {}


def test_factors_that_make_no_sense_are_refused_in_a_sentence():
  with pytest.raises(ValueError, match='a is given by two factors'):
    plan.cross({('a',): [1], ('b', 'a'): [2]})
  with pytest.raises(ValueError, match=r'factor a\+b has no values'):
    plan.cross({('a', 'b'): []})
  with pytest.raises(ValueError, match='has the value 0.1 2 times'):
    plan.cross({('a',): [0.1, 0.2, 0.1]})
  # Equal in Python, and yet two values.
  assert len(plan.cross({('a',): [1, True]})) == 2


def test_what_is_there_is_completed_by_what_is_missing():
  settings = [{'remedy': 'gan'}, {'remedy': 'pac2'}]
  there = plan.programs(settings[:1], (0, 1), set())
  wanted = plan.programs(settings, (0, 1, 2), set())
  found = plan.completed(wanted, there)
  assert [(own.settings, own.seeds) for own in found] == [
    ((0, 0), (0, 1)),
    ((0,), (2,)),
    ((1, 1, 1), (0, 1, 2)),
  ]
  assert found[0] == there[0]
  # Fewer seeds need no more than those programs that have them.
  fewer = plan.programs(settings[:1], (1,), set())
  assert plan.completed(fewer, found) == [there[0]]
  assert plan.completed(wanted, found) == found


def test_a_program_is_read_as_it_was_written():
  [program] = plan.programs([{RATE: 0.5}, {RATE: 0.1}], (3, 4), {RATE})
  assert plan.read(json.dumps(program._asdict())) == program
