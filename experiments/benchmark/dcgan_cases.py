"""Training steps of DCGAN to time, for programs with jax and without it."""

from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
  """A training step to time.

  Attributes:
    name: of the case.
    resolution: of the images, in pixels.
    channels: of the images.
    width: of both networks.
    penalty: the weight of R1, gamma / 2.
    steps: in a round.
    batch: images in a step.
    latents: size of the latents.
    adam: learning rate and b1 of both players.
    memory: whether peaks of memory are measured, too.
  """

  name: str
  resolution: int
  channels: int
  width: int
  penalty: float
  steps: int
  batch: int = 64
  latents: int = 100
  adam: tuple = (2e-4, 0.5)
  memory: bool = False


CASES = (
  Case('DCGAN-64, width 64', 64, 3, 64, 0.0, 1, memory=True),
  Case('DCGAN-32, width 32', 32, 1, 32, 0.0, 8),
  Case('DCGAN-32, width 32, R1', 32, 1, 32, 5.0, 5),
)


def batch(case):
  """Returns the images of every step of a case, `[N, H, W, C]` in [-1, 1]."""
  shape = case.batch, case.resolution, case.resolution, case.channels
  return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
