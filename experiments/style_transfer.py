"""Paints a content picture in the style of other pictures.

  python -m experiments.style_transfer --content cat.jpg --style marc.jpg
  python -m experiments.style_transfer --content cat.jpg --style a.jpg \
    --style b.jpg --style_weights 2,1 --mask left.png --mask right.png
  python -m experiments.style_transfer --verify_weights vgg19.pth

Presets are `--config configs/style_transfer.py:NAME`: default, fast, gatys,
wasserstein, and the lesson's lesson_content, lesson_style and lesson. Features
are those of a VGG that lies in the cache or is given by --weights, else of
SqueezeNet (fetched once, 0.66 MB), else of an untrained network.
"""

import json
import pathlib
import time

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from ganjax import files, launch, pictures
from ganjax.style import color, from_config, objective, pretrained, transfer
from ganjax.training import provenance, signals

_CONFIG = config_flags.DEFINE_config_file(
  'config', 'configs/style_transfer.py', 'Which recipe.'
)
_CONTENT = flags.DEFINE_string('content', None, 'Picture to paint.')
_STYLE = flags.DEFINE_multi_string(
  'style', [], 'Picture to paint like; may be repeated.'
)
_STYLE_WEIGHTS = flags.DEFINE_list(
  'style_weights', [], 'One number for each style; all alike if not given.'
)
_MASK = flags.DEFINE_multi_string(
  'mask',
  [],
  'Picture, white where the style of the same place in the list is to be; '
  'with one mask, a second style has the rest.',
)
_OUTPUT = flags.DEFINE_string('output', 'out.png', 'File to write.')
_KEEP_COLORS = flags.DEFINE_bool(
  'keep_colors', False, "The content's colours: colors=luminance."
)
_INIT = flags.DEFINE_string(
  'init',
  None,
  'content, colors, noise, noisy_content, style_stats, or a picture.',
)
_SIZE = flags.DEFINE_integer('size', None, 'Longer side of the result.')
_MIN_SIZE = flags.DEFINE_integer('min_size', None, 'Of the first scale.')
_FEATURES = flags.DEFINE_enum(
  'features', None, pretrained.FEATURES, 'Of which network.'
)
_WEIGHTS = flags.DEFINE_string(
  'weights', None, 'File: .pth, .h5, .safetensors, .npz, or SqueezeNet .net.'
)
_SEED = flags.DEFINE_integer('seed', None, 'Of the noise.')
_EVERY = flags.DEFINE_integer(
  'every', 50, 'Steps from one report to the next.', lower_bound=1
)
_GIF = flags.DEFINE_bool('gif', False, 'An animation of the reports as well.')
_VERIFY = flags.DEFINE_string(
  'verify_weights', None, 'File of VGG to be shown to be the true one.'
)


def main():
  """Paints; returns the exit code."""
  if _VERIFY.value:
    return _verify(_VERIFY.value)
  if not _CONTENT.value:
    raise ValueError('There is no picture to paint; give --content=FILE.')
  config = _configured()
  start = None
  if _INIT.value and pathlib.Path(_INIT.value).exists():
    start = pictures.load(_INIT.value)[None]
  elif _INIT.value:
    config.start = _INIT.value
  content = pictures.load(_CONTENT.value)[None]
  styles = _recoloured(config, _styles(config), content)
  encoder, sentence = _encoder(config)
  encoder = from_config.levelled(config, encoder, content)
  recipe = from_config.recipe(config, encoder, start)
  tqdm.write(f'Features: {sentence}')

  began, shown, left = time.monotonic(), [], False
  report = None
  sides, steps = from_config.scales(config)
  bar = tqdm(total=sum(steps), unit='step', disable=None, dynamic_ncols=True)
  with bar, signals.catch() as stop:
    done = 0
    for report in transfer.reports(
      jax.random.key(config.seed),
      encoder,
      recipe,
      content,
      styles,
      sides,
      steps,
      _EVERY.value,
    ):
      finished = sum(steps[: sides.index(max(report.size))]) + report.step
      bar.update(finished - done)
      done = finished
      words = _words(report)
      bar.set_postfix_str(words)
      if bar.disable:
        tqdm.write(f'{done}/{sum(steps)} steps, {words}')
      if _GIF.value:
        shown.append(_pixels(_kept(config, report.pictures, content)))
      if left := stop.is_set():
        break
  seconds = time.monotonic() - began
  _write(config, report, content, encoder, shown, seconds, done, sum(steps))
  return launch.LEFT if left and done < sum(steps) else 0


