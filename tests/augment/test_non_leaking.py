"""Augmentations that can be undone do not leak: a game of two classes.

Karras et al., "Training Generative Adversarial Networks with Limited Data",
2020, arXiv:2006.06676, section 2.2 and appendix C. The images are two pixels,
(1, -1) or (-1, 1), and are flipped with probability p / 2: the law of what is
seen is that of the images times [[1 - p / 2, p / 2], [p / 2, 1 - p / 2]], whose
eigenvalues are 1 and 1 - p.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import losses, priors, regularizers, remedies, steps
from ganjax.arrays import Batch
from ganjax.augment import affine, geometric, per_image
from ganjax.game import gan
from ganjax.players import Discriminator, Generator, Pair
from ganjax.turns import stateless

FLIPPED = per_image.augmentation(
  lambda image, key, p: affine.gathered(
    image, geometric.x_flip(key, p, *image.shape[:2])
  )
)
SHARE = 0.8  # of the reals that are (1, -1)


def images(first):
  """The images `[N, 1, 2, 1]` whose first pixels are given."""
  return jnp.stack([first, -first], 1)[:, None, :, None]


def test_the_law_of_what_is_seen_has_the_eigenvalue_1_minus_p():
  keys = jax.random.split(jax.random.key(0))
  seen = [
    jax.jit(FLIPPED)(images(jnp.full(4000, first)), key, 0.5)
    for first, key in zip((1.0, -1.0), keys, strict=True)
  ]
  matrix = [
    [(own[:, 0, 0, 0] == side).mean() for side in (1, -1)] for own in seen
  ]
  np.testing.assert_allclose(
    np.sort(np.linalg.eigvals(np.array(matrix))), [0.5, 1], atol=0.03
  )


@pytest.fixture(scope='module')
def learned():
  """`p -> share` of the samples that are (1, -1), after training at p."""
  critic = Discriminator(
    init=lambda key, images: (jnp.zeros(2), {}),
    apply=lambda params, buffers, images, key, train: (
      images[:, 0, :, 0] @ params,
      buffers,
    ),
  )
  generator = Generator(
    # At first 31 % of the samples are (1, -1).
    init=lambda key, latents: (jnp.float32(-0.5), {}),
    mapping=lambda params, buffers, latents, key, train: (latents, buffers),
    synthesis=lambda params, buffers, styles, key, train: (
      images(jnp.tanh(8 * (styles[:, 0] + params))),
      buffers,
    ),
  )

  def reals(key, step):
    own = jax.random.fold_in(key, step)
    return Batch(images(2.0 * jax.random.bernoulli(own, SHARE, (128,)) - 1))

  @jax.jit
  def train(p):
    game = gan(
      generator,
      remedies.augmented(critic, FLIPPED, p),
      losses.wasserstein,
      priors.normal(1),
      Pair({}, {'r1': stateless(lambda t: regularizers.r1(t.critic, t.real))}),
    )
    optimizers = Pair(optax.sgd(0.1), optax.sgd(0.1))
    state, _ = steps.run(
      steps.alternating(game, optimizers),
      steps.init(game, optimizers, jax.random.key(0)),
      reals,
      1500,
    )
    return jax.scipy.stats.norm.cdf(state.ema_params)

  return train


def test_the_ratio_of_the_classes_is_recovered_below_p_1(learned):
  assert abs(learned(0.5) - SHARE) < 0.04


def test_at_p_1_flips_leak(learned):
  assert learned(1.0) < 0.5
