"""Generative adversarial networks as pure functions: `import ganjax as gx`.

The vocabulary of a notebook. What trains on a host (`train`, `checkpoint`) and
what reads configs (`build`) is imported by name where it is wanted.
"""

from ganjax import (
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
from ganjax.metrics import diversity, frechet
from ganjax.networks import dcgan, features, layers, linen, mlp
from ganjax.players import Discriminator, Generator, Pair

__all__ = [
  'Discriminator',
  'Game',
  'Generator',
  'Pair',
  'Regularizer',
  'Turn',
  'dcgan',
  'diversity',
  'features',
  'frechet',
  'gan',
  'images',
  'layers',
  'lazily',
  'linen',
  'losses',
  'mlp',
  'order',
  'parallel',
  'pictures',
  'priors',
  'regularizers',
  'remedies',
  'roads',
  'stateless',
  'steps',
  'toy',
]
