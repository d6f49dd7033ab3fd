"""From a config to what it names: the one place where names become functions.

A config holds JSON values only. A section with a name chooses a function, the
rest of it are that function's arguments; a section of sections maps names to
arguments. Numbers may be traced (set them under `config.ignore_type()`), so a
population of configs that differ in numbers can be one program.
"""

import contextlib
import difflib
import functools
import math
import operator

import jax
import jax.numpy as jnp
import optax

from ganjax import (
  dispatch,
  game,
  losses,
  priors,
  regularizers,
  remedies,
  steps,
  train,
)
from ganjax.data import images, roads
from ganjax.networks import dcgan, layers, mlp
from ganjax.players import Pair

_losses = {
  name: loss for name, loss in vars(losses).items() if isinstance(loss, Pair)
}

_priors = {
  'normal': priors.normal,
  'uniform': priors.uniform,
  'sphere': priors.sphere,
}

_regularizers = {
  'r1': lambda turn: regularizers.r1(turn.critic, turn.real),
  'r2': lambda turn: regularizers.r2(turn.critic, turn.fake),
  'wgan_gp': lambda turn, **arguments: regularizers.wgan_gp(
    turn.critic, turn.real, turn.fake, turn.key, **arguments
  ),
  'dragan': lambda turn, **arguments: regularizers.dragan(
    turn.critic, turn.real, turn.key, **arguments
  ),
}

# b1 is the decay of the gradient's mean, b2 that of its square.
_optimizers = {
  'adam': optax.adam,
  'rmsprop': lambda learning_rate, b1, b2: optax.rmsprop(
    learning_rate, decay=b2, momentum=b1
  ),
  'sgd': lambda learning_rate, b1, b2: optax.sgd(learning_rate, momentum=b1),
}

_rules = {
  'alternating': lambda config: functools.partial(
    steps.alternating,
    critic_steps=config.critic_steps,
    skip_below=config.skip_below,
  ),
  'simultaneous': lambda config: _at_once(steps.simultaneous, config),
  'extragradient': lambda config: _at_once(steps.extragradient, config),
}

_COUNTS = (
  'images',
  'batch_size',
  'critic_steps',
  'log.every',
  'samples.every',
  'checkpoint.every',
)

_norms = {
  'none': None,
  'batch': functools.partial(layers.BatchNorm, momentum=0.8),
}


def _dcgan(config, shape, dtype):
  resolution, _, channels = shape
  return Pair(
    dcgan.generator(resolution, channels, dtype=dtype, **config.generator),
    dcgan.discriminator(
      resolution, channels, dtype=dtype, **config.discriminator
    ),
  )


def _mlp(config, shape, dtype):
  arguments = dict(config.generator)
  norm = choose('norm', _norms, arguments.pop('norm'))
  return Pair(
    mlp.generator(
      shape,
      activation=mlp.leaky_relu,
      output=jnp.tanh,
      norm=norm,
      dtype=dtype,
      **arguments,
    ),
    mlp.discriminator(
      activation=mlp.leaky_relu, dtype=dtype, **config.discriminator
    ),
  )


_networks = {'dcgan': _dcgan, 'mlp': _mlp}

_dtypes = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}


def choose(kind, table, name):
  """The table's entry of that name.

  Args:
    kind: what the table holds, in the singular, for the message.
    table: from names to anything.
    name: which one.

  Raises:
    ValueError: if there is none, with the nearest name and all of them.
  """
  if name in table:
    return table[name]
  near = difflib.get_close_matches(name, table, 1)
  hint = ''.join(f' did you mean {other!r}?' for other in near)
  raise ValueError(
    f'There is no {kind} {name!r};{hint} choose from '
    f'{", ".join(sorted(table))}.'
  )


def networks(config, shape):
  """The `Pair` of networks of a config, for examples of a shape."""
  network = choose('network', _networks, config.network)
  dtype = choose('dtype', _dtypes, config.dtype)
  try:
    pair = network(config, shape, dtype)
  except (KeyError, TypeError) as error:
    raise ValueError(
      f'The network {config.network!r} takes other arguments than the sections '
      f'generator and discriminator of this config hold ({error}); start from '
      'a config that is made for it.'
    ) from error
  return Pair(
    *(
      remedies.spectral(network) if normalized else network
      for network, normalized in zip(
        pair,
        (config.spectral.generator, config.spectral.discriminator),
        strict=True,
      )
    )
  )


def penalties(section):
  """Regularisers by name: weights are factors of the papers' bare terms.

  A penalty whose weight is the number 0 is left out, for its second
  derivatives cost most of a step; one whose weight is traced stays.
  """
  built = {}
  for name, arguments in section.items():
    arguments = dict(arguments)
    weight, every = arguments.pop('weight'), arguments.pop('every')
    term = choose('regularizer', _regularizers, name)
    if _off(weight):
      continue
    built[name] = game.stateless(
      functools.partial(_weighted, term, weight, arguments)
    )
    if every > 1:
      built[name] = game.lazily(built[name], every)
  return built


