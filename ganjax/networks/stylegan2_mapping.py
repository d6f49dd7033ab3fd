"""The mapping of latents and labels in StyleGAN2.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
arXiv:1912.04958; labels as in the PyTorch code of Karras et al., "Training
Generative Adversarial Networks with Limited Data", 2020, arXiv:2006.06676.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.arrays import certainly
from ganjax.networks import equalized, layers, stylegan


class Stack(nn.Module):
  """Dense layers `[N, C]` -> `[N, width]`, of a hundredth of the rate."""

  width: int
  depth: int

  @nn.compact
  def __call__(self, inputs):
    """Returns the activations of the last layer."""
    for layer in range(self.depth):
      dense = equalized.Dense(
        self.width, gain=1.0, rate=0.01, name=f'dense{layer}'
      )
      inputs = equalized.scaled_leaky_relu(dense(inputs))
    return inputs


class Mapping(nn.Module):
  """Latents `[N, Z]` -> styles `[N, number, width]`, with a tracked mean.

  The mean of all styles is a moving average over updates of the generator, for
  `truncation.tracked`.

  Attributes:
    number: of the styles of an example.
    width: size of a style.
    depth: dense layers.
    mixing: as in `generator`.
    classes: how many, of which the labels are; 0 in unconditional games.
    momentum: decay of the tracked mean at each update, in [0, 1].
  """

  number: int
  width: int
  depth: int
  mixing: Any
  classes: int
  momentum: float = 0.995

  @nn.compact
  def __call__(self, latents, labels=None, *, train):
    """Returns the styles of the latents."""
    network = Stack(self.width, self.depth, name='layers')
    beside = []
    if self.classes:
      beside = [embedded(labels, self.classes, self.width, len(latents))]

    def mapped(latents):
      inputs = [equalized.pixel_norm(latents), *beside]
      return network(jnp.concatenate(inputs, -1))

    styles = mapped(latents)
    mean = self.variable('average', 'styles', jnp.zeros, (self.width,))
    if train and not self.is_initializing():
      batch = jax.lax.stop_gradient(styles).mean(0)
      mean.value = batch + self.momentum * (mean.value - batch)
    styles = styles[:, None]
    if train and self.has_rng('noise') and not certainly(self.mixing, 0):
      keys = jax.random.split(self.make_rng('noise'), 3)
      others = mapped(jax.random.normal(keys[0], latents.shape))[:, None]
      return stylegan.mixed(
        keys[1:], styles, others, self.number, self.mixing, 1
      )
    return jnp.broadcast_to(styles, (len(latents), self.number, self.width))


def embedded(labels, classes, width, rows):
  """Returns the normalised vectors of labels, `[rows, width]`.

  It is called within a linen module, which has their table.

  Args:
    labels: int32 `[rows]`, or those of packs `[rows, m]`, whose mean is taken;
      or weights of the classes, `[rows, classes]`, whose sum is a factor.
    classes: how many there are, at least 1.
    width: size of a vector.
    rows: how many vectors.
  """
  weights = layers.chosen(jnp.eye(classes), labels)
  weights = weights.reshape(rows, -1, classes).mean(1)
  vectors = equalized.Dense(width, gain=1.0, name='embedding')(weights)
  # Of weights that do not sum to 1, as those of `conditional.scaled`, the norm
  # would leave nothing but their ratios.
  return weights.sum(-1, keepdims=True) * equalized.pixel_norm(vectors)
