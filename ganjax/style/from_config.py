"""From a config to a style transfer: names become functions here, by table."""

import functools

import jax.numpy as jnp

from ganjax.lookup import choose
from ganjax.style import (
  canvas,
  encoders,
  objective,
  pretrained,
  statistics,
  tiling,
  transfer,
  vgg,
)

_contents = {
  'relative': statistics.content,
  'gatys': statistics.content_gatys,
  'mean': statistics.content_mean,
}

_styles = {
  'gram': statistics.style,
  'gatys': statistics.style_gatys,
  'mean': statistics.style_mean,
  'moments': statistics.style_moments,
  'wasserstein': statistics.style_wasserstein,
  'wasserstein_mean': statistics.style_wasserstein_mean,
}

_variations = {
  'l1': statistics.variation_l1,
  'l2': statistics.variation_l2,
  'nine': statistics.variation_nine,
}

_optimizers = {'adam': canvas.adam, 'lbfgs': canvas.lbfgs}

_starts = {
  'content': lambda key, content, styles: content,
  'noise': transfer.noise,
  'noisy_content': transfer.noisy_content,
  'style_stats': transfer.style_stats,
  'colors': transfer.colors,
}

# The order of rectified features of VGG-16, of pictures in [0, 255].
_LEVEL = 300.0

_dtypes = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}

_pools = {
  'max': vgg.max_pool,
  'average': vgg.average_pool,
  'l2': vgg.l2_pool,
}


def encoder(config, path=None, report=None):
  """The encoder of a config, and a sentence on what it is and why.

  Args:
    config: the config.
    path: of a file with weights, or None.
    report: as in `download.fetch`.

  Raises:
    OSError: if what was asked for cannot be had.
    ValueError: if the config names what there is not, or as `pretrained.load`.
  """
  pool = choose('pool', _pools, config.pool)
  chosen, sentence = pretrained.choose(
    config.features or None,
    path,
    report=report,
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


def levelled(config, encoder, content):
  """The encoder on whose features the weights of a config mean what they say.

  Weights of published recipes are for VGG. Where the layers of another network
  stand in for its layers, their features are made as large as VGG's.

  Args:
    config: the config.
    encoder: of `ganjax.style.encoders`.
    content: `[N, H, W, 3]` in [0, 1].
  """
  if not _stand_in(config, encoder):
    return encoder
  side = min(config.size, max(content.shape[1:3]))
  size = canvas.shape(*content.shape[1:3], side)
  return encoders.levelled(
    encoder,
    canvas.resized(content, size),
    tuple(dict.fromkeys([*encoder.content, *encoder.style])),
    _LEVEL,
  )


def recipe(config, encoder, start=None):
  """The `transfer.Recipe` of a config for an encoder.

  A term of weight 0 is left out. Where the encoder lacks one of the layers, its
  own replace all of them.

  Args:
    config: the config.
    encoder: of `ganjax.style.encoders`.
    start: a picture `[1, h, w, 3]` to begin with, or None for the config's.

  Raises:
    ValueError: if the config names what there is not.
  """
  content, painted, rough = config.content, config.style, config.variation
  layers = _layers(config, encoder)
  terms = {
    'content': lambda: objective.content_term(
      layers[0],
      choose('statistic of content', _contents, content.statistic),
    ),
    'style': lambda: objective.style_term(
      layers[1],
      choose('statistic of style', _styles, painted.statistic),
    ),
    'variation': lambda: objective.variation_term(
      choose('statistic of variation', _variations, rough.statistic)
    ),
  }
  weights = {name: config[name].weight for name in terms if config[name].weight}
  if not weights:
    raise ValueError(
      'All weights are 0, so there is nothing to minimise; give content, style '
      'or variation a weight.'
    )
  section = dict(config.optimizer)
  optimizer = choose('optimizer', _optimizers, section.pop('name'))
  bounds = canvas.UNIT if config.clamp else canvas.ANYWHERE
  return transfer.Recipe(
    terms=tuple(terms[name]() for name in weights),
    weights=weights,
    optimizer=optimizer(bounds=bounds, **section),
    start=(
      choose('start', _starts, config.start)
      if start is None
      else transfer.picture(start)
    ),
    decay=config.decay,
    style_scale=painted.scale,
  )


def scales(config):
  """The longer sides of the scales, and the steps at each: two tuples."""
  sides = canvas.sides(config.size, min(config.min_size, config.size))
  others = [config.steps.others] * (len(sides) - 1)
  return sides, (config.steps.first, *others)


def _layers(config, encoder):
  """The layers of content and style: all as asked for, or the encoder's own."""
  if _stand_in(config, encoder):
    return encoder.content, encoder.style
  return (
    dict(config.content.layers) or encoder.content,
    dict(config.style.layers) or encoder.style,
  )


def _stand_in(config, encoder):
  """Whether layers of the encoder stand in for some that it lacks."""
  asked = {*config.content.layers, *config.style.layers}
  return not asked <= {objective.PIXELS, *encoder.layers}
