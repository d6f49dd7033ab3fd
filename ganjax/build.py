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
  descents,
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
from ganjax.networks import dcgan, layers, mlp, stacked, toy
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
  'r1': lambda: lambda turn: regularizers.r1(turn.critic, turn.real),
  'r2': lambda: lambda turn: regularizers.r2(turn.critic, turn.fake),
  'wgan_gp': lambda **arguments: (
    lambda turn: regularizers.wgan_gp(
      turn.critic, turn.real, turn.fake, turn.key, **arguments
    )
  ),
  'dragan': lambda **arguments: (
    lambda turn: regularizers.dragan(
      turn.critic, turn.real, turn.key, **arguments
    )
  ),
  'jensen_shannon': lambda: (
    lambda turn: regularizers.jensen_shannon(turn.critic, turn.real, turn.fake)
  ),
  'mode_seeking': lambda: (
    lambda turn: regularizers.mode_seeking(turn.fake, turn.latents)
  ),
  'feature_matching': lambda: (
    lambda turn: regularizers.feature_matching(
      turn.features, turn.real, turn.fake
    )
  ),
  'lecam': lambda **arguments: game.Regularizer(
    lambda turn, memory: regularizers.lecam(
      turn.real_logits, turn.fake_logits, memory, **arguments
    ),
    regularizers.lecam_memory,
  ),
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

_rules = {
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

# What a discriminator may see of the whole batch, before its last layer.
_statistics = {
  'none': lambda **arguments: None,
  'stddev': lambda group, **others: functools.partial(
    layers.MinibatchStd, group or None
  ),
  'discrimination': lambda kernels, size, **others: functools.partial(
    layers.MinibatchDiscrimination, kernels, size
  ),
}


def _judging(section):
  """The arguments of a discriminator, its statistics as a module factory."""
  arguments = dict(section)
  statistics = dict(arguments.pop('statistics'))
  make = choose('statistics', _statistics, statistics.pop('name'))
  return arguments | {'statistics': make(**statistics)}


def _dcgan(config, shape, dtype):
  resolution, _, channels = shape
  return Pair(
    dcgan.generator(resolution, channels, dtype=dtype, **config.generator),
    dcgan.discriminator(
      resolution, channels, dtype=dtype, **_judging(config.discriminator)
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
      activation=mlp.leaky_relu,
      dtype=dtype,
      **_judging(config.discriminator),
    ),
  )


def _published(pair):
  """A pair as its paper has it: the generator's section is all of its own."""
  return lambda config, shape, dtype: pair(
    **config.generator, **_judging(config.discriminator)
  )


_networks = {
  'dcgan': _dcgan,
  'mlp': _mlp,
  'plain_toy': _published(toy.plain),
  'pacgan_toy': _published(toy.pacgan),
  'unrolled_toy': _published(toy.unrolled),
  'unrolled_demo_toy': _published(toy.unrolled_demo),
  'wgan_gp_toy': _published(toy.wgan_gp),
  'unrolled_stacked': _published(stacked.unrolled),
  'pacgan_stacked': _published(stacked.pacgan),
  'residual_stacked': _published(stacked.residual),
}

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


def networks(config, shape, step=0):
  """The `Pair` of networks of a config, for examples of a shape.

  Args:
    config: of an adversarial training.
    shape: of one example.
    step: at which the annealed remedies are taken; may be traced.
  """
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
  generator, discriminator = (
    remedies.spectral(network) if normalized else network
    for network, normalized in zip(
      pair,
      (config.spectral.generator, config.spectral.discriminator),
      strict=True,
    )
  )
  noise = config.instance_noise
  if config.pack > 1:
    discriminator = remedies.pack(discriminator, config.pack)
  if not _off(noise.std):
    std = _annealed(noise.std, 0.0, noise.steps, step)
    discriminator = remedies.instance_noise(discriminator, std)
  return Pair(generator, discriminator)


def _annealed(start, end, over, step):
  """From start to end, on a line, over so many steps; 0 stays at the start."""
  share = jnp.clip(step / over, 0.0, 1.0) if over else 0.0
  return start + share * (end - start)


def penalties(section):
  """Regularisers by name: weights are factors of the papers' bare terms.

  A penalty whose weight is the number 0 is left out, for its second
  derivatives cost most of a step; one whose weight is traced stays.
  """
  built = {}
  for name, arguments in section.items():
    arguments = dict(arguments)
    weight, every = arguments.pop('weight'), arguments.pop('every')
    term = choose('regularizer', _regularizers, name)(**arguments)
    if _off(weight):
      continue
    if not isinstance(term, game.Regularizer):
      term = game.stateless(term)
    built[name] = _weighted(term, weight)
    if every > 1:
      built[name] = game.lazily(built[name], every)
  return built


def _weighted(term, weight):
  def apply(turn, memory):
    values, memory = term.apply(turn, memory)
    return weight * values, memory

  return term._replace(apply=apply)


def _off(number):
  return isinstance(number, float | int) and number == 0


def objective(config, shape):
  """The game of a config, for examples of a shape: a function `step -> Game`.

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

  def at(step):
    top = config.top_k
    selected = loss
    if not (isinstance(top.share, float) and top.share == 1):
      share = (
        _annealed(1.0, top.share, top.steps, step) if top.steps else (top.share)
      )
      selected = losses.top_k(loss, share)
    played = game.gan(*networks(config, shape, step), selected, draw, terms)
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
    built[1] = descents.clipped(built[1], config.clip)
  if config.lookahead.every:
    every, rate = config.lookahead.every, config.lookahead.rate
    moves = (every, every * config.critic_steps)
    built = [
      descents.lookahead(optimizer, number, rate)
      for optimizer, number in zip(built, moves, strict=True)
    ]
  return Pair(*built)


def rule(config, played):
  """The step of a config's update rule, for a `Game` or `step -> Game`."""
  return choose('rule', _rules, config.rule)(config)(
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
        f'The rule {config.rule!r} moves both players once a step; it takes no '
        f'{name} ({config[name]}). Leave it at {usual[name]}, or use '
        'alternating.'
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
  params = jax.eval_shape(objective(config, shape)(0).init, jax.random.key(0))[
    0
  ]
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
