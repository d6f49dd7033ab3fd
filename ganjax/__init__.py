"""Generative adversarial networks as pure functions: `import ganjax as gx`.

The vocabulary of a notebook. What trains on a host (`train`, `population`,
`checkpoint`) and what reads configs (`blueprint`, `build`, `laboratory`) is
imported by name where it is wanted.
"""

from ganjax import (
  descents,
  dirac,
  dynamics,
  growth,
  losses,
  parallel,
  pictures,
  priors,
  regularizers,
  remedies,
  steps,
)
from ganjax.data import images, order, roads, toy
from ganjax.game import (
  Game,
  Regularizer,
  Turn,
  gan,
  lazily,
  stateless,
  truncated,
)
from ganjax.metrics import (
  coverage,
  diversity,
  frechet,
  modes,
  support,
  wasserstein,
)
from ganjax.networks import (
  dcgan,
  equalized,
  features,
  layers,
  linen,
  mlp,
  msg,
  progressive,
  resample,
  stylegan,
)
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
  'equalized',
  'features',
  'frechet',
  'gan',
  'growth',
  'images',
  'layers',
  'lazily',
  'linen',
  'losses',
  'mlp',
  'modes',
  'msg',
  'order',
  'parallel',
  'pictures',
  'priors',
  'progressive',
  'regularizers',
  'remedies',
  'resample',
  'roads',
  'stateless',
  'steps',
  'stylegan',
  'support',
  'toy',
  'truncated',
  'wasserstein',
]
