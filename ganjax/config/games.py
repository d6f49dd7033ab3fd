"""From a config to the game that it describes: names become functions here.

A config holds JSON values only. A section with a name chooses a function, the
rest of it are that function's arguments; a section of sections maps names to
arguments. Numbers may be traced (set them under `config.ignore_type()`), so a
population of configs that differ in numbers can be one program.
"""

import functools
import inspect

import jax.numpy as jnp
import optax

from ganjax import game, losses, priors, regularizers, remedies, steps
from ganjax.config import networks
from ganjax.lookup import choose
from ganjax.optimizers import clipped, lookahead
from ganjax.players import Pair

_losses = {
  name: loss for name, loss in vars(losses).items() if isinstance(loss, Pair)
}

_priors = {
  'normal': priors.normal,
  'uniform': priors.uniform,
  'sphere': priors.sphere,
}

# b1 is the decay of the gradient's mean, b2 that of its square.
_optimizers = {
  # Unrolling differentiates the root of what may be 0.
  'adam': functools.partial(optax.adam, eps_root=1e-16),
  'optimistic_adam': functools.partial(
    optax.optimistic_adam_v2, nesterov=False
  ),
  'rmsprop': lambda learning_rate, b1, b2: optax.rmsprop(
    learning_rate, decay=b2, momentum=b1
  ),
  'sgd': lambda learning_rate, b1, b2: optax.sgd(learning_rate, momentum=b1),
}

_update_rules = {
  'alternating': lambda config: functools.partial(
    steps.alternating,
    critic_steps=config.critic_steps,
    generator_steps=config.generator_steps,
    skip_below=config.skip_below,
    unroll=config.unroll,
  ),
  'simultaneous': lambda config: functools.partial(
    _at_once(steps.simultaneous, config), unroll=config.unroll
  ),
  'extragradient': lambda config: _at_once(
    steps.extragradient, config, 'unroll'
  ),
}


def _remaining(step, over):
  """What is left of a way of so many steps, from 1 down to 0."""
  return jnp.clip(1 - step / over, 0.0, 1.0)


def penalties(section):
  """Regularisers by name: weights are factors of the papers' bare terms.

  Every public function of `ganjax.regularizers` is a name: what a `Turn` has
  goes to the arguments of these names, the config gives the others. One that
  takes a `memory` returns it too, and begins with that of `<name>_memory()`.

  A penalty whose weight is the number 0 is left out, for its second
  derivatives cost most of a step; one whose weight is traced stays.
  """
  built = {}
  for name, arguments in section.items():
    arguments = dict(arguments)
    weight, every = arguments.pop('weight'), arguments.pop('every')
    term = _regularizer(name, arguments)
    if _off(weight):
      continue
    built[name] = _weighted(term, weight)
    if every > 1:
      built[name] = game.lazily(built[name], every)
  return built


def _regularizers():
  return {
    name: entry
    for name, entry in vars(regularizers).items()
    if callable(entry) and name[0] != '_' and not name.endswith('_memory')
  }


def _regularizer(name, arguments):
  function = choose('regularizer', _regularizers(), name)
  wanted = inspect.signature(function).parameters
  if unknown := set(arguments) - set(wanted):
    raise ValueError(
      f'The regularizer {name!r} takes no {", ".join(sorted(unknown))}; it '
      f'takes {", ".join(wanted)}.'
    )
  seen = set(wanted) & set(game.Turn._fields)

  def values(turn, **memory):
    given = {field: getattr(turn, field) for field in seen}
    return function(**given, **arguments, **memory)

  if 'memory' not in wanted:
    return game.stateless(values)
  return game.Regularizer(
    lambda turn, memory: values(turn, memory=memory),
    getattr(regularizers, f'{name}_memory'),
  )


def _weighted(term, weight):
  def apply(turn, memory):
    values, memory = term.apply(turn, memory)
    return weight * values, memory

  return term._replace(apply=apply)


def _is(number, value):
  """Whether a number is known to be that; one that is traced is not."""
  return isinstance(number, float | int) and number == value


def _off(number):
  return _is(number, 0)


def numbered(config, numbers):
  """A copy of the config with `{field: number}`, which may be traced."""
  own = config.copy_and_resolve_references()
  with own.ignore_type():
    own.update_from_flattened_dict(dict(numbers))
  return own


def objective(config, shape, grown=lambda step: {}):
  """The game of a config, for examples of a shape: a function `step -> Game`.

  Args:
    config: the config.
    shape: of an example, as the data have it.
    grown: `step -> dict` of what networks that grow are to be at a step.

  Raises:
    ValueError: if the config names what there is not, or what does not fit.
  """
  prior = dict(config.prior)
  draw = choose('prior', _priors, prior.pop('name'))(**prior)
  loss = choose('loss', _losses, config.loss)
  smoothing = config.label_smoothing
  if 'relativistic' in config.loss and not _off(smoothing):
    raise ValueError(
      f'The loss {config.loss!r} compares reals with fakes and has no label to '
      f'smooth, but label_smoothing is {smoothing}; set it to 0.'
    )
  loss = losses.label_smoothing(loss, smoothing)
  terms = Pair(
    penalties(config.regularizers.generator),
    penalties(config.regularizers.discriminator),
  )

  noise, top = config.instance_noise, config.top_k
  networks.networks(config, shape)  # Raises here, not at a first step.

  def at(step):
    generator, discriminator = networks.networks(config, shape, **grown(step))
    selected = loss
    if not _off(noise.std):
      left = _remaining(step, noise.steps) if noise.steps else 1.0
      discriminator = remedies.instance_noise(discriminator, noise.std * left)
    if not _is(top.share, 1):
      left = _remaining(step, top.steps) if top.steps else 0.0
      selected = losses.top_k(loss, top.share + (1 - top.share) * left)
    played = game.gan(generator, discriminator, selected, draw, terms)
    if not _off(config.consensus):
      played = remedies.consensus(played, config.consensus)
    if not _off(config.historical_averaging):
      weight = config.historical_averaging
      played = remedies.historical_averaging(played, weight)
    return played

  return at


def optimizers(config):
  """The `Pair` of optax transformations of a config: a rate for each player."""
  pair = (config.optimizers.generator, config.optimizers.discriminator)
  sections = [dict(section) for section in pair]
  built = [
    choose('optimizer', _optimizers, section.pop('name'))(**section)
    for section in sections
  ]
  if not _off(config.clip):
    built[1] = clipped(built[1], config.clip)
  if config.lookahead.every:
    every, rate = config.lookahead.every, config.lookahead.rate
    moves = (every, every * config.critic_steps)
    built = [
      lookahead(optimizer, number, rate)
      for optimizer, number in zip(built, moves, strict=True)
    ]
  return Pair(*built)


def update_rule(config, played):
  """The step of a config's update rule, for a `Game` or `step -> Game`."""
  return choose('update rule', _update_rules, config.update_rule)(config)(
    played, optimizers(config), ema_decay=config.ema_decay
  )


def _at_once(rule, config, *more):
  usual = {
    'critic_steps': 1,
    'generator_steps': 1,
    'skip_below': None,
    'unroll': 0,
  }
  for name in ('critic_steps', 'generator_steps', 'skip_below', *more):
    if config[name] != usual[name]:
      raise ValueError(
        f'The update rule {config.update_rule!r} moves both players '
        f'once a step; it takes no {name} ({config[name]}). Leave it at '
        f'{usual[name]}, or use alternating.'
      )
  return rule
