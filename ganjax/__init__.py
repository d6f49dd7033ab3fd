"""Generative adversarial networks as pure functions: `import ganjax as gx`.

The vocabulary of a notebook. What trains on a host (`train`, `population`,
`checkpoint`) and what reads configs (`blueprint`, `build`, `laboratory`) is
imported by name where it is wanted.
"""

from ganjax import (
  descents,
  dirac,
  dynamics,
  losses,
  parallel,
  pictures,
  priors,
  regularizers,
  remedies,
  steps,
)
from ganjax.data import images, order, roads, toy
from ganjax.game import Game, Regularizer, Turn, gan, lazily, stateless
from ganjax.metrics import coverage, diversity, frechet, modes, support
from ganjax.networks import dcgan, features, layers, linen, mlp
from ganjax.players import Discriminator, Generator, Pair

__all__ = [
  'Discriminator',
  'Game',
  'Generator',
  'Pair',
  'Regularizer',
  'Turn',
  'coverage',
  'dcgan',
  'descents',
  'dirac',
  'diversity',
  'dynamics',
  'features',
  'frechet',
  'gan',
  'images',
  'layers',
  'lazily',
  'linen',
  'losses',
  'mlp',
  'modes',
  'order',
  'parallel',
  'pictures',
  'priors',
  'regularizers',
  'remedies',
  'roads',
  'stateless',
  'steps',
  'support',
  'toy',
]
