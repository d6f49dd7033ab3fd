"""What style transfer minimises: terms, their targets and their values.

Pictures are float32 `[N, H, W, 3]` in [0, 1], as in all published constants of
style transfer, not in [-1, 1] as a GAN's images. An encoder is a record of
`ganjax.style.encoders`; its parameters and the targets are arguments, to be
passed to compiled programs as such: XLA would spend minutes on folding what is
closed over.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from ganjax.style import statistics

PIXELS = 'pixels'
"""The name of the layer that is the picture itself; every encoder has it."""


class Exemplar(NamedTuple):
  """A picture to be like, how much, and where.

  Attributes:
    picture: `[1, h, w, 3]`, or `[N, h, w, 3]`, one for each that is made.
    weight: at least 0, against those of the others.
    mask: `[1, H, W]` or `[N, H, W]` over the picture that is made, of any size,
      at least 0; None is everywhere.
  """

  picture: Any
  weight: Any = 1.0
  mask: Any = None


class Term(NamedTuple):
  """A part of what is minimised.

  Attributes:
    name: in reports, and of its weight.
    statistic: of `ganjax.style.statistics`.
    layers: the share of each layer, by name; `PIXELS` is one of them.
    toward: `(content, styles) -> exemplars`, a sequence of `Exemplar`.
  """

  name: str
  statistic: statistics.Statistic
  layers: Mapping[str, Any]
  toward: Callable


class Target(NamedTuple):
  """What a term asks for in a region: by layer, where, and which measure."""

  weight: Any
  masks: dict
  wanted: dict


# Terms, by what they are measured against.


def content_term(layers, statistic=statistics.content):
  """The `Term` 'content': features like the content's, at each layer alike.

  Args:
    layers: their names, or a mapping of names to shares.
    statistic: of `ganjax.style.statistics`.
  """
  return Term('content', statistic, _shares(layers), _content)


def style_term(layers, statistic=statistics.style):
  """The `Term` 'style': statistics like the styles', at each layer alike.

  Args:
    layers: their names, or a mapping of names to shares.
    statistic: of `ganjax.style.statistics`.
  """
  return Term(
    'style', statistic, _shares(layers), lambda content, styles: styles
  )


def variation_term(variation=statistics.variation_nine):
  """The `Term` 'variation': smooth pictures.

  Args:
    variation: `pictures -> [N]`.
  """
  return Term(
    'variation', statistics.penalty(variation), {PIXELS: 1.0}, _content
  )


def _content(content, styles):
  return (Exemplar(content),)


def _shares(layers):
  if isinstance(layers, Mapping):
    return layers
  return {layer: 1 / len(layers) for layer in layers}


def targets(encoder, terms, params, content, styles):
  """What each term asks for: tuples of `Target` by the terms' names.

  Exemplars without a mask are mixed into one target, as if their pixels lay in
  one picture; each one with a mask is a target of its own.

  Args:
    encoder: whose `params` are not looked at.
    terms: a sequence of `Term`.
    params: of the encoder.
    content: `[N, H, W, 3]`.
    styles: a sequence of `Exemplar`.

  Raises:
    ValueError: if a layer is none of the encoder's, or there is no style.
  """
  return {
    term.name: _aims(encoder, term, params, content, styles) for term in terms
  }


def _aims(encoder, term, params, content, styles):
  exemplars = term.toward(content, styles)
  if not exemplars:
    raise ValueError(
      f'The term {term.name} has no picture to be like; pass at least one '
      'Exemplar.'
    )
  everywhere = [e for e in exemplars if e.mask is None]
  groups = [everywhere] if everywhere else []
  groups += [[e] for e in exemplars if e.mask is not None]
  total = sum(exemplar.weight for exemplar in exemplars)
  look = functools.partial(_features, encoder, layers=term.layers)
  sizes = jax.eval_shape(look, params, content)
  found = []
  for group in groups:
    weights = [exemplar.weight for exemplar in group]
    measured = [look(params, exemplar.picture) for exemplar in group]
    masks, wanted = {}, {}
    for layer in term.layers:
      trees = [
        term.statistic.of(features[layer], None) for features in measured
      ]
      wanted[layer] = term.statistic.prepare(_mean(trees, weights))
      size = sizes[layer].shape[1:3]
      masks[layer] = statistics.fitted(group[0].mask, *size)
    found.append(Target(sum(weights) / total, masks, wanted))
  return tuple(found)


def _mean(trees, weights):
  total = sum(weights)

  def mean(*leaves):
    return sum(
      w / total * leaf for w, leaf in zip(weights, leaves, strict=True)
    )

  return jax.tree.map(mean, *trees)


def losses(encoder, terms, params, pictures, targets):
  """The terms' values, `[N]` each by name, without their weights.

  Args:
    encoder: whose `params` are not looked at.
    terms: a sequence of `Term`.
    params: of the encoder.
    pictures: `[N, H, W, 3]` in [0, 1].
    targets: of the function `targets`, at the same size.
  """
  layers = {layer for term in terms for layer in term.layers}
  features = _features(encoder, params, pictures, layers)

  def value(term):
    return sum(
      target.weight
      * share
      * term.statistic.distance(
        term.statistic.of(features[layer], target.masks[layer]),
        target.wanted[layer],
      )
      for target in targets[term.name]
      for layer, share in term.layers.items()
    )

  return {term.name: value(term) for term in terms}


def _features(encoder, params, pictures, layers):
  unknown = set(layers) - {PIXELS, *encoder.layers}
  if unknown:
    raise ValueError(
      f'{encoder.name} has no layer {sorted(unknown)[0]!r}; choose from '
      f'{PIXELS}, {", ".join(encoder.layers)}.'
    )
  wanted = tuple(layer for layer in encoder.layers if layer in layers)
  found = encoder.apply(params, pictures, wanted) if wanted else {}
  return {PIXELS: pictures, **found}