def _off(number):
  return isinstance(number, float | int) and number == 0


def _weighted(term, weight, arguments, turn):
  return weight * term(turn, **arguments)


def objective(config, shape):
  """The `Game` of a config, for examples of a shape."""
  generator, discriminator = networks(config, shape)
  prior = dict(config.prior)
  loss = choose('loss', _losses, config.loss)
  smoothing = config.label_smoothing
  if 'relativistic' in config.loss and not _off(smoothing):
    raise ValueError(
      f'The loss {config.loss!r} compares reals with fakes and has no label to '
      f'smooth, but label_smoothing is {smoothing}; set it to 0.'
    )
  return game.gan(
    generator,
    discriminator,
    losses.label_smoothing(loss, smoothing),
    choose('prior', _priors, prior.pop('name'))(**prior),
    Pair(
      penalties(config.regularizers.generator),
      penalties(config.regularizers.discriminator),
    ),
  )


def optimizers(config):
  """The `Pair` of optax transformations of a config: a rate for each player."""
  pair = (config.optimizers.generator, config.optimizers.discriminator)
  sections = [dict(section) for section in pair]
  return Pair(
    *(
      choose('optimizer', _optimizers, section.pop('name'))(**section)
      for section in sections
    )
  )


def rule(config, played):
  """The step of a config's update rule, for a `Game` or `step -> Game`."""
  return choose('rule', _rules, config.rule)(config)(
    played, optimizers(config), ema_decay=config.ema_decay
  )


def _at_once(rule, config):
  if config.critic_steps != 1 or config.skip_below is not None:
    raise ValueError(
      f'The rule {config.rule!r} moves both players once a step; it takes no '
      f'critic_steps ({config.critic_steps}) and no skip_below '
      f'({config.skip_below}). Leave them at 1 and None, or use alternating.'
    )
  return rule


def phases(config, shape):
  """The training of a config as a tuple of `dispatch.Phase`."""
  played = objective(config, shape)
  rows = config.batch_size * config.critic_steps
  return (
    dispatch.Phase(
      step=rule(config, played),
      view=steps.view(played),
      rows=rows,
      steps=math.ceil(config.images / rows),
    ),
  )


def start(config, shape):
  """The function `() -> TrainState` of the state that a config begins in."""
  played, descents = objective(config, shape), optimizers(config)
  return lambda: steps.init(played, descents, jax.random.key(config.seed))


def dataset(config):
  """The data set of a config, decoded; a few of its images where it streams."""
  if config.data.road != 'stream':
    return images.load(**_source(config))
  name = f'{config.data.name}/{config.data.split}, streamed'
  with contextlib.closing(_stream(config)(jax.random.key(0), 0, 256)) as parts:
    return images.Dataset(next(parts), None, name)


def _source(config):
  data = config.data
  return {
    'name': data.name,
    'directory': data.dir or None,
    'split': data.split,
    'resolution': data.resolution,
    'channels': data.channels,
    'crop': data.crop,
  }


def _stream(config):
  def batches(key, first, number, rows=slice(None)):
    return roads.stream(
      **_source(config), key=key, first=first, number=number, rows=rows
    )

  return batches


def run(config, data, mesh):
  """The `train.Run` of a config over a data set.

  Raises:
    ValueError: if a number makes no sense, or the devices cannot share a batch.
  """
  for name in _COUNTS:
    value = operator.attrgetter(name)(config)
    if value < 1:
      raise ValueError(f'{name} is {value}; it must be at least 1.')
  if config.batch_size % mesh.size:
    raise ValueError(
      f'A batch of {config.batch_size} cannot be divided among {mesh.size} '
      f'devices; set batch_size to a multiple of {mesh.size}, or mesh.data to '
      'a number that divides it.'
    )
  shape = data.images.shape[1:]
  params = jax.eval_shape(objective(config, shape).init, jax.random.key(0))[0]
  fits = data.images.nbytes <= _memory() // 4
  built = {
    'device': lambda: dispatch.resident(data.images, mesh),
    'host': lambda: dispatch.hosted(
      functools.partial(roads.batches, data), mesh
    ),
    'stream': lambda: dispatch.hosted(_stream(config), mesh),
  }
  built['auto'] = built['device' if fits else 'host']
  return train.Run(
    phases=phases(config, shape),
    road=choose('road', built, config.data.road)(),
    mesh=mesh,
    together=config.steps_together or dispatch.steps_together(params),
    reference=data.images[:: max(1, len(data.images) // 256)][:256],
    every=train.Every(
      config.log.every, config.samples.every, config.checkpoint.every
    ),
  )


def _memory():
  """Bytes that a device may hold; 8 GiB where it does not say."""
  return (jax.local_devices()[0].memory_stats() or {}).get('bytes_limit', 2**33)
