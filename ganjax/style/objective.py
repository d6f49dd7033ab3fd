"""What style transfer minimises: terms, their targets and their losses.

Pictures are float32 `[N, H, W, 3]` in [0, 1], as in all published constants of
style transfer, not in [-1, 1] as a GAN's images. Where a function takes an
encoder and `encoder_params`, the latter are used in place of the encoder's own:
pass them and the targets to compiled programs as arguments, because XLA would
spend minutes on folding constants.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from ganjax.style import statistics, variation

PIXELS = 'pixels'
"""The name of the layer that is the picture itself; every encoder has it."""


class Exemplar(NamedTuple):
  """A picture to resemble, how much, and where.

  Attributes:
    picture: `[1, h, w, 3]`, or `[N, h, w, 3]`, one for each picture made.
    weight: at least 0, relative to the weights of the other exemplars.
    mask: `[1, H, W]` or `[N, H, W]` over the picture that is made, of any size,
      at least 0; None means everywhere.
  """

  picture: Any
  weight: Any = 1.0
  mask: Any = None


def exemplars(pictures, weights=(), masks=()):
  """Returns a tuple of `Exemplar`.

  Args:
    pictures: a sequence of `[1, h, w, 3]` in [0, 1].
    weights: one for each picture, or none, which makes all equal.
    masks: one `[1, H, W]` for each picture, or none. With two pictures a single
      mask is that of the first, and the second has the rest.

  Raises:
    ValueError: if the numbers do not fit.
  """
  number = len(pictures)
  if len(masks) == 1 and number == 2:
    masks = [masks[0], 1 - masks[0]]
  if masks and len(masks) != number:
    raise ValueError(
      f'There are {len(masks)} masks for {number} styles. Give one mask for '
      'each style, or one for the first of two styles.'
    )
  if weights and len(weights) != number:
    raise ValueError(
      f'There are {len(weights)} weights for {number} styles. Give one weight '
      'for each style.'
    )
  return tuple(
    map(Exemplar, pictures, weights or [1.0] * number, masks or [None] * number)
  )


class Term(NamedTuple):
  """A part of what is minimised.

  Attributes:
    name: of its loss and of its weight.
    statistic: of `ganjax.style.statistics`.
    layers: from the names of layers to their shares; `PIXELS` is one of them.
    exemplars: `(content, styles) -> exemplars`, a sequence of `Exemplar` whose
      statistics are the target.
  """

  name: str
  statistic: statistics.Statistic
  layers: Mapping[str, Any]
  exemplars: Callable


class Target(NamedTuple):
  """What a term asks for in a region.

  Attributes:
    weight: of the region's exemplars, of 1 in all regions together.
    masks: from layers to the region's weights of pixels, or None.
    statistics: from layers to the statistics that are asked for.
  """

  weight: Any
  masks: dict
  statistics: dict


# Terms, by the exemplars that they have.


def content_term(layers, statistic=statistics.content):
  """Returns the `Term` 'content', which asks for the content's features.

  Args:
    layers: their names, each of the same share, or a mapping from names to
      shares.
    statistic: of `ganjax.style.statistics`.
  """
  return Term('content', statistic, _shares(layers), _content)


def style_term(layers, statistic=statistics.style):
  """Returns the `Term` 'style', which asks for the styles' statistics.

  Args:
    layers: their names, each of the same share, or a mapping from names to
      shares.
    statistic: of `ganjax.style.statistics`.
  """
  return Term(
    'style', statistic, _shares(layers), lambda content, styles: styles
  )


def variation_term(function=variation.nine_point):
  """Returns the `Term` 'variation', which asks for smooth pictures.

  Args:
    function: `pictures -> [N]`, of `ganjax.style.variation`.
  """
  return Term(
    'variation', statistics.penalty(function), {PIXELS: 1.0}, _content
  )


def _content(content, styles):
  return (Exemplar(content),)


def _shares(layers):
  if isinstance(layers, Mapping):
    return layers
  return {layer: 1 / len(layers) for layer in layers}


def targets(encoder, terms, encoder_params, content, styles):
  """Returns what each term asks for: tuples of `Target` by the terms' names.

  Exemplars without a mask are mixed into one target, as if their pixels lay in
  one picture. Each exemplar with a mask is a target of its own.

  Args:
    encoder: of `ganjax.style.encoders`.
    terms: a sequence of `Term`.
    encoder_params: the encoder's parameters.
    content: `[N, H, W, 3]` in [0, 1].
    styles: a sequence of `Exemplar`.

  Raises:
    ValueError: if the encoder lacks a layer, or a term has no exemplar.
  """
  return {
    term.name: _term_targets(encoder, term, encoder_params, content, styles)
    for term in terms
  }


def _term_targets(encoder, term, encoder_params, content, styles):
  exemplars = term.exemplars(content, styles)
  if not exemplars:
    raise ValueError(
      f'The term {term.name!r} has no picture to resemble; pass at least one '
      'Exemplar.'
    )
  everywhere = [e for e in exemplars if e.mask is None]
  groups = [everywhere] if everywhere else []
  groups += [[e] for e in exemplars if e.mask is not None]
  total = sum(exemplar.weight for exemplar in exemplars)
  encode = functools.partial(_features, encoder, layers=term.layers)
  shapes = jax.eval_shape(encode, encoder_params, content)
  found = []
  for group in groups:
    weights = [exemplar.weight for exemplar in group]
    encoded = [encode(encoder_params, exemplar.picture) for exemplar in group]
    masks, asked = {}, {}
    for layer in term.layers:
      trees = [
        term.statistic.compute(features[layer], None) for features in encoded
      ]
      asked[layer] = term.statistic.prepare(_mean(trees, weights))
      size = shapes[layer].shape[1:3]
      masks[layer] = statistics.resized_mask(group[0].mask, *size)
    found.append(Target(sum(weights) / total, masks, asked))
  return tuple(found)


def _mean(trees, weights):
  total = sum(weights)

  def mean(*leaves):
    return sum(
      w / total * leaf for w, leaf in zip(weights, leaves, strict=True)
    )

  return jax.tree.map(mean, *trees)


def losses(encoder, terms, encoder_params, pictures, targets):
  """Returns the terms' losses by name, `[N]` each, without their weights.

  Args:
    encoder: of `ganjax.style.encoders`.
    terms: a sequence of `Term`.
    encoder_params: the encoder's parameters.
    pictures: `[N, H, W, 3]` in [0, 1].
    targets: of the function `targets`, for contents of the same size.

  Raises:
    ValueError: if the encoder lacks a layer.
  """
  layers = {layer for term in terms for layer in term.layers}
  features = _features(encoder, encoder_params, pictures, layers)

  def loss(term):
    return sum(
      target.weight
      * share
      * term.statistic.distance(
        term.statistic.compute(features[layer], target.masks[layer]),
        target.statistics[layer],
      )
      for target in targets[term.name]
      for layer, share in term.layers.items()
    )

  return {term.name: loss(term) for term in terms}


def _features(encoder, encoder_params, pictures, layers):
  unknown = set(layers) - {PIXELS, *encoder.layers}
  if unknown:
    raise ValueError(
      f'{encoder.name} has no layer {sorted(unknown)[0]!r}; choose from '
      f'{PIXELS}, {", ".join(encoder.layers)}.'
    )
  asked = tuple(layer for layer in encoder.layers if layer in layers)
  found = encoder.apply(encoder_params, pictures, asked) if asked else {}
  return {PIXELS: pictures, **found}
