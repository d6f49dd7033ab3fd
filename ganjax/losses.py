"""Adversarial losses: `Pair`s of functions of logits, for each example.

Each player's function takes the logits of reals and of fakes, both `[N]`, and
returns `[N]`; the game takes the mean. Logits are the discriminator's output
before any sigmoid. A config can choose every `Pair` here by its name.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus

from ganjax.arrays import Scalar
from ganjax.players import Pair

Loss = Callable[[jax.Array, jax.Array], jax.Array]
"""A player's function of the logits, `(real [N], fake [N]) -> [N]`."""


def _cross_entropy(real, fake):
  return softplus(-real) + softplus(fake)


minimax = Pair(lambda real, fake: -softplus(fake), _cross_entropy)
"""The zero-sum game: one player minimises what the other maximises.

Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661,
equation 1. The generator's gradient vanishes while the discriminator wins. Its
value here is that of the fakes alone: the term of the reals has no gradient in
its parameters, unless the discriminator is unrolled, where `updates.unrolled`
adds it.
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
"""Squared distances of logits from targets: D's are 0 and 1, and G's is 1.

Mao et al., "Least Squares Generative Adversarial Networks", 2017,
arXiv:1611.04076, equation 9.
"""

hinge = Pair(
  lambda real, fake: -fake,
  lambda real, fake: relu(1 - real) + relu(1 + fake),
)
"""The hinge loss of spectrally normalised and self-attention GANs.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
2018, arXiv:1802.05957, equations 16 and 17.
"""

wasserstein = Pair(lambda real, fake: -fake, lambda real, fake: fake - real)
"""The earth mover's distance, if something bounds the critic's gradient.

Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875,
algorithm 1.
"""

relativistic = Pair(
  lambda real, fake: softplus(real - fake),
  lambda real, fake: softplus(fake - real),
)
"""Compares the logit of each real with that of the fake at the same index.

Jolicoeur-Martineau, "The relativistic discriminator: a key element missing
from standard GAN", 2018, arXiv:1807.00734, equations 11 and 12.
"""


def _against_average(real, fake):
  return softplus(fake.mean() - real) + softplus(fake - real.mean())


relativistic_average = Pair(
  lambda real, fake: _against_average(fake, real),
  _against_average,
)
"""Compares the logit of each example with the mean over the other class.

Jolicoeur-Martineau, "The relativistic discriminator: a key element missing
from standard GAN", 2018, arXiv:1807.00734, equations 13 and 14. The classes are
real and fake, and the mean is that of the batch that the function is given.
"""


def _hinge_against_average(real, fake):
  return relu(1 - (real - fake.mean())) + relu(1 + (fake - real.mean()))


relativistic_average_hinge = Pair(
  lambda real, fake: _hinge_against_average(fake, real),
  _hinge_against_average,
)
"""The hinge loss of the same comparison, for both players.

Jolicoeur-Martineau, "The relativistic discriminator: a key element missing
from standard GAN", 2018, arXiv:1807.00734, appendix; MSG-GAN's code uses it.
"""

features_only = Pair(lambda real, fake: jnp.zeros_like(fake), _cross_entropy)
"""A generator trained by its regularisers alone, for feature matching.

Salimans et al., "Improved Techniques for Training GANs", 2016,
arXiv:1606.03498, section 3.1.
"""


def zero_sum(loss: Pair[Loss]) -> bool:
  """Returns whether the generator's gradient is minus the discriminator's.

  The two are compared as functions of the fakes' logits, from -2 to 2; the
  generator's value may leave out what depends on the reals alone.

  Args:
    loss: any `Pair`, whose numbers are not traced.
  """
  with jax.ensure_compile_time_eval():
    fake = jnp.linspace(-2.0, 2.0, 9)
    real = jnp.zeros_like(fake)
    generator, discriminator = (
      jax.grad(lambda fake, own=own: own(real, fake).sum())(fake)
      for own in loss
    )
    return bool(jnp.allclose(generator, -discriminator, atol=1e-6))


def top_k(loss: Pair[Loss], share: Scalar) -> Pair[Loss]:
  """Returns the loss whose generator learns from its best fakes only.

  Sinha et al., "Top-k Training of GANs: Improving GAN Performance by Throwing
  Away Bad Samples", 2020, arXiv:2002.06224. The k fakes with the largest logits
  have the weight N / k and the others 0, so that the mean over the batch is the
  mean over the k. To anneal it, let a schedule `step -> Game` compute `share`.

  Args:
    loss: any `Pair`, whose discriminator's part is left as it is.
    share: k / N, in (0, 1]; may be traced. k is rounded, and at least 1.
  """

  def generator(real, fake):
    number = jnp.clip(jnp.round(share * fake.size), 1, fake.size)
    rank = jnp.argsort(jnp.argsort(-fake))
    weights = jnp.where(rank < number, fake.size / number, 0)
    return weights * loss.generator(real, fake)

  return loss._replace(generator=generator)


def label_smoothing(loss: Pair[Loss], amount: Scalar) -> Pair[Loss]:
  """Returns the loss with one-sided label smoothing.

  Salimans et al., "Improved Techniques for Training GANs", 2016,
  arXiv:1606.03498, section 3.4: a share `amount` of each real's label is that
  of a fake. With D's loss a(real) + b(fake), the reals contribute
  (1 - amount) a + amount b, up to a constant. The relativistic losses, which
  compare reals with fakes, are no such sum and cannot be smoothed so.

  Args:
    loss: a `Pair` whose discriminator's part is a sum over reals and fakes; its
      generator's part is left as it is.
    amount: in [0, 1); may be traced. 0 leaves every gradient as it is.
  """

  def discriminator(real, fake):
    none = jnp.zeros_like(real)
    relabelled = loss.discriminator(none, real) - loss.discriminator(real, none)
    return loss.discriminator(real, fake) + amount * relabelled

  return loss._replace(discriminator=discriminator)
