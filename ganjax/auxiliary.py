"""Auxiliary heads: discriminators that also say which class an image is of.

A discriminator's logits need not know the labels. Then a head on its features
does: the discriminator learns it beside its own loss, and the generator is
taught by it. A `Kind` says which heads there are and what each player minimises
of them; `networks.conditional.with_heads` gives them to a discriminator, and
`terms` makes regularisers of both players of them. A config can choose every
public function here that returns a `Kind`, by its name.

The losses are those of `ganjax.class_losses`, times the weights of the papers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar, Tree
from ganjax.class_losses import (
  conditional_contrastive,
  cross_entropy,
  data_to_data_cross_entropy,
)
from ganjax.players import Pair
from ganjax.turns import Regularizer, stateless

Values = Callable[[Tree, jax.Array], jax.Array]
"""What a player minimises: `(outputs of the heads, labels [M]) -> [M]`."""


class Kind(NamedTuple):
  """Heads on the features of a discriminator, and what they are for.

  Attributes:
    init: `(key, classes, size) -> params` of the heads on features `[M, size]`,
      where the tables with a row for each class have 'class' in their path.
    outputs: `(params, features) -> outputs`, a tree.
    real: what the discriminator minimises of the reals.
    fake: what it minimises of the fakes.
    generator: what the generator minimises of them.
  """

  init: Callable[[jax.Array, int, int], Any]
  outputs: Callable[[Tree, jax.Array], Any]
  real: Values
  fake: Values
  generator: Values


def acgan(weight: Scalar = 1.0, fakes: bool = False) -> Kind:
  """Returns the `Kind` of the auxiliary classifier.

  Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier
  GANs", 2017, arXiv:1610.09585, section 3: a linear classifier on the features
  learns the classes of the reals, and the generator makes fakes that it is
  right about. Nothing asks for variety within a class.

  Args:
    weight: of all terms; may be traced.
    fakes: whether the classifier learns from the fakes too, as in the paper;
      later work leaves this out.
  """

  def values(outputs, labels):
    return weight * cross_entropy(outputs['classes'], labels)

  return Kind(
    _classifiers('classes'),
    _classify,
    real=values,
    fake=values if fakes else _nothing,
    generator=values,
  )


def tacgan(weight: Scalar = 1.0) -> Kind:
  """Returns the `Kind` of the twin auxiliary classifiers.

  Gong et al., "Twin Auxiliary Classifiers GAN", 2019, arXiv:1907.02690:
  a second classifier learns the classes of the fakes, and the
  generator plays against it, which takes back what the first one takes from the
  entropy of a class.

  Args:
    weight: of all terms; may be traced.
  """

  def values(name):
    return lambda outputs, labels: weight * cross_entropy(outputs[name], labels)

  own, twin = values('classes'), values('twin')
  return Kind(
    _classifiers('classes', 'twin'),
    _classify,
    real=own,
    fake=twin,
    generator=lambda *given: own(*given) - twin(*given),
  )


def adcgan(weight: Scalar = 1.0) -> Kind:
  """Returns the `Kind` of the auxiliary discriminative classifier.

  Hou et al., "Conditional GANs with Auxiliary Discriminative Classifier", 2022,
  arXiv:2107.10060: one classifier of 2 K classes, of which 2 y is
  that of the reals of class y, and 2 y + 1 that of its fakes.

  Args:
    weight: of all terms; may be traced.
  """

  def values(offset):
    return lambda outputs, labels: (
      weight * cross_entropy(outputs['classes'], 2 * labels + offset)
    )

  real, fake = values(0), values(1)
  return Kind(
    _classifiers('classes', rows=2),
    _classify,
    real=real,
    fake=fake,
    generator=lambda *given: real(*given) - fake(*given),
  )


def contragan(
  weight: Scalar = 1.0, temperature: Scalar = 1.0, size: int = 512
) -> Kind:
  """Returns the `Kind` of `conditional_contrastive`, ContraGAN's.

  Args:
    weight: of all terms; may be traced.
    temperature: as there; 1 is that of StudioGAN for CIFAR-10.
    size: of the embeddings.
  """

  def loss(*given):
    return weight * conditional_contrastive(*given, temperature)

  return _embedded(size, loss)


def reacgan(
  weight: Scalar = 0.5,
  temperature: Scalar = 0.5,
  margin: Scalar = 0.98,
  size: int = 512,
) -> Kind:
  """Returns the `Kind` of `data_to_data_cross_entropy`, ReACGAN's.

  Args:
    weight: of all terms; may be traced.
    temperature: as there, and so is the next.
    margin: the paper's m_p.
    size: of the embeddings.
  """

  def loss(*given):
    return weight * data_to_data_cross_entropy(*given, temperature, margin)

  return _embedded(size, loss)


def terms(kind: Kind, strength: Scalar = 1.0) -> Pair[Regularizer]:
  """Returns what a `Kind` adds to the value of each player.

  Args:
    kind: that of the heads of the discriminator.
    strength: a factor of the terms; may be traced.

  Returns:
    A `Pair` of `Regularizer`s, which raise ValueError when traced in a game
    without labels, or where a logit is that of a pack of images.
  """

  def generator(turn):
    _check(turn)
    return strength * kind.generator(
      turn.fake_heads(turn.fake), turn.fake_labels
    )

  def discriminator(turn):
    _check(turn)
    real = kind.real(turn.heads(turn.real), turn.labels)
    fake = kind.fake(turn.fake_heads(turn.fake), turn.fake_labels)
    return strength * (real + fake)

  return Pair(stateless(generator), stateless(discriminator))


def _check(turn):
  if turn.labels is None:
    raise ValueError(
      'An auxiliary head learns the classes of images, but this game is '
      'unconditional; give `gan` fake_labels, and its batches labels.'
    )
  if len(turn.real_logits) != len(turn.labels):
    raise ValueError(
      f'There are {len(turn.real_logits)} packs of {len(turn.labels)} images, '
      'and an auxiliary head says the class of one image; set pack to 1, or '
      'choose the projection, which takes the mean of the classes of a pack.'
    )


def _nothing(outputs, labels):
  return jnp.zeros(len(labels))


def _classifiers(*names, rows=1):
  """Returns the initialisation of linear classifiers, without biases."""

  def init(key, classes, size):
    return {
      name: {'kernel': _lecun(own, (classes, rows, size), size)}
      for name, own in zip(
        names, jax.random.split(key, len(names)), strict=True
      )
    }

  return init


def _classify(params, features):
  """Returns the logits of each classifier; those of a class lie together."""
  size = features.shape[-1]
  return {
    name: features @ own['kernel'].reshape(-1, size).T
    for name, own in params.items()
  }


def _embedded(size, loss):
  """Returns the `Kind` of a loss of embeddings and proxies, of both players."""

  def init(key, classes, width):
    kernel_key, proxies_key = jax.random.split(key)
    return {
      'embedding': {
        'kernel': _lecun(kernel_key, (width, size), width),
        'bias': jnp.zeros(size),
      },
      'classes': {'kernel': _lecun(proxies_key, (classes, size), size)},
    }

  def outputs(params, features):
    own = params['embedding']
    embeddings = features @ own['kernel'] + own['bias']
    return {'embeddings': embeddings, 'proxies': params['classes']['kernel']}

  def values(outputs, labels):
    return loss(outputs['embeddings'], outputs['proxies'], labels)

  return Kind(init, outputs, real=values, fake=_nothing, generator=values)


def _lecun(key, shape, fan_in):
  return fan_in**-0.5 * jax.random.normal(key, shape)
