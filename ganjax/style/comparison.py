"""A comparison of methods on many pairs of pictures, whose results are files.

Each content, cut to a square, is painted in each style. A pair's picture and
measurements are written as soon as they are there, so a comparison that was
stopped goes on with what is left.
"""

import functools
import importlib.util
import itertools
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from ganjax import files, picture_files, pictures
from ganjax.style import from_config, held_out, objective, sizes, transfer
from ganjax.weights import formats

_EVERY = 25  # steps from one report of progress to the next

# The pictures of these packages are the default, where they are installed.
_PACKAGES = ('skimage', 'data'), ('sklearn', 'datasets/images')
_BUNDLED = {
  'content': 'astronaut.png chelsea.png coffee.png rocket.jpg china.jpg',
  'style': 'brick.png gravel.png hubble_deep_field.jpg ihc.png flower.jpg',
}


class Entry(NamedTuple):
  """What is compared: a baseline or a preset.

  Attributes:
    label: of its row in the table, and the name of its folder.
    definition: what its pictures depend on, as JSON values.
    steps: how many it takes for a picture.
    paint: `(contents [N, s, s, 3], style [1, h, w, 3])`, which yields `(steps,
      pictures [N, s, s, 3])`: how many more steps were taken, and the result.
  """

  label: str
  definition: dict
  steps: int
  paint: Callable


class Comparison(NamedTuple):
  """What is compared, on what, and where the results are.

  Attributes:
    folder: with a folder for each entry.
    entries: a list of `Entry`, the first of which is the content itself.
    contents: paths of pictures, all with different names.
    styles: paths of pictures, all with different names.
    size: the side of the results, in pixels.
    distances: from names to `held_out.FeatureDistance`.
  """

  folder: pathlib.Path
  entries: list
  contents: list
  styles: list
  size: int
  distances: Mapping


def baseline(label, size, change):
  """Returns the `Entry` of a function of pictures that takes no steps.

  Args:
    label: its name.
    size: the side of the results, in pixels.
    change: `(contents [N, s, s, 3], style [1, h, w, 3]) -> pictures`.
  """

  def paint(contents, style):
    yield 1, change(contents, style)

  return Entry(label, {'size': size}, 1, paint)


def preset(label, config, encoder, method):
  """Returns the `Entry` of a config of style transfer.

  Args:
    label: its name.
    config: whose `size` is the side of the results.
    encoder: of `ganjax.style.encoders`.
    method: a `transfer.Method` of the config for the encoder.
  """
  sides, steps = from_config.scales(config)

  def paint(contents, style):
    key, styles = jax.random.key(config.seed), [objective.Exemplar(style)]
    done = 0
    for progress in transfer.run(
      key, encoder, method, contents, styles, sides, steps, _EVERY
    ):
      yield progress.step - done, progress.pictures
      done = progress.step

  definition = {
    'config': json.loads(config.to_json()),
    'features': encoder.name,
  }
  return Entry(label, definition, sum(steps), paint)


def find(names, flag):
  """Returns the paths of pictures, a list.

  Args:
    names: paths of pictures, and of folders of pictures. Without any, they are
      pictures that scikit-image and scikit-learn bring.
    flag: of the program that they were given by: 'content' or 'style'.

  Raises:
    ValueError: if there is no picture, two have the same name, or one cannot be
      read.
  """
  found = []
  for path in [pathlib.Path(n).expanduser() for n in names] or _bundled(flag):
    inside = sorted(path.iterdir()) if path.is_dir() else []
    found += [p for p in inside if _listed(p)]
    found += [] if path.is_dir() else [path]
  if not found:
    raise ValueError(
      f'There are no pictures. Give --{flag}=FILE or a folder of pictures, or '
      'install scikit-image, which brings some.'
    )
  if len({path.stem for path in found}) < len(found):
    raise ValueError(
      f'Several pictures of --{flag} have the same name, but results are named '
      'after them. Rename the pictures.'
    )
  for path in found:
    picture_files.read(path)
  return found


def _listed(path):
  hidden = path.name.startswith('.')
  ending = path.suffix.lower()
  return not hidden and ending in picture_files.ENDINGS and path.is_file()


def _bundled(flag):
  folders = [
    pathlib.Path(spec.origin).parent / inside
    for package, inside in _PACKAGES
    if (spec := importlib.util.find_spec(package)) and spec.origin
  ]
  names = _BUNDLED[flag].split()
  paths = [folder / name for name in names for folder in folders]
  return [path for path in paths if path.exists()]


