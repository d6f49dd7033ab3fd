"""From a config to its game, optimisers and update rule.

A config holds JSON values only. A section with a name chooses a function, and
its other fields are that function's arguments; a section of sections maps names
to arguments. Losses, priors, regularisers, optimisers and update rules are what
their modules define, found by name. Numbers may be traced, so that configs
which differ in numbers can be one program.
"""

import functools
import inspect
import warnings

import jax.numpy as jnp

from ganjax import (
  averages,
  labels,
  lazy,
  losses,
  optimizers,
  passes,
  priors,
  remedies,
  steps,
)
from ganjax.arrays import certainly
from ganjax.config import (
  augmentations,
  conditional,
  networks,
  regularizers,
  schedules,
)
from ganjax.game import gan
from ganjax.lookup import choose, functions
from ganjax.players import Pair

# Arguments that only some update rules take, with the values that the config
# has to hold for the others.
_RULE_ARGUMENTS = {
  'critic_steps': 1,
  'generator_steps': 1,
  'generator_batches': 0,
  'shared_latents': False,
  'skip_below': None,
  'unroll': 0,
}


def schedule(config, shape, stage=lambda step: {}, images_seen=None):
  """Returns the game of a config as a function `step -> Game`.

  Args:
    config: the config of a training run.
    shape: of one example of the data, without the batch.
    stage: a function from a step to the arguments `stage` and `alpha` of
      networks that grow.
    images_seen: as in `update_step`.

  Raises:
    ValueError: if the config has a name that does not exist, or values that do
      not fit one another.
  """
  images_seen = images_seen or schedules.images_seen(config)

  def at(step, **stage):
    own = schedules.scheduled(config, images_seen(step))
    pair = networks.networks(own, shape, **stage)
    return augmentations.game(own, functools.partial(_game, own, pair, step))

  at(0)  # Raises here, and not at the first step.
  return lambda step: at(step, **stage(step))


def _game(config, pair, step, augmented, reals):
  """Returns the `Game` of networks at a step.

  `augmented` and `reals` are those of `augmentations.game`.
  """
  loss, *others = _terms(config)
  penalties = None
  if _lazy(config):
    penalties = Pair(*map(regularizers.apart, _pair(config.regularizers)))
  noise, top_k = config.instance_noise, config.top_k
  generator, discriminator = pair
  if not certainly(noise.std, 0):
    share = _remaining(step, noise.steps) if noise.steps else 1.0
    discriminator = remedies.instance_noise(discriminator, noise.std * share)
  discriminator = augmented(discriminator)
  if not certainly(top_k.share, 1):
    share = _remaining(step, top_k.steps) if top_k.steps else 0.0
    loss = losses.top_k(loss, top_k.share + (1 - top_k.share) * share)
  game = gan(
    generator,
    discriminator,
    loss,
    *others,
    paired_draws=config.augment.paired,
    critic_pass=choose('pass', pass_names(), config.critic_pass),
    reals=reals,
    penalties=penalties,
  )
  if not certainly(config.consensus, 0):
    game = remedies.consensus(game, config.consensus)
  if not certainly(config.historical_averaging, 0):
    game = remedies.historical_averaging(game, config.historical_averaging)
  return game


def _terms(config):
  """Returns what `gan` is given beside the networks."""
  of_section = (
    regularizers.in_every_update if _lazy(config) else regularizers.of_section
  )
  return (
    _loss(config),
    _prior(config),
    Pair(
      *(
        of_section(section) | added
        for section, added in zip(
          _pair(config.regularizers), conditional.terms(config), strict=True
        )
      )
    ),
    _fake_labels(config) if config.labels else None,
  )


def optimizer_pair(config, images_seen=None):
  """Returns the `Pair` of optax transformations of a config.

  Args:
    config: the config of a training run.
    images_seen: as in `update_step`.

  Returns:
    A `Pair`, or a function `step -> Pair` where the config has schedules.

  Raises:
    ValueError: if there is no optimiser of a name.
  """
  if not schedules.sections(config):
    return _optimizers(config)
  seen = images_seen or schedules.images_seen(config)
  return lambda step: _optimizers(schedules.scheduled(config, seen(step)))


def _optimizers(config):
  built = []
  for section, every in zip(
    map(dict, _pair(config.optimizers)), _intervals(config), strict=True
  ):
    make = choose('optimizer', optimizer_names(), section.pop('name'))
    numbers = (section.pop(name) for name in ('learning_rate', 'b1', 'b2'))
    built.append(make(*lazy.corrected(every, *numbers), **section))
  if not certainly(config.clip, 0):
    built[1] = optimizers.clipped(built[1], config.clip)
  if config.lookahead.every:
    every, rate = config.lookahead.every, config.lookahead.rate
    updates = every, every * config.critic_steps
    built = [
      optimizers.lookahead(optimizer, number, rate)
      for optimizer, number in zip(built, updates, strict=True)
    ]
  return Pair(*built)


