"""Numbers of configs against the table of their ranges."""

import importlib
import inspect
import pathlib
import re

import jax.numpy as jnp
import pytest
from ml_collections import ConfigDict

from configs import dcgan
from ganjax.config import ranges

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'


@pytest.mark.parametrize(
  ('name', 'inside', 'outside'),
  [
    ('optimizers.generator.learning_rate', (0.0, 1e30), (-1e-9, float('inf'))),
    # Negative momentum has a paper of its own.
    ('optimizers.generator.b1', (-0.5, 0.0, 0.999), (-1.0, 1.0, 5.0)),
    ('optimizers.discriminator.b2', (0.0, 0.999), (1.0, -0.1)),
    ('regularizers.discriminator.r1.weight', (0.0, 5.0), (-3.0, float('nan'))),
    ('ema_decay', (0.0, 0.9999), (1.0, 1.5, -0.1)),
    ('schedules.ema_decay.to', (0.0, 0.9999), (1.0,)),
    ('schedules.ema_decay.images', (1.0,), (0.0,)),
    ('ema.half_life', (None, 0.0, 1.0), (-5.0,)),
    ('top_k.share', (1e-3, 1.0), (0.0, 1.1)),
    ('lookahead.every', (0, 5), (-1,)),
    ('regularizers.discriminator.r1.every', (1,), (0,)),
    ('growth.batch_size', ((), (8, 4)), ((8, 0),)),
    ('growth.fade', (0,), (-1,)),
    ('seed', (0, 2**32 - 1), (-1, 2**32, 10**400)),
    ('a.field.of.ones.own', (-7.0, float('inf')), ()),
  ],
)
def test_ranges_hold_their_bounds(name, inside, outside):
  for value in inside:
    ranges.check_value(name, value)
  for value in outside:
    with pytest.raises(ValueError, match=re.escape(f'{name} is {value}; it')):
      ranges.check_value(name, value)


def test_what_is_traced_no_number_or_not_read_is_not_checked():
  ranges.check_value('ema_decay', jnp.float32(1.5))
  ranges.check_value('pack', False)
  config = dcgan.get_config()
  config.schedules.ema_decay.to = 1.5
  ranges.check(config)
  config.schedules.ema_decay.name = 'linear'
  with pytest.raises(ValueError, match=r'schedules.ema_decay.to is 1.5'):
    ranges.check(config)


def test_every_pattern_fits_a_field_and_every_config_is_inside():
  names = set()
  for path in CONFIGS.glob('[!_]*.py'):
    module = importlib.import_module(f'configs.{path.stem}')
    if not hasattr(module, 'get_config'):
      continue
    for config in presets(module):
      ranges.check(config)
      names |= set(flat(config))
  unused = {
    pattern
    for pattern in ranges.RANGES
    if not any(ranges.RANGES[pattern] is ranges.found(name) for name in names)
  }
  assert not unused


def presets(module):
  """The configs of a file: of all names that it says it has."""
  if not inspect.signature(module.get_config).parameters:
    return [module.get_config()]
  with pytest.raises(ValueError, match='choose from') as error:
    module.get_config('no such name')
  names = str(error.value).partition('choose from ')[2].strip('.').split(', ')
  return [module.get_config(name) for name in names]


def flat(config):
  return ranges.files.flat(ConfigDict(config.to_dict()))