@functools.cache
def square(path, size):
  """Returns the middle of a picture, `[size, size, 3]` in [0, 1]."""
  picture = pictures.load(path)
  height, width, _ = picture.shape
  side = min(height, width)
  top, left = (height - side) // 2, (width - side) // 2
  middle = picture[None, top : top + side, left : left + side]
  return np.asarray(sizes.resized(middle, (size, size))[0])


def pending(comparison, batch):
  """Returns what is left to be painted: a list of (entry, style, contents).

  Args:
    comparison: a `Comparison`.
    batch: the most contents that are painted together.

  Raises:
    ValueError: if there are results of another definition.
  """
  left = []
  for entry, style in itertools.product(comparison.entries, comparison.styles):
    contents = [
      content
      for content in comparison.contents
      if not _finished(comparison, entry, content, style)
    ]
    left += [
      (entry, style, contents[first : first + batch])
      for first in range(0, len(contents), batch)
    ]
  return left


def path(comparison, entry, content, style, ending='.png'):
  """Returns the path of a pair's picture, or of its measurements ('.json')."""
  name = f'{content.stem}--{style.stem}{ending}'
  return comparison.folder / entry.label / name


def save(comparison, entry, content, style, painted, about):
  """Writes the picture of a pair, and then what is measured of it.

  Args:
    comparison: a `Comparison`.
    entry: the `Entry` that painted it.
    content: a path.
    style: a path.
    painted: `[s, s, 3]` in [0, 1].
    about: more JSON values to write, such as the seconds that it took.
  """
  file = path(comparison, entry, content, style)
  file.parent.mkdir(parents=True, exist_ok=True)
  pixels = pictures.pixels(painted)
  pictures.save(file, pixels)
  written = np.float32(pixels) / 255
  distances = {
    name: each.distance(written, style)
    for name, each in comparison.distances.items()
  }
  similarity = held_out.content_similarity(
    written, square(content, comparison.size)
  )
  record = {
    'content': content.stem,
    'style': style.stem,
    **{name: found.mean for name, found in distances.items()},
    'ms_ssim': float(similarity),
    'layers': {name: found.layers for name, found in distances.items()},
    'definition': _definition(comparison, entry, content, style),
    **about,
  }
  files.write_json(file.with_suffix('.json'), record)


def values(comparison):
  """Returns what was measured, by label and name: a list over the pairs.

  Args:
    comparison: a `Comparison`, of which nothing is pending.
  """
  names = *comparison.distances, 'ms_ssim', 'seconds'
  found = {}
  for entry in comparison.entries:
    read = [
      json.loads(path(comparison, entry, *pair, '.json').read_text())
      for pair in itertools.product(comparison.contents, comparison.styles)
    ]
    found[entry.label] = {name: [one[name] for one in read] for name in names}
  return found


def paths(comparison):
  """Returns the styles' paths, and those of the pictures in them, by label.

  Both are in an order in which neighbouring pairs have, as far as possible,
  neither the content nor the style in common.

  Args:
    comparison: a `Comparison`.
  """
  pairs = varied(comparison.contents, comparison.styles)
  return {'style': [style for _, style in pairs]} | {
    entry.label: [path(comparison, entry, *pair) for pair in pairs]
    for entry in comparison.entries
  }


def varied(contents, styles):
  """Returns all pairs, so that neighbours have as little as possible in common.

  Args:
    contents: a sequence.
    styles: a sequence.
  """
  return [
    (content, styles[(number + shift) % len(styles)])
    for shift in range(len(styles))
    for number, content in enumerate(contents)
  ]


def _definition(comparison, entry, content, style):
  """Returns all that a pair's measurements depend on, as JSON values."""
  return entry.definition | {
    'pictures': [_digest(content), _digest(style)],
    'distances': {
      name: [each.network, *each.layers]
      for name, each in comparison.distances.items()
    },
  }


_digest = functools.cache(formats.digest)


def _finished(comparison, entry, content, style):
  file = path(comparison, entry, content, style, '.json')
  if not file.exists():
    return False
  there = json.loads(file.read_text())['definition']
  now = _definition(comparison, entry, content, style)
  files.check_same(file, there, now, 'comparison')
  return True
