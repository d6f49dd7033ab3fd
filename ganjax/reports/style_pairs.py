"""What `style_pairs` shows of its pictures: a table and a contact sheet."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganjax.reports import tables

_SHOWN = (
  ('held_out', 'held out', '.4f'),
  ('held_out_closed', 'closed %', '.1f'),
  ('other', 'other network', '.4f'),
  ('other_closed', 'closed %', '.1f'),
  ('ms_ssim', 'MS-SSIM', '.3f'),
  ('seconds', 's a pair', '.1f'),
)
_TILE, _GAP, _MARGIN = 160, 4, 150  # pixels: of a picture, of white, of words


def closed(distances, gaps):
  """The shares of the gaps that are closed, a list, in percent.

  Args:
    distances: from a style, one for each pair.
    gaps: the distances of the contents themselves.
  """
  return [100 * (1 - d / g) for d, g in zip(distances, gaps, strict=True)]


def table(values, notes):
  """Markdown: means and their standard errors over pairs, and sentences.

  Args:
    values: from labels to dicts, from `held_out`, `other`, their `..._closed`,
      `ms_ssim` and `seconds` to a number for each pair.
    notes: sentences.
  """
  lines = [
    ['', *(title for _, title, _ in _SHOWN)],
    ['---', *['---:'] * len(_SHOWN)],
  ]
  for label, found in values.items():
    cells = []
    for name, _, form in _SHOWN:
      mean, error = map(tables.summary(found[name]).get, ('mean', 'error'))
      several = f' ± {error:{form}}' if np.isfinite(error) else ''
      cells.append(f'{mean:{form}}{several}')
    lines.append([label, *cells])
  rows = [f'| {" | ".join(line)} |' for line in lines]
  return '\n'.join([*rows, '', *(f'- {note}' for note in notes)]) + '\n'


def varied(contents, styles):
  """All pairs, in an order in which neighbours share nothing where they can."""
  return [
    (content, styles[(number + turn) % len(styles)])
    for turn in range(len(styles))
    for number, content in enumerate(contents)
  ]


def sheet(lines):
  """A picture of pictures: each line with its label, in black on white.

  Args:
    lines: from labels to lists of paths.
  """
  columns = max(map(len, lines.values()))
  size = _MARGIN + columns * _TILE, len(lines) * _TILE
  whole = Image.new('RGB', size, 'white')
  pen, font = ImageDraw.Draw(whole), ImageFont.load_default(12)
  for row, (label, paths) in enumerate(lines.items()):
    pen.text((4, row * _TILE), label.replace('+', '\n+'), 'black', font)
    for column, path in enumerate(paths):
      with Image.open(path) as image:
        tile = image.convert('RGB')
      tile.thumbnail((_TILE - _GAP, _TILE - _GAP))
      whole.paste(tile, (_MARGIN + column * _TILE, row * _TILE))
  return whole
