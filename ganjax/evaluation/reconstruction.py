"""Reconstruction: how near a generator comes to images that it did not make.

An image that a generator cannot make shows what it has not learned, also where
no sample looks wrong. Metz et al., "Unrolled Generative Adversarial Networks",
2017, arXiv:1611.02163, section 3.4.1; `ganjax.inversion` has more.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from ganjax import inversion, latent_spaces
from ganjax.data import images

METHOD = inversion.Method(steps=100, draws=1000, restarts=1)
"""How the measure searches: 100 steps of Adam from the best of 1,000 draws."""

IMAGES = 100
"""How many images the measure takes at most."""


class Reconstructions(NamedTuple):
  """How near a generator came to images.

  Attributes:
    errors: mean squared error of each image, in units of [0, 1], `[M]`.
    labels: int32 `[M]`, the classes of the images; None where they have none.
    settings: a dict of JSON values: the data that the images are of, and how
      latents were searched for.
  """

  errors: np.ndarray
  labels: np.ndarray | None
  settings: dict


def reconstructor(generate, prior, side) -> Callable:
  """Returns `(given, held_out, classes, seed) -> Reconstructions`.

  `held_out` is an `images.ImageSet`, and `classes` their number in conditional
  runs, where latents are searched for in each image's own class, or else 0. It
  compiles once.

  Args:
    generate: as in `latent_spaces.latents`.
    prior: as there.
    side: as there.
  """
  invert = inversion.inverter(
    latent_spaces.latents(generate, prior, side), METHOD
  )

  def reconstruct(given, held_out, classes, seed):
    labels = held_out.labels if classes else None
    own = images.scale(held_out.images)
    found = invert(jax.random.key(seed), given, own, labels, classes)
    settings = {'of': held_out.name}
    for name in 'draws', 'restarts', 'steps', 'learning_rate':
      settings[name] = getattr(METHOD, name)
    return Reconstructions(found.error, held_out.labels, settings)

  return reconstruct
