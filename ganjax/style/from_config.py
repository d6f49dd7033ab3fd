"""From a config to a style transfer: names become functions here, by table."""

import functools
import json
import math
import pathlib

import jax
import jax.numpy as jnp

from ganjax import capacity, pictures
from ganjax.lookup import choose
from ganjax.style import (
  color,
  encoders,
  feedforward,
  image_transformation,
  initial,
  objective,
  optimizers,
  pretrained,
  sizes,
  statistics,
  tiling,
  transfer,
  variation,
  vgg,
)

_contents = {
  'relative': statistics.content,
  'gatys': statistics.content_gatys,
  'mse': statistics.content_mse,
}

_styles = {
  'gram': statistics.style,
  'gatys': statistics.style_gatys,
  'mse': statistics.style_mse,
  'moments': statistics.style_moments,
  'wasserstein': statistics.style_wasserstein,
  'wasserstein_crowson': statistics.style_wasserstein_crowson,
}

_variations = {
  'l1': variation.l1,
  'l2': variation.l2,
  'nine_point': variation.nine_point,
}

_optimizers = {'adam': optimizers.adam, 'lbfgs': optimizers.lbfgs}

_initial = {
  'content': initial.content,
  'noise': initial.noise,
  'noisy_content': initial.noisy_content,
  'style_stats': initial.style_stats,
  'colors': initial.colors,
}

# About the root mean square of rectified features of VGG-16, whose pictures are
# in [0, 255].
_VGG_RMS = 300.0

_dtypes = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}

_pools = {
  'max': vgg.max_pool,
  'average': vgg.average_pool,
  'l2': vgg.l2_pool,
}


def change(config, changes):
  """Changes fields of a config.

  Args:
    config: the config.
    changes: strings such as 'content.weight=0.3', with values as in JSON.

  Raises:
    ValueError: if there is no such field, or it has another type.
  """
  try:
    fields = dict(each.split('=') for each in changes)
    config.update_from_flattened_dict(
      {field: json.loads(value) for field, value in fields.items()}
    )
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f'The config cannot be changed by {"+".join(changes)} ({error}). Write '
      'field=value, with the fields of the config and values as in JSON.'
    ) from error


def encoder(config, path=None):
  """Returns the encoder of a config, and a sentence on what it is and why.

  Args:
    config: the config.
    path: of a file with weights, or None.

  Raises:
    OSError: if the weights asked for cannot be had.
    ValueError: if the config names something unknown, or as `pretrained.load`.
  """
  pool = choose('pool', _pools, config.pool)
  chosen, sentence = pretrained.choose(
    config.features or None,
    path,
    seed=config.seed,
    load=functools.partial(
      pretrained.load, as_vgg=functools.partial(vgg.from_weights, pool=pool)
    ),
  )
  if config.tiles:
    chosen = tiling.tiled(chosen, config.tiles)
  if config.dtype != 'float32':
    chosen = tiling.cast(chosen, choose('dtype', _dtypes, config.dtype))
  return chosen, sentence


def rescaled(config, encoder, content):
  """Returns the encoder with features as large as the config's weights assume.

  The weights of published methods are for VGG. Where the layers of another
  network take the place of its layers, their features are scaled to the root
  mean square of VGG's.

  Args:
    config: the config.
    encoder: of `ganjax.style.encoders`.
    content: `[N, h, w, 3]` in [0, 1], on which the root mean square is taken.
  """
  if not _lacks_layers(config, encoder):
    return encoder
  return encoders.rescaled(
    encoder,
    sizes.limited(content, config.size, encoder.smallest),
    tuple(dict.fromkeys([*encoder.content, *encoder.style])),
    _VGG_RMS,
  )


def terms(config, encoder):
  """Returns the terms of a config as a tuple, and their weights by name.

  A term of weight 0 is left out. If the encoder lacks one of the layers, its
  own default layers replace all of them.

  Args:
    config: with the sections `content`, `style` and `variation`, and perhaps a
      `strength` s in [0, 1]: factors of 2 s for style, 2 (1 - s) for content.
    encoder: of `ganjax.style.encoders`.

  Raises:
    ValueError: if the config names an unknown statistic, or all weights are 0.
  """
  content_layers, style_layers = _layers(config, encoder)
  content = choose('statistic of content', _contents, config.content.statistic)
  style = choose('statistic of style', _styles, config.style.statistic)
  roughness = choose(
    'statistic of variation', _variations, config.variation.statistic
  )
  found = (
    objective.content_term(content_layers, content),
    objective.style_term(style_layers, style),
    objective.variation_term(roughness),
  )
  strength = config.get('strength', 0.5)
  factors = {'content': 2 * (1 - strength), 'style': 2 * strength}
  weights = {
    term.name: factors.get(term.name, 1) * config[term.name].weight
    for term in found
  }
  weights = {name: weight for name, weight in weights.items() if weight}
  if not weights:
    raise ValueError(
      'All weights are 0, so there is nothing to minimise. Give content, style '
      'or variation a weight.'
    )
  return tuple(term for term in found if term.name in weights), weights


