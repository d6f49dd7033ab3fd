"""Adversarial losses: a `Pair` of functions of logits, per example.

Each player's function takes the logits of reals and of fakes, both `[N]`, and
returns `[N]`; the mean is taken once, in the game. Logits are the
discriminator's output before any sigmoid.
"""

import jax.numpy as jnp
from jax.nn import relu, softplus

from ganjax.players import Pair


def _cross_entropy(real, fake):
  return softplus(-real) + softplus(fake)


minimax = Pair(lambda real, fake: -softplus(fake), _cross_entropy)
"""The zero-sum game: both players move the same value, in opposite directions.

Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661,
equation 1. Its generator saturates while the discriminator wins.
"""

non_saturating = Pair(lambda real, fake: softplus(-fake), _cross_entropy)
"""The generator maximises log D(G(z)) instead of minimising log(1 - D(G(z))).

Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661,
section 3.
"""

least_squares = Pair(
  lambda real, fake: (fake - 1) ** 2 / 2,
  lambda real, fake: ((real - 1) ** 2 + fake**2) / 2,
)
"""Squares instead of cross-entropy, on logits, with the targets 0, 1 and 1.

Mao et al., "Least Squares Generative Adversarial Networks", 2017,
arXiv:1611.04076, equation 9.
"""

hinge = Pair(
  lambda real, fake: -fake,
  lambda real, fake: relu(1 - real) + relu(1 + fake),
)
"""The margin loss of spectrally normalised and self-attention GANs.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
2018, arXiv:1802.05957, equations 16 and 17.
"""

wasserstein = Pair(lambda real, fake: -fake, lambda real, fake: fake - real)
"""The earth mover's distance, if something bounds the critic's slope.

Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875,
algorithm 1.
"""

relativistic = Pair(
  lambda real, fake: softplus(real - fake),
  lambda real, fake: softplus(fake - real),
)
"""The logits of each real are compared with those of the fake at its index.

Jolicoeur-Martineau, "The relativistic discriminator: a key element missing
from standard GAN", 2018, arXiv:1807.00734, equations 11 and 12.
"""


def _against_average(real, fake):
  return softplus(fake.mean() - real) + softplus(fake - real.mean())


relativistic_average = Pair(
  lambda real, fake: _against_average(fake, real),
  _against_average,
)
"""The logits of each example are compared with the mean of the other kind's.

Jolicoeur-Martineau, "The relativistic discriminator: a key element missing
from standard GAN", 2018, arXiv:1807.00734, equations 13 and 14. The mean is
that of the batch which the function is given.
"""


def _hinge_against_average(real, fake):
  return relu(1 - (real - fake.mean())) + relu(1 + (fake - real.mean()))


relativistic_average_hinge = Pair(
  lambda real, fake: _hinge_against_average(fake, real),
  _hinge_against_average,
)
"""The margin loss of the same comparison, for both players.

Jolicoeur-Martineau, "The relativistic discriminator: a key element missing
from standard GAN", 2018, arXiv:1807.00734, appendix; MSG-GAN's code has it.
"""

features_only = Pair(lambda real, fake: jnp.zeros_like(fake), _cross_entropy)
"""The generator is left to its regularisers, as feature matching has it.

Salimans et al., "Improved Techniques for Training GANs", 2016,
arXiv:1606.03498, section 3.1.
"""


def top_k(loss, share):
  """The loss whose generator learns from its most convincing fakes only.

  Sinha et al., "Top-k Training of GANs: Improving GAN Performance by Throwing
  Away Bad Samples", 2020, arXiv:2002.06224. The k fakes with the largest logits
  have the weight N / k and the others 0, so that the mean over the batch is the
  mean over the k. To anneal it, let a schedule
  `step -> Game` compute `share`.

  Args:
    loss: any `Pair`.
    share: k / N, in (0, 1]; may be traced. k is rounded, and at least 1.

  Returns:
    A `Pair`; the discriminator's part is unchanged.
  """

  def generator(real, fake):
    number = jnp.clip(jnp.round(share * fake.size), 1, fake.size)
    rank = jnp.argsort(jnp.argsort(-fake))
    weights = jnp.where(rank < number, fake.size / number, 0)
    return weights * loss.generator(real, fake)

  return loss._replace(generator=generator)


def label_smoothing(loss, amount):
  """The loss with a share `amount` of the reals labelled as fakes: one-sided.

  Salimans et al., "Improved Techniques for Training GANs", 2016,
  arXiv:1606.03498, section 3.4. With D's loss a(real) + b(fake), the reals
  contribute (1 - amount) a + amount b, up to a constant. The losses that
  compare reals with fakes (the relativistic ones) have no such sum, and no
  one-sided smoothing.

  Args:
    loss: a `Pair` whose discriminator's part is a sum over reals and fakes.
    amount: in [0, 1); may be traced. 0 leaves every gradient as it is.

  Returns:
    A `Pair`; the generator's part is unchanged.
  """

  def discriminator(real, fake):
    none = jnp.zeros_like(real)
    relabelled = loss.discriminator(none, real) - loss.discriminator(real, none)
    return loss.discriminator(real, fake) + amount * relabelled

  return loss._replace(discriminator=discriminator)
