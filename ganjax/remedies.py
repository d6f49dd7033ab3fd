"""Remedies: transforms of networks and games, each its own paper's idea."""

import jax
import jax.numpy as jnp

from ganjax.players import Discriminator


def spectral(network):
  """The network with each kernel divided by its largest singular value.

  Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
  2018, arXiv:1802.05957, algorithm 1: one step of power iteration whenever
  the network runs in training mode; the singular vectors are held constant,
  the value they give is not. Kernels are the leaves so named, their last axis
  against all others.

  Args:
    network: a `Generator` or a `Discriminator`.

  Returns:
    A record of the same type, whose buffers also hold the singular vectors.
  """

  def init(key, examples):
    params, buffers = network.init(key, examples)
    leaves = jax.tree_util.tree_leaves_with_path(params)
    keys = jax.random.split(key, len(leaves))
    vectors = {
      jax.tree_util.keystr(path): jax.random.normal(key, leaf.shape[-1:])
      for key, (path, leaf) in zip(keys, leaves, strict=True)
      if path[-1].key == 'kernel'
    }
    return params, {'network': buffers, 'spectral': vectors}

  def normalized(apply):
    def apply_normalized(params, buffers, inputs, key, train):
      vectors = dict(buffers['spectral'])

      def divide(path, leaf):
        name = jax.tree_util.keystr(path)
        if name not in vectors:
          return leaf
        matrix = leaf.reshape(-1, leaf.shape[-1])
        value, vector = _largest(matrix, vectors[name])
        if train:
          vectors[name] = vector
        return leaf / value

      outputs, inner = apply(
        jax.tree_util.tree_map_with_path(divide, params),
        buffers['network'],
        inputs,
        key,
        train,
      )
      return outputs, {'network': inner, 'spectral': vectors}

    return apply_normalized

  if isinstance(network, Discriminator):
    return network._replace(init=init, apply=normalized(network.apply))
  return network._replace(
    init=init,
    mapping=normalized(network.mapping),
    synthesis=normalized(network.synthesis),
  )


def _largest(matrix, right):
  """The largest singular value, and its right vector after one power step."""
  left = _unit(jax.lax.stop_gradient(matrix) @ right)
  right = _unit(jax.lax.stop_gradient(matrix).T @ left)
  return left @ matrix @ right, right


def _unit(vector):
  return vector / (jnp.linalg.norm(vector) + 1e-12)
