"""The numbers that the fields of configs may have, in one table.

Programs ask it before they read data or write anything, and sweeps ask it for
each value of a factor and for both ends of a range, before any is traced.
"""

import fnmatch
import math
from collections.abc import Callable
from typing import NamedTuple

from ganjax import files


class Range(NamedTuple):
  """An interval of numbers.

  Attributes:
    words: what completes 'it must be'.
    holds: `number -> bool`, for finite numbers.
  """

  words: str
  holds: Callable


def _at_least(low):
  return Range(f'at least {low}', lambda number: number >= low)


_ABOVE_0 = Range('above 0', lambda number: number > 0)
_SHARE = Range('from 0 to 1', lambda number: 0 <= number <= 1)
_SOME_SHARE = Range('above 0 and at most 1', lambda number: 0 < number <= 1)
_DECAY = Range('at least 0 and below 1', lambda number: 0 <= number < 1)
_MOMENTUM = Range(
  'between -1 and 1, both excluded', lambda number: -1 < number < 1
)
_SEED = Range(
  'a whole number from 0 to 4294967295', lambda number: 0 <= number < 2**32
)

RANGES = {
  # Of all trainings. A pattern stands for whole dotted names; where several fit
  # a name, the first one holds.
  'seed': (_SEED, 'from which all that is drawn follows'),
  'images': (_at_least(1), 'the images of the whole run'),
  'paper_images': (_at_least(1), "the images of the paper's run"),
  'batch_size': (_at_least(1), 'the images of a batch'),
  'growth.batch_size': (_at_least(1), 'the images of a batch of each stage'),
  'growth.rate': (_at_least(0), 'a factor of the learning rates'),
  'growth.*': (_at_least(0), 'a number of images or pixels'),
  'lookahead.every': (_at_least(0), 'an interval of updates'),
  '*.every': (_at_least(1), 'an interval'),
  'checkpoint.keep': (_at_least(1), 'the checkpoints that are kept'),
  'steps_together': (_at_least(0), 'the steps of a dispatch'),
  'data.resolution': (_at_least(1), 'the side of images in pixels'),
  'data.window': (_at_least(1), 'the side of a crop in pixels'),
  'evaluate.samples': (_at_least(2), 'the samples that are measured'),
  # Of networks.
  '*.width': (_at_least(1), 'a number of channels'),
  '*.widths': (_at_least(1), 'the sizes of layers'),
  '*.base': (_at_least(1), 'channels times half the resolution'),
  '*.max_channels': (_at_least(1), 'a number of channels'),
  '*.groups': (_at_least(1), 'the ghost batches of a batch'),
  '*.expansion': (_at_least(1), 'a factor of the channels'),
  '*.blocks': (_at_least(0), 'a number of blocks'),
  '*.attention': (_at_least(0), 'the side of images in pixels'),
  '*.embedding': (_at_least(0), 'the size of the vector of a class'),
  '*.low_precision': (_at_least(0), 'a number of resolutions'),
  '*.outer_kernel': (_at_least(1), 'the side of a kernel'),
  '*.statistics.group': (_at_least(0), 'the images of a group'),
  '*.statistics.*': (_at_least(1), 'the size of a statistic'),
  'generator.style': (_at_least(1), 'the size of a style'),
  'generator.depth': (_at_least(1), 'the layers of the mapping'),
  'generator.mixing': (_SHARE, 'a share of the examples'),
  'prior.size': (_at_least(1), 'the size of a latent'),
  'classes': (_at_least(0), 'the number of classes'),
  # Of games and remedies.
  'conditional.strength': (_SHARE, 'a factor of what labels add'),
  'conditional.temperature': (_ABOVE_0, 'what similarities are divided by'),
  'conditional.margin': (_SHARE, 'a cosine'),
  'conditional.size': (_at_least(1), 'the size of an embedding'),
  'pack': (_at_least(1), 'the images of a pack'),
  'augment.p': (_SHARE, 'the probability of a transform'),
  'augment.target': (_SHARE, 'the mean sign of the logits of reals'),
  'augment.images': (_ABOVE_0, 'the images in which p goes from 0 to 1'),
  'apa.p': (_SHARE, 'the probability of a fake in the place of a real'),
  'apa.target': (_SHARE, 'the mean sign of the logits of reals'),
  'apa.images': (_ABOVE_0, 'the images in which p goes from 0 to 1'),
  'label_smoothing': (_DECAY, 'what is taken off the label of reals'),
  'instance_noise.std': (_at_least(0), 'a standard deviation'),
  'instance_noise.steps': (_at_least(0), 'a number of steps'),
  'top_k.share': (_SOME_SHARE, 'a share of the fakes'),
  'top_k.steps': (_at_least(0), 'a number of steps'),
  'consensus': (_at_least(0), 'the weight of a penalty'),
  'historical_averaging': (_at_least(0), 'the weight of a penalty'),
  '*.weight': (_at_least(0), 'the weight of a term that is minimised'),
  'regularizers.*.target': (_at_least(0), 'the norm of a gradient'),
  'regularizers.*.spread': (_at_least(0), 'a factor of a deviation'),
  'regularizers.*.decay': (_DECAY, 'the decay of an average'),
  'regularizers.*.shrink': (_at_least(1), 'a divisor of the batch'),
  # Of optimisers, updates and averages.
  'learning_rate': (_at_least(0), 'the size of a step'),
  '*.learning_rate': (_at_least(0), 'the size of a step'),
  '*.b1': (_MOMENTUM, 'the decay of an average of gradients'),
  '*.b2': (_DECAY, 'the decay of an average of squared gradients'),
  '*.eps': (_at_least(0), 'what is added to a denominator'),
  '*.eps_root': (_at_least(0), 'what is added to a denominator'),
  'optimizer.memory': (_at_least(1), 'the steps that L-BFGS remembers'),
  'clip': (_at_least(0), 'the bound of parameters'),
  'lookahead.rate': (_SOME_SHARE, 'the share of the way that is gone'),
  'critic_steps': (_at_least(1), 'the updates of the discriminator'),
  'generator_steps': (_at_least(1), 'the updates of the generator'),
  'generator_batches': (_at_least(0), 'batches of reals for the generator'),
  'unroll': (_at_least(0), 'the unrolled updates'),
  'ema_decay': (_DECAY, 'the decay of a moving average'),
  'ema.half_life': (_at_least(0), 'a number of images'),
  'schedules.*.images': (_ABOVE_0, 'the images that a change takes'),
  'schedules.*.start': (_at_least(0), 'the images before a change'),
  'ema.ramp': (_ABOVE_0, 'a share of the images seen so far'),
  # Of protocols of mode collapse.
  'steps': (_at_least(1), 'the steps of a run'),
  'seeds': (_at_least(1), 'the runs of each remedy'),
  'measure.seed': (_SEED, 'from which latents follow'),
  'measure.within': (_ABOVE_0, 'a radius'),
  'measure.smoothing': (_at_least(0), 'what is added to each count'),
  'measure.pictures': (_at_least(1), 'the samples that are drawn'),
  'measure.evaluations': (_at_least(1), 'the evaluations of a run'),
  'measure.samples': (_at_least(1), 'the samples of an evaluation'),
  'measure.batch': (_at_least(1), 'the samples that are made at a time'),
  'measure.minimum': (_at_least(1), 'the samples that capture a mode'),
  'measure.confidence': (_DECAY, 'the least probability of a class'),
  'data.modes': (_at_least(1), 'the modes of the data'),
  'data.side': (_at_least(1), 'the modes of a side of the grid'),
  'data.classes': (_at_least(1), 'the labels of the data'),
  'data.number': (_at_least(2), 'the images of a class'),
  'data.neighbours': (_at_least(1), 'a number of neighbours'),
  'data.std': (_at_least(0), 'a standard deviation'),
  'data.noise': (_at_least(0), 'a standard deviation'),
  'data.pool': (_at_least(0), 'the examples that are drawn once'),
  'data.radius': (_ABOVE_0, 'a radius'),
  'data.spacing': (_ABOVE_0, 'a distance'),
  'data.divisor': (_ABOVE_0, 'a divisor'),
  # Of style transfer.
  'size': (_at_least(1), 'a side in pixels'),
  'min_size': (_at_least(1), 'a side in pixels'),
  'steps.*': (_at_least(1), 'the steps at a scale'),
  'strength': (_SHARE, 'of the style, from 0 to 1'),
  'style.scale': (_ABOVE_0, 'a factor of the size of the style'),
  '*.layers.*': (_at_least(0), 'the share of a layer'),
  'tiles': (_at_least(0), 'the side of tiles in pixels'),
}
"""From patterns of fields to a `Range`, and to what the number is."""


