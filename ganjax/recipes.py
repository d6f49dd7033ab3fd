"""From a config to a style transfer: names become functions here, by table."""

import functools

from ganjax import (
  architectures,
  canvas,
  economy,
  encoding,
  objective,
  style,
  transfer,
)
from ganjax.choice import choose
from ganjax.networks import vgg

_contents = {
  'relative': style.content,
  'gatys': style.content_gatys,
  'mean': style.content_mean,
}

_styles = {
  'gram': style.style,
  'gatys': style.style_gatys,
  'mean': style.style_mean,
  'moments': style.style_moments,
  'wasserstein': style.style_wasserstein,
  'wasserstein_mean': style.style_wasserstein_mean,
}

_variations = {
  'l1': style.variation_l1,
  'l2': style.variation_l2,
  'nine': style.variation_nine,
}

_optimizers = {'adam': canvas.adam, 'lbfgs': canvas.lbfgs}

_starts = {
  'content': lambda key, content, styles: content,
  'noise': transfer.noise,
  'noisy_content': transfer.noisy_content,
  'style_stats': transfer.style_stats,
}

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
    ValueError: if the config names what there is not, or as `encoding.load`.
  """
  pool = choose('pool', _pools, config.pool)
  chosen, sentence = encoding.choose(
    config.features or None,
    path,
    report=report,
    seed=config.seed,
    load=functools.partial(
      encoding.load, as_vgg=functools.partial(vgg.from_weights, pool=pool)
    ),
  )
  if config.tiles:
    chosen = economy.tiled(chosen, config.tiles)
  if config.dtype != 'float32':
    chosen = economy.cast(
      chosen, choose('dtype', architectures.DTYPES, config.dtype)
    )
  return chosen, sentence


def recipe(config, encoder, start=None):
  """The `transfer.Recipe` of a config for an encoder.

  A term of weight 0 is left out. Where the encoder lacks one of the layers, its
  own replace all of them.

  Args:
    config: the config.
    encoder: of `ganjax.networks.encoders`.
    start: a picture `[1, h, w, 3]` to begin with, or None for the config's.

  Raises:
    ValueError: if the config names what there is not.
  """
  content, painted, rough = config.content, config.style, config.variation
  layers = _layers(content.layers, painted.layers, encoder)
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
  optimizer = choose('optimizer', _optimizers, section.pop('name'))(**section)
  return transfer.Recipe(
    terms=tuple(terms[name]() for name in weights),
    weights=weights,
    optimizer=canvas.clamped(optimizer) if config.clamp else optimizer,
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


def _layers(content, painted, encoder):
  """The layers of content and style: all as asked for, or the encoder's own."""
  if {*content, *painted} <= set(encoder.layers):
    return dict(content) or encoder.content, dict(painted) or encoder.style
  return encoder.content, encoder.style
