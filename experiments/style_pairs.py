"""Compares recipes of style transfer on many pairs, by what they did not lower.

  python -m experiments.style_pairs --content a.jpg,b.jpg --style paintings/ \
    --presets default,fast,default+content.weight=0.3 --size 256

Each content, cut to a square, is painted in each style, and three numbers are
taken of the picture as it is written, none of which a recipe minimises:

- held out: the distance of the distributions of features (sliced Wasserstein,
  `ganjax.style.distribution`) in the layers that no preset here uses, of the
  network that was optimised. It was trained, so it knows strokes and forms, but
  neighbouring layers were optimised: it may flatter.
- other network: the same in a network that no recipe has seen, that of --judge;
  without one an untrained network of another seed, which nothing can flatter,
  but which sees little beyond colours and fine texture.
- MS-SSIM of luminance with the content: whether it is still recognisable.

Beside them are two floors: the content itself, and the content in the style's
colours, which any recipe has to surpass. What is closed is of the gap between
the content itself and the style, pair by pair: distances are relative to the
style, and a few dark styles make most of their mean. Finished pairs are kept,
not painted again. Colours are the style's: a preset's `colors` is not heeded.
"""

import functools
import importlib.util
import itertools
import json
import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from absl import flags
from PIL import Image
from tqdm import tqdm

from configs import style_transfer
from ganjax import files, launch, pictures
from ganjax.reports import style_pairs
from ganjax.style import (
  canvas,
  color,
  from_config,
  objective,
  pretrained,
  transfer,
  untrained,
)
from ganjax.style.judges import judge, likeness
from ganjax.training import provenance, signals
from ganjax.weights import formats

_CONTENT = flags.DEFINE_multi_string(
  'content', [], 'Pictures to paint: files, folders, or lists with commas.'
)
_STYLE = flags.DEFINE_multi_string(
  'style', [], 'Pictures to paint like: files, folders, or lists with commas.'
)
_PRESETS = flags.DEFINE_list(
  'presets',
  ['default', 'fast', 'wasserstein', 'gatys'],
  'Of configs/style_transfer.py; name+field=value changes a field.',
)
_SIZE = flags.DEFINE_integer('size', 256, 'Side of the results.', 32)
_LENGTH = flags.DEFINE_float(
  'length', 1.0, "Share of a recipe's steps that are taken.", 0.0, 1.0
)
_OUTPUT = flags.DEFINE_string('output', 'runs/pairs', 'Folder of results.')
_FEATURES = flags.DEFINE_enum(
  'features', None, pretrained.FEATURES, 'Of which network.'
)
_WEIGHTS = flags.DEFINE_string('weights', None, 'File of that network.')
_JUDGE = flags.DEFINE_string('judge', None, 'File of another network.')
_BATCH = flags.DEFINE_integer('batch', 5, 'Contents painted together.', 1)

# What these packages bring, where they are installed.
_BUNDLED = 'skimage/data', 'sklearn/datasets/images'
_CONTENTS = 'astronaut.png chelsea.png coffee.png rocket.jpg china.jpg'
_STYLES = 'brick.png gravel.png hubble_deep_field.jpg ihc.png flower.jpg'
_EVERY = 25  # steps from one movement of the progress bar to the next
_SEED = 1  # of the untrained judge; that of the presets is 0
_COLUMNS = 5  # of the sheet
_DISTANCES = 'held_out', 'other'


class Row(NamedTuple):
  """A way from contents to pictures: a floor or a preset.

  Attributes:
    label: of its line, and the name of its folder.
    made: what defines it, as JSON values.
    steps: how many it takes.
    paint: `(contents [N, s, s, 3], style [1, h, w, 3])`, yields `steps, [N, s,
      s, 3]`: how many more it has taken, and what it has come to.
  """

  label: str
  made: dict
  steps: int
  paint: Callable


