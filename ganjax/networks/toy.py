"""The networks of published experiments with points in the plane.

Each function returns a `Pair` of a `Generator` and a `Discriminator`, with the
defaults of its paper. How much a GAN collapses on such a toy depends on these
details: with a wider discriminator than that of the unrolled GAN's ring, it
does not collapse at all.
"""

import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import from_config, layers, linen, mlp
from ganjax.players import Pair


class PacGANGenerator(nn.Module):
  """Latents `[N, Z]` -> points `[N, 2]`, by normalised layers of ReLU."""

  width: int
  depth: int

  @nn.compact
  def __call__(self, latents, train):
    """Returns the points of the latents."""
    kernel_init, hidden = layers.normal(0.02), latents
    for _ in range(self.depth):
      hidden = nn.Dense(self.width, use_bias=False, kernel_init=kernel_init)(
        hidden
      )
      # Each batch has a weight of a twentieth in the running statistics.
      hidden = layers.BatchNorm(momentum=0.95, epsilon=1e-4)(hidden, train)
      hidden = nn.relu(hidden)
    return nn.Dense(2, kernel_init=kernel_init)(hidden).astype(jnp.float32)


def pacgan(width=400, units=200, pieces=5, statistics=None):
  """Returns PacGAN's networks of ring and grid.

  Lin et al., "PacGAN: The power of two samples in generative adversarial
  networks", 2018, arXiv:1712.04086, and its authors' code: four normalised
  layers without a bias in the generator, three maxout layers in the
  discriminator; weights are N(0, .02^2). They have 484,802 and 405,201
  parameters.

  Args:
    width: of the generator's layers.
    units: maxout units in each layer of the discriminator.
    pieces: linear pieces of each unit.
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
  """Returns the unrolled GAN's networks of its ring of Gaussians.

  Metz et al., "Unrolled Generative Adversarial Networks", 2017,
  arXiv:1611.02163, appendix A: two hidden layers in the generator and one in
  the discriminator, which is the weaker player and takes the points divided by
  4; kernels are orthogonal.

  Args:
    width: of all hidden layers.
    gain: of the orthogonal kernels.
    scale: a factor of the discriminator's inputs.
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
  """Returns the networks of the unrolled GAN's notebook, not of its paper.

  Both have two hidden layers of tanh. The discriminator is no longer weak, and
  the GAN without unrolling does not collapse.

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
  """Returns WGAN-GP's networks of points: three hidden layers of ReLU each.

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
  """Returns networks of equal strength, of no paper, with layers of ReLU.

  Args:
    widths: of the hidden layers of both.
    statistics: as in `mlp.discriminator`.
  """
  return Pair(
    mlp.generator((2,), widths),
    mlp.discriminator(widths, statistics=statistics),
  )


NETWORKS = {
  'toy_plain': from_config.published(plain),
  'toy_pacgan': from_config.published(pacgan),
  'toy_unrolled': from_config.published(unrolled),
  'toy_unrolled_demo': from_config.published(unrolled_demo),
  'toy_wgan_gp': from_config.published(wgan_gp),
}
