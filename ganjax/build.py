"""From a config to a training run over its data, on the devices at hand."""

import contextlib
import functools
import math
import operator

import jax

from ganjax import blueprint, dispatch, steps, train
from ganjax.data import images, roads

_COUNTS = (
  'images',
  'batch_size',
  'critic_steps',
  'log.every',
  'samples.every',
  'checkpoint.every',
)


def phases(config, shape):
  """The training of a config as a tuple of `dispatch.Phase`."""
  played = blueprint.objective(config, shape)
  rows = config.batch_size * config.critic_steps
  return (
    dispatch.Phase(
      step=blueprint.rule(config, played),
      view=steps.view(played),
      rows=rows,
      steps=math.ceil(config.images / rows),
    ),
  )


def start(config, shape):
  """The function `() -> TrainState` of the state that a config begins in."""
  played, descents = (
    blueprint.objective(config, shape),
    blueprint.optimizers(config),
  )
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
  params = jax.eval_shape(
    blueprint.objective(config, shape)(0).init, jax.random.key(0)
  )[0]
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
    road=blueprint.choose('road', built, config.data.road)(),
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
