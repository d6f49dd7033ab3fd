"""A small encoder, terms and pictures for the tests of style transfer."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from ganjax.style import objective

RANDOM = np.random.default_rng(0)


class Encoder(NamedTuple):
  """The fields of `ganjax.style.encoders.Encoder` that are looked at."""

  name: str
  params: Any
  apply: Callable
  layers: tuple
  smallest: int = 4


def toy():
  """Two convolutions with a mean of 2x2 pixels in between."""
  shapes = (3, 3, 3, 4), (3, 3, 4, 5)
  params = [
    RANDOM.normal(size=shape).astype(np.float32) / 5 for shape in shapes
  ]

  def apply(params, pictures, layers):
    found, x = {}, pictures - 0.5
    for layer, kernel in zip(('one', 'two'), params, strict=True):
      if found:
        x = jax.lax.reduce_window(
          x,
          np.zeros((), x.dtype),
          jax.lax.add,
          (1, 2, 2, 1),
          (1, 2, 2, 1),
          'VALID',
        )
      x = jax.lax.conv_general_dilated(
        x.astype(kernel.dtype),
        kernel,
        (1, 1),
        'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      )
      x = found[layer] = jax.nn.softplus(x)
    return {layer: found[layer] for layer in layers}

  return Encoder('toy', params, apply, ('one', 'two'))


ENCODER = toy()
TERMS = (
  objective.content_term(('two',)),
  objective.style_term({'one': 0.7, 'two': 0.3}),
  objective.variation_term(),
)
WEIGHTS = {'content': 0.1, 'style': 1.0, 'variation': 0.05}


def draw(*shape):
  return RANDOM.uniform(size=shape).astype(np.float32)


CONTENT = draw(2, 8, 12, 3)
STYLES = (
  objective.Exemplar(draw(1, 10, 9, 3) ** 2),
  objective.Exemplar(draw(1, 8, 8, 3) / 2, 3.0),
)
AIMS = jax.jit(functools.partial(objective.targets, ENCODER, TERMS))(
  ENCODER.params, CONTENT, STYLES
)
