"""How many images the loaders bring to steps that compute next to nothing."""

import functools
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp

from configs import dcgan
from experiments.benchmark import rounds
from experiments.benchmark.accelerator import dispatches
from ganjax import parallel
from ganjax.config import datasets
from ganjax.training import dispatch


class State(NamedTuple):
  """What a step carries: its number, the key of the run, and a sum."""

  step: jax.Array
  key: jax.Array
  total: jax.Array


def measured(task):
  """Returns the row of the loaders `device`, `host` and `stream`."""
  batch = 8 if task.tiny else 256
  makers = {
    loader: functools.partial(side, task.data_dir, batch, 32, loader)
    for loader in ('device', 'host', 'stream')
  }
  return rounds.compare(task, makers, batch)


def _config(folder, resolution, loader):
  """Returns the config of the images: of TFDS if they are MNIST's."""
  config = dcgan.get_config()
  with config.unlocked():
    name = 'mnist' if (pathlib.Path(folder) / 'mnist').is_dir() else 'folder'
    config.data.update(name=name, dir=folder)
    config.data.update(resolution=resolution, loader=loader)
  return config


def side(folder, batch, resolution, loader, processes=0):
  """Returns the `Side` of steps that sum the images of a loader.

  Args:
    folder: of pictures, or of TFDS with MNIST.
    batch: images in a step.
    resolution: in pixels.
    loader: 'device', 'host' or 'stream'.
    processes: that decode what is streamed; 0: threads of this one do.
  """
  config = _config(folder, resolution, loader)
  data = datasets.dataset(config)

  def step(state, batch):
    total = state.total + jnp.mean(batch.images)
    return state._replace(step=state.step + 1, total=total), {'total': total}

  phase = dispatch.Phase(
    step,
    sample=lambda state, number: (),
    rows=batch,
    steps=2**30,
    preprocess=datasets.preprocess(config),
  )
  state = State(jnp.int32(0), jax.random.key(0), jnp.float32(0))
  own = datasets.loader(config, data, parallel.mesh(1), processes)
  return dispatches.side(phase, state, own, 8)