def _configured():
  config = _CONFIG.value
  for name, flag in (
    ('size', _SIZE),
    ('min_size', _MIN_SIZE),
    ('features', _FEATURES),
    ('seed', _SEED),
  ):
    if flag.value is not None:
      config[name] = flag.value
  if _KEEP_COLORS.value:
    config.colors = 'luminance'
  if config.colors not in ('style', 'luminance', 'match'):
    raise ValueError(
      f'There are no colors {config.colors!r}; choose from style, luminance, '
      'match.'
    )
  return config


def _styles(config):
  """The styles as a tuple of `objective.Exemplar`."""
  if not _STYLE.value:
    if config.style.weight:
      raise ValueError('There is no style; give --style=FILE.')
    return ()
  masks = [pictures.load(path).mean(-1)[None] for path in _MASK.value]
  if len(masks) == 1 and len(_STYLE.value) == 2:
    masks.append(1 - masks[0])
  if masks and len(masks) != len(_STYLE.value):
    raise ValueError(
      f'There are {len(masks)} masks for {len(_STYLE.value)} styles; give one '
      'for each, or one for the first of two.'
    )
  weights = [float(weight) for weight in _STYLE_WEIGHTS.value]
  if weights and len(weights) != len(_STYLE.value):
    raise ValueError(
      f'There are {len(weights)} style_weights for {len(_STYLE.value)} styles; '
      'give one for each.'
    )
  return tuple(
    objective.Exemplar(pictures.load(path)[None], weight, mask)
    for path, weight, mask in zip(
      _STYLE.value,
      weights or [1.0] * len(_STYLE.value),
      masks or [None] * len(_STYLE.value),
      strict=True,
    )
  )


def _recoloured(config, styles, content):
  """The styles in the content's colours, where these are to be kept."""
  recolour = {
    'style': lambda style, content: style,
    'luminance': color.matched_luminance,
    'match': color.matched,
  }[config.colors]
  return tuple(
    style._replace(picture=np.clip(recolour(style.picture, content), 0, 1))
    for style in styles
  )


def _kept(config, painted, content):
  """The result, with the content's chroma where its colours are to be kept."""
  if config.colors != 'luminance':
    return painted
  size = (1, *painted.shape[1:3], 3)
  return color.with_chroma(painted, jax.image.resize(content, size, 'cubic'))


def _encoder(config):
  with tqdm(desc='weights', unit='B', unit_scale=True, disable=None) as bar:

    def report(received, total):
      bar.total = total
      bar.update(received - bar.n)

    return from_config.encoder(config, _WEIGHTS.value, report)


def _words(report):
  losses = ', '.join(
    f'{name} {float(value[0]):.4g}' for name, value in report.losses.items()
  )
  return f'{report.size[1]}x{report.size[0]}: {losses}'


def _pixels(painted):
  return np.asarray(np.clip(painted, 0, 1)[0] * 255 + 0.5).astype(np.uint8)


def _write(config, report, content, encoder, shown, seconds, done, total):
  """Writes the picture, what made it, and the animation."""
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  pictures.save(path, _pixels(_kept(config, report.pictures, content)))
  about = path.with_suffix('.json')
  record = {
    'content': _CONTENT.value,
    'styles': _STYLE.value,
    'features': encoder.name,
    'config': json.loads(config.to_json()),
    'losses': {name: float(v[0]) for name, v in report.losses.items()},
    'steps': done,
    'of': total,
    'seconds': seconds,
    **provenance.record(),
  }
  files.write_json(about, record)
  written = f'{path} ({report.size[1]}x{report.size[0]}), {about}'
  if shown:
    animation = path.with_suffix('.gif')
    pictures.animate(animation, shown)
    written += f', {animation}'
  cut = '' if done == total else f'; stopped by a signal, of {total} steps'
  tqdm.write(f'{written}: {done} steps in {seconds:.0f} s{cut}.')


def _verify(path):
  verdict = pretrained.verify(path)
  for layer, statistic, expected, found in verdict.rows:
    agrees = 'agrees' if pretrained.agrees(expected, found) else 'differs'
    print(f'{layer:8} {statistic:8} {expected:12.4g} {found:12.4g}  {agrees}')
  print(verdict.sentence)
  return 0 if verdict.true else 1


if __name__ == '__main__':
  launch.run(main)