def method(config, encoder):
  """Returns the `transfer.Method` of a config for an encoder.

  Args:
    config: the config.
    encoder: of `ganjax.style.encoders`.

  Raises:
    ValueError: if the config names something unknown, if its initial picture is
      a file that is not a picture, or as `terms`.
  """
  found, weights = terms(config, encoder)
  section = dict(config.optimizer)
  optimizer = choose('optimizer', _optimizers, section.pop('name'))
  bounds = optimizers.UNIT if config.clamp else optimizers.UNBOUNDED
  return transfer.Method(
    terms=found,
    weights=weights,
    optimizer=optimizer(bounds=bounds, **section),
    init=_init(config.init),
    ema_decay=config.ema_decay,
    style_scale=config.style.scale,
  )


def _init(name):
  """Returns the function of `ganjax.style.initial` of a name or of a file."""
  if name not in _initial and pathlib.Path(name).is_file():
    return initial.picture(pictures.load(name)[None])
  return choose('initial picture', _initial, name)


def painter(config):
  """Returns the `Painter` of a config, its optimiser, and `() -> PainterState`.

  Args:
    config: with `network`, `learning_rate`, `seed` and `data`.

  Raises:
    ValueError: if the crops that are painted are larger than the pictures.
  """
  if config.data.window > config.data.resolution:
    raise ValueError(
      f'data.window is {config.data.window}, but pictures have '
      f'{config.data.resolution} pixels; set it to at most data.resolution.'
    )
  network = image_transformation.johnson(**config.network)
  optimizer = optimizers.adam(config.learning_rate, b2=0.999)
  key = jax.random.key(config.seed)
  return network, optimizer, lambda: feedforward.init(network, optimizer, key)


def style_targets(config, encoder, terms, style):
  """Returns the targets of `feedforward.style_targets` for a config.

  Args:
    config: with `style.scale`, `data.resolution` and `data.window`.
    encoder: of `ganjax.style.encoders`.
    terms: of the function `terms`.
    style: `[1, h, w, 3]` in [0, 1].
  """
  side = round(config.style.scale * config.data.resolution)
  style = sizes.limited(style, side, encoder.smallest)
  aim = jax.jit(
    lambda params: feedforward.style_targets(
      encoder, terms, params, style, config.data.window
    )
  )
  return aim(encoder.params)


def scales(config):
  """Returns the longer sides of the scales, and the steps at each: two tuples.

  Args:
    config: the config.
  """
  sides = sizes.sides(config.size, min(config.min_size, config.size))
  others = [config.steps.others] * (len(sides) - 1)
  return sides, (config.steps.first, *others)


def check_memory(config, content):
  """Raises ValueError if the memory is too small for what is painted.

  Args:
    config: the config.
    content: `[N, h, w, 3]`, of which the result has the shape.
  """
  height, width = sizes.shape(*content.shape[1:3], config.size)
  capacity.check(
    {
      f'a picture of {width}x{height} pixels, its gradient and what the '
      'optimiser remembers': 4 * 4 * 3 * height * width
    },
    'choose a smaller size',
  )


def style_weights(words):
  """Returns the numbers that --style_weights gives, a list.

  Args:
    words: a list of texts.

  Raises:
    ValueError: if one is no number, or below 0, or all of them are 0.
  """
  try:
    weights = [float(word) for word in words]
  except ValueError:
    weights = [-1.0]
  if weights and not (0 < sum(weights) < math.inf and min(weights) >= 0):
    raise ValueError(
      f'--style_weights is {",".join(words)}; give a number from 0 on for each '
      'style, and to one of them more than 0.'
    )
  return weights


def preservation(config):
  """Returns the `color.Preservation` of a config.

  Args:
    config: the config.

  Raises:
    ValueError: if there is none of that name.
  """
  return choose('colors', color.PRESERVATIONS, config.colors)


def _layers(config, encoder):
  """Returns the layers of content and of style, as the encoder has them."""
  if _lacks_layers(config, encoder):
    return encoder.content, encoder.style
  return (
    dict(config.content.layers) or encoder.content,
    dict(config.style.layers) or encoder.style,
  )


def _lacks_layers(config, encoder):
  """Returns whether the encoder lacks some of the config's layers."""
  asked = {*config.content.layers, *config.style.layers}
  return not asked <= {objective.PIXELS, *encoder.layers}