def update_step(config, game, images_seen=None):
  """Returns the `step(state, batch)` of a config's update rule.

  Args:
    config: the config of a training run.
    game: a `Game`, or a function `step -> Game`.
    images_seen: `step -> images` before the step; None if all steps of the run
      have the batch size of the config.

  Raises:
    ValueError: if there is no such rule, or the config sets an argument that it
      does not take.
  """
  rule = choose('update rule', update_rule_names(), config.update_rule)
  if config.unroll and not losses.zero_sum(_named_loss(config)):
    warnings.warn(
      f'The loss {config.loss!r} is not zero-sum, and unroll is '
      f'{config.unroll}: the generator descends its own loss against the '
      'unrolled discriminator held fixed, and through the unrolled updates '
      "minus the discriminator's loss. This is not the gradient of one "
      'function; unrolled GANs (arXiv:1611.02163) have loss=minimax.',
      stacklevel=2,
    )
  taken = inspect.signature(rule).parameters
  arguments = {'ema_decay': _ema_decay(config, images_seen)}
  if _lazy(config):
    arguments['every'] = _intervals(config)
  for name, default in _RULE_ARGUMENTS.items():
    if name in taken:
      arguments[name] = config[name]
    elif config[name] != default:
      raise ValueError(
        f'The update rule {config.update_rule!r} takes no {name} '
        f'({config[name]}). Leave it at {default}, or set update_rule to '
        'alternating.'
      )
  return rule(game, optimizer_pair(config, images_seen), **arguments)


def loss_names():
  """Returns the losses that a config can choose, a dict of `Pair`s by name."""
  return {
    name: loss for name, loss in vars(losses).items() if isinstance(loss, Pair)
  }


def optimizer_names():
  """Returns the optimisers that a config can choose, functions by name."""
  return {
    name: function
    for name, function in functions(optimizers).items()
    if 'learning_rate' in inspect.signature(function).parameters
  }


def fake_label_names():
  """Returns what a config can choose for `fake_labels`, functions by name."""
  return {
    name: function
    for name, function in functions(labels).items()
    if 'number' not in inspect.signature(function).parameters
  }


def pass_names():
  """Returns what a config can choose for `critic_pass`, functions by name."""
  return {
    name: function
    for name, function in functions(passes).items()
    if 'fake' in inspect.signature(function).parameters
  }


def update_rule_names():
  """Returns the update rules that a config can choose, functions by name."""
  return {
    name: function
    for name, function in (functions(steps) | functions(lazy)).items()
    if 'ema_decay' in inspect.signature(function).parameters
  }


def _prior(config):
  arguments = dict(config.prior)
  make = choose('prior', functions(priors), arguments.pop('name'))
  return make(**arguments)


def _fake_labels(config):
  """Returns the function of `ganjax.labels` that a config chooses."""
  if config.classes < 1:
    raise ValueError(
      f'labels is true and classes is {config.classes}; leave it to the data, '
      'or give the number of classes.'
    )
  arguments = dict(config.fake_labels)
  name = arguments.pop('name')
  make = choose('function of labels', fake_label_names(), name)
  if 'classes' in inspect.signature(make).parameters:
    arguments['classes'] = config.classes
  return make(**arguments)


def _ema_decay(config, images_seen):
  """Returns the `averages.Decay` of a config."""
  seen = images_seen or schedules.images_seen(config)
  changing = schedules.sections(config)

  def at(step):
    return schedules.scheduled(config, seen(step))

  images, ramp = config.ema.half_life, config.ema.ramp
  if images is not None:
    scheduled = 'ema.half_life' in changing
    own = (lambda step: at(step).ema.half_life) if scheduled else images
    return averages.half_life(own, ramp, schedules.rows(config), seen)
  if 'ema_decay' in changing:
    return lambda step: at(step).ema_decay
  return config.ema_decay


def _lazy(config):
  """Returns whether lazy penalties have updates of their own."""
  return config.update_rule == lazy.lazy_regularization.__name__


def _intervals(config):
  """Returns the `Pair` of intervals of such updates, 0 for none."""
  if not _lazy(config):
    return Pair(0, 0)
  return Pair(*map(regularizers.interval, _pair(config.regularizers)))


def _named_loss(config):
  return choose('loss', loss_names(), config.loss)


def _loss(config):
  smoothing = config.label_smoothing
  if 'relativistic' in config.loss and not certainly(smoothing, 0):
    raise ValueError(
      f'The loss {config.loss!r} compares reals with fakes and has no label to '
      f'smooth, but label_smoothing is {smoothing}; set it to 0.'
    )
  return losses.label_smoothing(_named_loss(config), smoothing)


def _pair(section):
  return Pair(section.generator, section.discriminator)


def _remaining(step, steps):
  """Returns the share of `steps` that remains at a step, from 1 down to 0."""
  return jnp.clip(1 - step / steps, 0.0, 1.0)
