"""The axes of a sweep: what is written becomes factors, ranges and settings."""

import importlib

import pytest
from optuna import distributions

from ganjax.sweeps import axes, fields

RATE = 'optimizers.generator.learning_rate'
OTHER = 'optimizers.discriminator.learning_rate'


def config(name, *arguments):
  return importlib.import_module(f'configs.{name}').get_config(*arguments)


@pytest.fixture(scope='module')
def dcgan():
  return config('dcgan')


@pytest.fixture(scope='module')
def ring():
  return config('mode_collapse', 'ring')


def test_values_are_of_the_types_of_their_fields(dcgan):
  factors = axes.grid(
    dcgan,
    [
      'loss=hinge,wasserstein',
      f'{RATE}=1,3e-4',
      'batch_size=8, 16',
      'data.mirror=true,False',
      'skip_below=none,1',
    ],
  )
  assert factors == {
    ('loss',): ['hinge', 'wasserstein'],
    (RATE,): [1.0, 3e-4],
    ('batch_size',): [8, 16],
    ('data.mirror',): [True, False],
    ('skip_below',): [None, 1.0],
  }
  types = [type(own) for values in factors.values() for own in values]
  assert types[2:4] == [float, float]
  assert types[4:] == [int, int, bool, bool, type(None), float]


def test_tuples_keep_their_commas():
  factors = axes.grid(config('dense'), ['generator.widths=(8,),(4, 6),[2,3]'])
  assert factors == {('generator.widths',): [(8,), (4, 6), (2, 3)]}


def test_fields_that_move_together_are_one_factor(dcgan):
  assert axes.grid(dcgan, [f'{RATE}+{OTHER}=1e-4,1e-3']) == {
    (RATE, OTHER): [1e-4, 1e-3]
  }
  ranges = axes.search(dcgan, [f'{RATE}+{OTHER}=log:1e-5..1e-2'])
  assert fields.example(ranges) == {RATE: 1e-2, OTHER: 1e-2}


def test_ranges_are_distributions(dcgan):
  ranges = axes.search(
    dcgan,
    [
      f'{RATE}=log:1e-5..1e-2',
      'ema_decay=.9..0.999',
      'critic_steps=int:1..5',
      'loss=hinge|minimax',
      'skip_below=none|0.5',
    ],
  )
  assert ranges == {
    (RATE,): distributions.FloatDistribution(1e-5, 1e-2, log=True),
    ('ema_decay',): distributions.FloatDistribution(0.9, 0.999),
    ('critic_steps',): distributions.IntDistribution(1, 5),
    ('loss',): distributions.CategoricalDistribution(['hinge', 'minimax']),
    ('skip_below',): distributions.CategoricalDistribution([None, 0.5]),
  }


def test_a_remedy_is_a_factor_of_a_protocol(ring):
  assert axes.grid(ring, ['remedy=gan,r1']) == {('remedy',): ['gan', 'r1']}
  own = fields.changed(ring, {'remedy': 'r1', RATE: 0.5})
  assert own.regularizers.discriminator.r1.weight == 0.5
  assert own.optimizers.generator.learning_rate == 0.5
  # Without one it is the first listed, which changes nothing.
  plain = fields.changed(ring, {})
  assert plain.loss == ring.loss
  assert plain.regularizers.to_dict() == ring.regularizers.to_dict()
  assert ring.optimizers.generator.learning_rate == 1e-3


def test_the_sweep_of_a_config_file_gives_its_settings():
  added = []
  fields.proposed('configs/msg.py:digits')(added.append)
  assert len(added) > 1
  added = [{RATE: 1}, {'loss': 'hinge', RATE: 0.0}, {'loss': 'hinge'}]
  settings = fields.checked(config('dcgan'), added)
  assert settings == added
  assert isinstance(settings[0][RATE], float)
  assert fields.factors(settings) == {RATE: [1.0, 0.0], 'loss': ['hinge']}
  assert fields.numbers(settings) == {RATE: [1.0]}


def test_a_file_without_a_sweep_proposes_nothing():
  added = []
  fields.proposed('configs/mode_collapse.py:ring')(added.append)
  assert added == []


@pytest.mark.parametrize(
  ('text', 'words'),
  [
    ('los=hinge', "The config has no field 'los'; did you mean loss?"),
    ('learning_rate=1', f'did you mean {OTHER} or {RATE}?'),
    ('optimizers.generator=1', 'did you mean optimizers.generator.b1 or'),
    ('loss', "--grid is 'loss'; give a field and what it is to be"),
    ('loss=', '--grid loss= lacks a value'),
    ('loss=hinge,', 'lacks a value'),
    (f'{RATE}=1e-3,fast', f"{RATE} is a number, such as 0.0002, and 'fast'"),
    (f'{RATE}=nan', "and 'nan' is not"),
    (f'{RATE}=none', "and 'none' is not"),
    ('batch_size=1.5', "batch_size is a whole number, such as 32, and '1.5'"),
    ('data.mirror=1', "data.mirror is true or false, such as false, and '1'"),
    ('seed=1', 'seed is no factor of a sweep: give --seeds'),
    (f'{RATE}+loss=1', 'are of different types and cannot move together'),
    ('loss+loss=hinge', 'The factor loss is given twice'),
  ],
)
def test_a_grid_that_makes_no_sense_is_one_sentence(dcgan, text, words):
  with pytest.raises(ValueError) as error:
    axes.grid(dcgan, [text])
  assert words in str(error.value)


@pytest.mark.parametrize(
  ('text', 'words'),
  [
    (f'{RATE}=log:0..1', 'a logarithmic range begins above 0, and 0 is not'),
    (f'{RATE}=5..1', 'the range is empty; 5 must be below 1'),
    (f'{RATE}=1..1', 'the range is empty'),
    (f'{RATE}=log:1e-5..', "and '' is not"),
    (f'{RATE}=int:1..5', 'give its range as 0.1..10 or log:1e-5..1e-2'),
    ('critic_steps=1..5', 'give its range as int:1..8'),
    ('loss=1..2', 'loss is a name; give its range as'),
    ('loss=hinge', 'this is no range'),
    ('loss=hinge|hinge', 'hinge is given twice'),
    ('los=hinge|minimax', "no field 'los'"),
    ('loss', "--search is 'loss'"),
  ],
)
def test_a_range_that_makes_no_sense_is_one_sentence(dcgan, text, words):
  with pytest.raises(ValueError) as error:
    axes.search(dcgan, [text])
  assert words in str(error.value)


def test_a_factor_is_given_once(dcgan):
  with pytest.raises(ValueError, match='The factor loss is given twice'):
    axes.grid(dcgan, ['loss=hinge', 'loss=minimax'])
  ranges = axes.search(dcgan, ['loss=hinge|minimax'])
  with pytest.raises(ValueError, match='The factor loss is given twice'):
    axes.check_apart({('loss',): ['hinge']}, ranges)
  with pytest.raises(ValueError, match='cannot be given together'):
    axes.check_apart({(RATE,): [1.0]}, ranges)


def test_an_unknown_remedy_is_answered_with_the_nearest(ring):
  with pytest.raises(ValueError, match="did you mean 'r1'"):
    axes.grid(ring, ['remedy=gan,r1_'])
