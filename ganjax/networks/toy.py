"""The published players of points in the plane, as their sources give them.

Each function returns a `Pair` of a `Generator` and a `Discriminator`. Which
mode collapse a toy shows hangs on these details (a wider discriminator than
that of the unrolled GAN does not collapse at all), so they are named after
their papers, and their defaults are the papers'.
"""

import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import layers, linen, mlp
from ganjax.players import Pair


class PacGANGenerator(nn.Module):
  """Latents `[N, Z]` -> points `[N, 2]`, each layer normalised, then ReLU."""

  width: int
  depth: int

  @nn.compact
  def __call__(self, latents, train):
    """Points of the latents."""
    kernel_init, hidden = layers.normal(0.02), latents
    for _ in range(self.depth):
      hidden = nn.Dense(self.width, use_bias=False, kernel_init=kernel_init)(
        hidden
      )
      # Its running statistics take a twentieth of each batch's.
      hidden = layers.BatchNorm(momentum=0.95, epsilon=1e-4)(hidden, train)
      hidden = nn.relu(hidden)
    return nn.Dense(2, kernel_init=kernel_init)(hidden).astype(jnp.float32)


def pacgan(width=400, units=200, pieces=5, statistics=None):
  """The players of PacGAN's ring and grid: 484,802 and 405,201 parameters.

  Lin et al., "PacGAN: The power of two samples in generative adversarial
  networks", 2018, arXiv:1712.04086, and its authors' code: four normalised
  layers without a bias against three maxout layers; weights are N(0, .02^2).

  Args:
    width: of the generator's layers.
    units: of the discriminator's layers.
    pieces: of each unit.
    statistics: as in `mlp.discriminator`.
  """
  return Pair(
    linen.generator(PacGANGenerator(width, depth=4)),
    mlp.discriminator(
      3 * (units * pieces,),
      mlp.maxout(pieces),
      statistics=statistics,
      kernel_init=layers.normal(0.02),
    ),
  )


def unrolled(width=128, gain=0.8, scale=0.25, statistics=None):
  """The players of the unrolled GAN's ring: the discriminator is the weak one.

  Metz et al., "Unrolled Generative Adversarial Networks", 2017,
  arXiv:1611.02163, appendix A: two hidden layers against one, which sees the
  points divided by 4; kernels are orthogonal.

  Args:
    width: of all hidden layers.
    gain: of the orthogonal kernels.
    scale: what the discriminator multiplies the points by.
    statistics: as in `mlp.discriminator`.
  """
  kernel_init = nn.initializers.orthogonal(gain)
  return Pair(
    mlp.generator((2,), (width, width), kernel_init=kernel_init),
    mlp.discriminator(
      (width,), scale=scale, statistics=statistics, kernel_init=kernel_init
    ),
  )


def unrolled_demo(width=128, gain=1.4, statistics=None):
  """The players of the unrolled GAN's notebook, which its paper does not use.

  Two hidden layers of tanh on both sides; the discriminator is no longer weak,
  and the plain GAN does not collapse.

  Args:
    width: of all hidden layers.
    gain: of the orthogonal kernels.
    statistics: as in `mlp.discriminator`.
  """
  kernel_init, widths = nn.initializers.orthogonal(gain), (width, width)
  return Pair(
    mlp.generator((2,), widths, nn.tanh, kernel_init=kernel_init),
    mlp.discriminator(
      widths, nn.tanh, statistics=statistics, kernel_init=kernel_init
    ),
  )


def wgan_gp(width=512, statistics=None):
  """The players of the toys of improved WGAN training: three layers of ReLU.

  Gulrajani et al., "Improved Training of Wasserstein GANs", 2017,
  arXiv:1704.00028, figure 1, and its authors' code; He initialisation.

  Args:
    width: of all hidden layers.
    statistics: as in `mlp.discriminator`.
  """
  kernel_init, widths = nn.initializers.he_uniform(), 3 * (width,)
  return Pair(
    mlp.generator((2,), widths, kernel_init=kernel_init),
    mlp.discriminator(widths, statistics=statistics, kernel_init=kernel_init),
  )


def plain(widths=(128, 128), statistics=None):
  """Players of equal strength, of no paper: layers of ReLU on both sides.

  Args:
    widths: of the hidden layers.
    statistics: as in `mlp.discriminator`.
  """
  return Pair(
    mlp.generator((2,), widths),
    mlp.discriminator(widths, statistics=statistics),
  )
