"""Losses of class labels: of logits of classes, and of embeddings.

Each returns a value for each example, without the weight of its paper. Logits
are `[M, K]`, embeddings `[M, S]`, proxies of the classes `[K, S]`, and labels
int32 `[M]`.
"""

import jax
import jax.numpy as jnp
from jax.nn import logsumexp, relu

from ganjax.arrays import Scalar


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  """Returns -log softmax(logits) at the labels, `[M]`; ln K where all agree.

  Args:
    logits: `[M, K]`.
    labels: int32 `[M]`.
  """
  return logsumexp(logits, -1) - _at(logits, labels)


def conditional_contrastive(
  embeddings: jax.Array,
  proxies: jax.Array,
  labels: jax.Array,
  temperature: Scalar = 1.0,
) -> jax.Array:
  """Returns the conditional contrastive (2C) loss of a batch, `[M]`.

  Kang and Park, "ContraGAN: Contrastive Learning for Conditional Image
  Generation", 2020, arXiv:2006.12681: an embedding is drawn to the
  proxy of its class and to the others of its class in the batch, against all
  others. Similarities are cosines.

  Args:
    embeddings: `[M, S]`.
    proxies: one for each class, `[K, S]`.
    labels: int32 `[M]`.
    temperature: that similarities are divided by, above 0; may be traced.
  """
  embeddings, proxies = _unit(embeddings), _unit(proxies)
  own = (embeddings * proxies[labels]).sum(-1, keepdims=True)
  among = embeddings @ embeddings.T
  similar = jnp.concatenate([own, among], -1) / temperature
  others = ~jnp.eye(len(labels), dtype=bool)
  alike = others & (labels[:, None] == labels)

  def total(counted):
    counted = jnp.pad(counted, ((0, 0), (1, 0)), constant_values=True)
    return logsumexp(similar, -1, where=counted)

  return total(others) - total(alike)


def data_to_data_cross_entropy(
  embeddings: jax.Array,
  proxies: jax.Array,
  labels: jax.Array,
  temperature: Scalar = 0.5,
  margin: Scalar = 0.98,
) -> jax.Array:
  """Returns the data-to-data cross-entropy (D2D-CE) of a batch, `[M]`.

  Kang et al., "Rebooting ACGAN: Auxiliary Classifier GANs with Stable
  Training", 2021, arXiv:2111.01118: an embedding is drawn to the
  proxy of its class, and pushed away from those of other classes in the batch;
  pairs that are near, or far, enough have no gradient. A batch of a single
  class has no negatives, and exactly 0. StudioGAN's code differs: there the
  negatives alone are divided by the exponential of the row's largest.

  Args:
    embeddings: `[M, S]`.
    proxies: one for each class, `[K, S]`.
    labels: int32 `[M]`.
    temperature: above 0; may be traced.
    margin: the paper's m_p: the cosine from which on an embedding is near
      enough to its proxy. From 1 - m_p down, another is far enough. May be
      traced.
  """
  embeddings, proxies = _unit(embeddings), _unit(proxies)
  own = (embeddings * proxies[labels]).sum(-1, keepdims=True)
  pull = -relu(margin - own) / temperature
  push = relu(embeddings @ embeddings.T - (1 - margin)) / temperature
  negative = labels[:, None] != labels
  terms = jnp.concatenate([pull, push], -1)
  counted = jnp.pad(negative, ((0, 0), (1, 0)), constant_values=True)
  return logsumexp(terms, -1, where=counted) - pull[:, 0]


def _at(rows, labels):
  return jnp.take_along_axis(rows, labels[:, None], -1)[:, 0]


def _unit(rows):
  # Under the root, so that the gradient at 0 is no NaN.
  return rows * jax.lax.rsqrt((rows**2).sum(-1, keepdims=True) + 1e-12)