def main():
  """Paints, measures, writes the table and the sheet; returns the exit code."""
  contents = _files(_CONTENT.value, _CONTENTS, 'content')
  styles = _files(_STYLE.value, _STYLES, 'style')
  rows, judges = _planned()
  tasks = [
    (row, style, together)
    for row, style in itertools.product(rows, styles)
    for together in _batches(row, contents, style, judges)
  ]
  total = sum(row.steps * len(together) for row, _, together in tasks)
  bar = tqdm(total=total, unit='step', disable=None, dynamic_ncols=True)
  with bar, signals.catch() as stop:
    for row, style, together in tasks:
      words = f'{row.label}, like {style.stem}'
      bar.set_postfix_str(words)
      if bar.disable:
        tqdm.write(f'{words}: {len(together)} pictures')
      began, last = time.monotonic(), None
      squares = np.stack([_square(content) for content in together])
      for steps, painted in row.paint(squares, pictures.load(style)[None]):
        bar.update(steps * len(together))
        last = painted
        if stop.is_set():
          tqdm.write('Stopped by a signal; the same command goes on.')
          return launch.LEFT
      seconds = (time.monotonic() - began) / len(together)
      for content, picture in zip(together, np.asarray(last), strict=True):
        _keep(row, content, style, picture, judges, seconds)
  _report(rows, contents, styles, judges)
  return 0


def _batches(row, contents, style, judges):
  """The contents that are still to be painted, some at a time."""
  left = [c for c in contents if not _finished(row, c, style, judges)]
  size = _BATCH.value
  return [left[first : first + size] for first in range(0, len(left), size)]


# What there is to do.


def _files(given, usual, kind):
  """The paths of pictures, whose names differ without their endings too."""
  asked = [pathlib.Path(n).expanduser() for v in given for n in v.split(',')]
  asked = asked or _installed(usual)
  found = [path for one in asked for path in _pictures(one)]
  if not found:
    raise ValueError(
      f'There is no {kind}; give --{kind}=FILE or a folder, or install '
      'scikit-image, which brings pictures.'
    )
  if len({path.stem for path in found}) < len(found):
    raise ValueError(
      f'Several of the pictures of --{kind} have the same name: results are '
      'kept by name, so rename them.'
    )
  return found


def _pictures(path):
  if not path.is_dir():
    return [path]
  endings = Image.registered_extensions()
  return sorted(p for p in path.iterdir() if p.suffix.lower() in endings)


def _installed(names):
  specs = [
    (importlib.util.find_spec(package), inner)
    for package, inner in (place.split('/', 1) for place in _BUNDLED)
  ]
  folders = [pathlib.Path(s.origin).parent / inner for s, inner in specs if s]
  found = [folder / name for name in names.split() for folder in folders]
  return [path for path in found if path.exists()]


def _planned():
  """The rows, floors first, and the judges by the names of their distances."""
  rows = [
    _floor('content', lambda content, style: content),
    _floor('colours', color.matched),
  ]
  optimised = set()
  for label in _PRESETS.value:
    config = _config(label)
    encoder, sentence = from_config.encoder(config, _WEIGHTS.value)
    recipe = from_config.recipe(config, encoder)
    optimised |= {layer for term in recipe.terms for layer in term.layers}
    rows.append(_preset(label, config, encoder, recipe))
    tqdm.write(f'{label}: {sentence}')
  own, _ = from_config.encoder(_config('default'), _WEIGHTS.value)
  # In VGG, what is called conv or pool is hardly more than relu.
  unused = [n for n in own.layers if n.startswith(('relu', 'fire'))]
  unused = tuple(n for n in unused if n not in optimised)
  other = (
    pretrained.load(_JUDGE.value) if _JUDGE.value else untrained.encoder(_SEED)
  )
  judges = judge(own, unused), judge(other, other.style)
  return rows, dict(zip(_DISTANCES, judges, strict=True))


def _config(label):
  """The config of a preset, such as 'default+content.weight=0.3'."""
  name, *changes = label.split('+')
  config = style_transfer.get_config(name)
  try:
    fields = dict(change.split('=') for change in changes)
    config.update_from_flattened_dict(
      {field: json.loads(value) for field, value in fields.items()}
    )
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f'There is no preset {label!r} ({error}); write name+field=value, with '
      'the fields of configs/style_transfer.py and values as in JSON.'
    ) from error
  config.size = _SIZE.value
  config.features = _FEATURES.value or config.features
  for scale, steps in config.steps.items():
    config.steps[scale] = max(1, round(_LENGTH.value * steps))
  return config


def _floor(label, change):
  def paint(contents, style):
    yield 1, change(contents, style)

  return Row(label, {'size': _SIZE.value}, 1, paint)