def check(config):
  """Raises ValueError if a number of a config lies outside its range.

  Args:
    config: of any kind. What a remedy changes is checked in the config that has
      it.
  """
  values = files.flat(config)
  for name, value in values.items():
    section, _, _ = name.rpartition('.')
    # A schedule that leaves a number as it is reads none of its own.
    if values.get(f'{section}.name') != 'constant':
      check_value(name, value)


def check_value(name, value):
  """Raises ValueError if a number, or one of a tuple, is outside its range.

  Args:
    name: the dotted name of the field.
    value: of any type; only numbers that are known, and not traced, are
      checked.
  """
  entry = found(name)
  if entry is None:
    return
  range_, what = entry
  for number in value if isinstance(value, list | tuple) else (value,):
    if isinstance(number, bool) or not isinstance(number, float | int):
      continue
    # A whole number may be too large for a float.
    finite = isinstance(number, int) or math.isfinite(number)
    if not (finite and range_.holds(number)):
      raise ValueError(
        f'{name} is {value}; it must be {range_.words}, for it is {what}.'
      )


def found(name):
  """Returns the `Range` of a field and what its number is; None without."""
  if name.startswith('schedules.') and name.endswith('.to'):
    # A schedule ends at a value of its field.
    name = name.removeprefix('schedules.').removesuffix('.to')
  for pattern, entry in RANGES.items():
    if fnmatch.fnmatchcase(name, pattern):
      return entry
  return None
