r"""Compares methods of style transfer on many pairs of content and style.

  python -m experiments.style_pairs --content a.jpg,b.jpg --style paintings/
  python -m experiments.style_pairs --content photos/ --style paintings/ \
    --presets default,fast,default+content.weight=0.3 --size 256

Results go to --output: table.md, table.json, a contact sheet sheet.png, and a
folder for each method with a picture and a JSON file for each pair. The same
command after an interruption paints only what is missing.

Each content, cut to a square, is painted in each style, and judged by what no
method minimises: the distance from the style's features in layers that no
preset uses, and in another network (see `ganjax.style.held_out`), and the
MS-SSIM with the content. Two baselines stand beside the presets: the content
itself, and the content in the style's colours. "Closed" is the share of the
distance between content and style that is gone. A preset's `colors` is not
used.
"""

import time

import numpy as np
from absl import flags
from tqdm import tqdm

from configs import style_transfer
from ganjax import launch, paths, pictures
from ganjax.config import ranges
from ganjax.reports import style_pairs
from ganjax.style import color, comparison, from_config, held_out, pretrained
from ganjax.style import random_filters as random
from ganjax.training import provenance, signals

_CONTENT = flags.DEFINE_list('content', [], 'Pictures, or folders of them.')
_STYLE = flags.DEFINE_list('style', [], 'Pictures, or folders of them.')
_PRESETS = flags.DEFINE_list(
  'presets',
  ['default', 'fast', 'wasserstein', 'gatys'],
  'Of configs/style_transfer.py; name+field=value changes a field.',
)
_SIZE = flags.DEFINE_integer('size', 256, 'Side of results in pixels.', 32)
_LENGTH = flags.DEFINE_float(
  'length', 1.0, "The share of the presets' steps that is taken.", 0.0, 1.0
)
_OUTPUT = flags.DEFINE_string('output', 'runs/pairs', 'The folder of results.')
_FEATURES = flags.DEFINE_enum(
  'features', None, pretrained.FEATURES, 'The network that presets use.'
)
_WEIGHTS = flags.DEFINE_string('weights', None, 'The file of that network.')
_HELD_OUT_WEIGHTS = flags.DEFINE_string(
  'held_out_weights', None, 'The file of another network, for measuring.'
)
_BATCH = flags.DEFINE_integer('batch', 5, 'Contents painted together.', 1)

_HELD_OUT_SEED = 1  # of random filters; that of the presets is 0


def main():
  """Paints, measures, and writes the table; returns the exit code."""
  compared = _comparison()
  tasks = comparison.pending(compared, _BATCH.value)
  total = sum(entry.steps * len(contents) for entry, _, contents in tasks)
  bar = tqdm(total=total, unit='step', disable=None, dynamic_ncols=True)
  with bar, signals.catch() as stop:
    for entry, style, contents in tasks:
      name = paths.printable(style.stem)
      words = f'{entry.label} in the style of {name}'
      bar.set_postfix_str(words)
      if bar.disable:
        tqdm.write(f'{words}: {len(contents)} pictures')
      began = time.monotonic()
      squares = np.stack([comparison.square(c, _SIZE.value) for c in contents])
      painting = entry.paint(squares, pictures.load(style)[None])
      for steps, painted in painting:  # noqa: B007 the last one is saved
        bar.update(steps * len(contents))
        if stop.is_set():
          tqdm.write('Stopped by a signal. The same command goes on.')
          return launch.STOPPED
      seconds = (time.monotonic() - began) / len(contents)
      for content, picture in zip(contents, np.asarray(painted), strict=True):
        about = {'seconds': seconds, **provenance.record()}
        comparison.save(compared, entry, content, style, picture, about)
  print(_report(compared))
  return 0


def _comparison():
  """Returns the `Comparison` of the flags: two baselines, and the presets."""
  size, folder = _SIZE.value, paths.check_folder(_OUTPUT.value, '--output')
  if not _LENGTH.value:
    raise ValueError('--length is 0, which leaves no steps; give more.')
  contents = comparison.find(_CONTENT.value, 'content')
  styles = comparison.find(_STYLE.value, 'style')
  content = comparison.baseline('content', size, lambda own, style: own)
  colors = comparison.baseline('colors', size, color.matched)
  entries, used, sentences = [content, colors], set(), []
  for label in _PRESETS.value:
    config = _config(label)
    encoder, sentence = from_config.encoder(config, _WEIGHTS.value)
    method = from_config.method(config, encoder)
    used |= {layer for term in method.terms for layer in term.layers}
    entries.append(comparison.preset(label, config, encoder, method))
    sentences.append(f'{label}: {sentence}')
  own, _ = from_config.encoder(_config('default'), _WEIGHTS.value)
  file, unused = _HELD_OUT_WEIGHTS.value, held_out.unused_layers(own, used)
  other = pretrained.load(file) if file else random.encoder(_HELD_OUT_SEED)
  tqdm.write('\n'.join(sentences))
  return comparison.Comparison(
    folder=folder,
    entries=entries,
    contents=contents,
    styles=styles,
    size=size,
    distances={
      'held_out_layers': held_out.feature_distance(own, unused),
      'held_out_network': held_out.feature_distance(other, other.style),
    },
  )


def _config(label):
  """Returns the config of a preset, such as 'default+content.weight=0.3'."""
  name, *changes = label.split('+')
  config = style_transfer.get_config(name)
  from_config.change(config, changes)
  ranges.check(config)
  config.size = _SIZE.value
  config.features = _FEATURES.value or config.features
  for scale, steps in config.steps.items():
    config.steps[scale] = max(1, round(_LENGTH.value * steps))
  return config


def _report(compared):
  """Writes the table and the contact sheet; returns the former."""
  share = 'all' if _LENGTH.value == 1 else f'{_LENGTH.value:.0%}'
  notes = [
    f'{len(compared.contents)} contents, {len(compared.styles)} styles, '
    f"{_SIZE.value} pixels, {share} of the presets' steps. Mean ± standard "
    'error over pairs.',
    *(
      f'The {name.replace("held_out_", "held-out ")}: {each.network}, '
      f'{", ".join(each.layers)}.'
      for name, each in compared.distances.items()
    ),
    provenance.in_words(),
  ]
  values, paths = comparison.values(compared), comparison.paths(compared)
  return style_pairs.write(
    compared.folder, values, paths, notes, provenance.record()
  )


if __name__ == '__main__':
  launch.run(main)