def _preset(label, config, encoder, recipe):
  sides, steps = from_config.scales(config)

  def paint(contents, style):
    key, styles = jax.random.key(config.seed), [objective.Exemplar(style)]
    for report in transfer.reports(
      key, encoder, recipe, contents, styles, sides, steps, _EVERY
    ):
      yield (report.step - 1) % _EVERY + 1, report.pictures

  made = {'config': json.loads(config.to_json()), 'features': encoder.name}
  return Row(label, made, sum(steps), paint)


@functools.cache
def _square(path):
  """The middle of a picture, `[size, size, 3]`."""
  picture = pictures.load(path)
  height, width, _ = picture.shape
  side = min(height, width)
  top, left = (height - side) // 2, (width - side) // 2
  middle = picture[None, top : top + side, left : left + side]
  return np.asarray(canvas.resized(middle, (_SIZE.value, _SIZE.value))[0])


# What is kept.


def _place(row, content, style, ending):
  name = f'{content.stem}--{style.stem}{ending}'
  return pathlib.Path(_OUTPUT.value) / row.label / name


def _made(row, content, style, judges):
  """All that a pair's numbers depend on, as JSON values."""
  return row.made | {
    'pictures': [_digest(content), _digest(style)],
    'judges': {n: [j.network, *j.layers] for n, j in judges.items()},
  }


_digest = functools.cache(formats.digest)


def _finished(row, content, style, judges):
  path = _place(row, content, style, '.json')
  if not path.exists():
    return False
  if json.loads(path.read_text())['made'] != _made(row, content, style, judges):
    raise ValueError(
      f'{path} was made otherwise (of other pictures, steps, weights or '
      'layers); give another --output, or the flags of before.'
    )
  return True


def _keep(row, content, style, painted, judges, seconds):
  """Writes the picture, and then what was measured of it."""
  path = _place(row, content, style, '.png')
  path.parent.mkdir(parents=True, exist_ok=True)
  pixels = np.round(255 * np.clip(painted, 0, 1)).astype(np.uint8)
  pictures.save(path, pixels)
  shown = np.float32(pixels) / 255
  distances = {
    name: each.distance(shown, style) for name, each in judges.items()
  }
  record = {
    'content': content.stem,
    'style': style.stem,
    **{name: found.mean for name, found in distances.items()},
    'ms_ssim': float(likeness(shown, _square(content))),
    'layers': {name: found.layers for name, found in distances.items()},
    'seconds': seconds,
    'made': _made(row, content, style, judges),
    **provenance.record(),
  }
  files.write_json(path.with_suffix('.json'), record)


# What is shown.


def _report(rows, contents, styles, judges):
  """Writes the table, as Markdown and as JSON, and the contact sheet."""
  folder = pathlib.Path(_OUTPUT.value)
  values = {}
  for row in rows:
    read = [
      json.loads(_place(row, *pair, '.json').read_text())
      for pair in itertools.product(contents, styles)
    ]
    names = *_DISTANCES, 'ms_ssim', 'seconds'
    found = {name: [one[name] for one in read] for name in names}
    gaps = values.get('content', found)
    values[row.label] = found | {
      f'{name}_closed': style_pairs.closed(found[name], gaps[name])
      for name in _DISTANCES
    }
  share = 'all' if _LENGTH.value == 1 else f'{_LENGTH.value:.0%}'
  table = style_pairs.table(
    values,
    [
      f'{len(contents)} contents, {len(styles)} styles, {_SIZE.value} pixels, '
      f"{share} of the recipes' steps. Mean ± standard error over pairs.",
      *(
        f'{name.replace("_", " ")}: {each.network}, {", ".join(each.layers)}.'
        for name, each in judges.items()
      ),
      provenance.in_words(),
    ],
  )
  print(table)
  files.write(folder / 'table.md', table)
  about = {'values': values, **provenance.record()}
  files.write_json(folder / 'table.json', about)
  pairs = style_pairs.varied(contents, styles)[:_COLUMNS]
  lines = {'style': [style for _, style in pairs]} | {
    row.label: [_place(row, *pair, '.png') for pair in pairs] for row in rows
  }
  style_pairs.sheet(lines).save(folder / 'sheet.png')
  tqdm.write(f'{folder}: table.md, table.json, sheet.png, and a folder a row.')


if __name__ == '__main__':
  launch.run(main)
