"""From a config to a training run over its data, on the devices at hand."""

import contextlib
import functools
import math
import operator

import jax

from ganjax import growth, steps
from ganjax.config import games
from ganjax.data import images, loaders, order
from ganjax.lookup import choose
from ganjax.training import compilation, dispatch, loop

_COUNTS = (
  'images',
  'batch_size',
  'critic_steps',
  'log.every',
  'samples.every',
  'checkpoint.every',
)


def phases(config, shape):
  """The training of a config as a tuple of `dispatch.Phase`.

  A stage of growth is two phases of one program: it fades in, and is held. Both
  begin with optimisers at their start.
  """
  made, first = [], 0
  for period in _periods(config, shape):
    own = _at_stage(config, period.stage)
    played = _objective(own, shape, period, first)
    step, sample = games.update_step(own, played), steps.sample(played)
    for number in (period.fade, period.hold):
      if number:
        made.append(
          dispatch.Phase(
            step=step,
            sample=sample,
            rows=_rows(own),
            steps=number,
            begin=_restart(own) if made else lambda state: state,
            preprocess=_preprocess(config),
            title=_title(period.stage),
          )
        )
    first += period.fade + period.hold
  return tuple(made)


def game(config, shape, step):
  """The `Game` of a config at a step, a number."""
  first = 0
  for period in _periods(config, shape):
    last = first + period.fade + period.hold
    if step <= last:
      break
    first = last
  return _objective(config, shape, period, first)(step)


def start(config, shape):
  """The function `() -> TrainState` of the state that a config begins in."""
  played, descents = (
    games.schedule(config, shape),
    games.optimizer_pair(config),
  )
  return lambda: steps.init(played, descents, jax.random.key(config.seed))


def _periods(config, shape):
  """The tuple of `growth.Period`; one, without a stage, where nothing grows."""
  if 'growth' not in config:
    return (growth.Period(None, 0, math.ceil(config.images / _rows(config))),)
  return growth.plan(
    first=growth.stage_of(config.growth.first or shape[0]),
    last=growth.stage_of(shape[0]),
    images=config.images,
    fade=config.growth.fade,
    hold=config.growth.hold,
    rows=lambda stage: _rows(_at_stage(config, stage)),
  )


def _at_stage(config, stage):
  """The config with the batch size and the learning rates of a stage."""
  if stage is None:
    return config
  own = config.copy_and_resolve_references()
  sizes = config.growth.batch_size or (config.batch_size,)
  rates = config.growth.rate
  with own.ignore_type():
    own.batch_size = sizes[min(stage, len(sizes) - 1)]
    for optimizer in own.optimizers.values():
      optimizer.learning_rate *= rates[min(stage, len(rates) - 1)]
  return own


def _rows(config):
  return config.batch_size * config.critic_steps


def _objective(config, shape, period, first):
  if period.stage is None:
    return games.schedule(config, shape)
  return games.schedule(
    config,
    shape,
    lambda step: {
      'stage': period.stage,
      'alpha': growth.alpha(step, first, period.fade),
    },
  )


def _restart(config):
  return functools.partial(steps.restart, games.optimizer_pair(config))


def _preprocess(config):
  if not config.data.mirror:
    return lambda pixels, key, first: images.scale(pixels)

  def preprocess(pixels, key, first):
    coins = order.coins(key, first, len(pixels))
    return images.scale(images.mirrored(pixels, coins))

  return preprocess


def _title(stage):
  return '' if stage is None else f'{growth.resolution(stage)} pixels'


def dataset(config):
  """The data set of a config, decoded; a few of its images where it streams."""
  if config.data.loader != 'stream':
    return images.load(**_source(config))
  name = f'{config.data.name}/{config.data.split}, streamed'
  with contextlib.closing(_stream(config)(jax.random.key(0), 0, 256)) as parts:
    return images.ImageSet(next(parts), None, name)


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
    return loaders.stream(
      **_source(config), key=key, first=first, number=number, rows=rows
    )

  return batches


def run(config, data, mesh):
  """The `loop.Run` of a config over a data set.

  Raises:
    ValueError: if a number makes no sense, or the devices cannot share a batch.
  """
  for name in _COUNTS:
    value = operator.attrgetter(name)(config)
    if value < 1:
      raise ValueError(f'{name} is {value}; it must be at least 1.')
  shape = data.images.shape[1:]
  planned = phases(config, shape)
  for phase in planned:
    if (size := phase.rows // config.critic_steps) % mesh.size:
      raise ValueError(
        f'A batch of {size} cannot be divided among {mesh.size} devices; set '
        f'batch_size to a multiple of {mesh.size}, or mesh.data to a number '
        'that divides it.'
      )
  params = jax.eval_shape(
    games.schedule(config, shape)(0).init, jax.random.key(0)
  )[0]
  fits = data.images.nbytes <= _memory() // 4
  built = {
    'device': lambda: dispatch.resident(data.images, mesh),
    'host': lambda: dispatch.hosted(
      functools.partial(loaders.batches, data), mesh
    ),
    'stream': lambda: dispatch.hosted(_stream(config), mesh),
  }
  built['auto'] = built['device' if fits else 'host']
  return loop.Run(
    phases=planned,
    loader=choose('loader', built, config.data.loader)(),
    mesh=mesh,
    together=config.steps_together or compilation.steps_together(params),
    reference=data.images[:: max(1, len(data.images) // 256)][:256],
    every=loop.Every(
      config.log.every, config.samples.every, config.checkpoint.every
    ),
  )


def _memory():
  """Bytes that a device may hold; 8 GiB where it does not say."""
  return (jax.local_devices()[0].memory_stats() or {}).get('bytes_limit', 2**33)
