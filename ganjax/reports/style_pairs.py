"""The results of `experiments.style_pairs`: a table and a contact sheet."""

import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganjax import files, picture_files
from ganjax.reports import render
from ganjax.reports.statistics import summary

_COLUMNS = (
  ('held_out_layers', 'held-out layers', '.4f'),
  ('held_out_layers_closed', 'closed %', '.1f'),
  ('held_out_network', 'held-out network', '.4f'),
  ('held_out_network_closed', 'closed %', '.1f'),
  ('ms_ssim', 'MS-SSIM', '.3f'),
  ('seconds', 's a pair', '.1f'),
)
_TILE, _GAP, _MARGIN = 160, 4, 150  # pixels: a picture, white around it, labels
_PAIRS = 5  # on the contact sheet


def write(folder, values, paths, notes, about):
  """Writes table.md, table.json and sheet.png; returns the table.

  Args:
    folder: that exists.
    values: from the labels of rows to dicts, from `held_out_layers`,
      `held_out_network`, `ms_ssim` and `seconds` to a list with a number for
      each pair; the first row is that of the contents themselves.
    paths: from labels to lists of pictures, of which the sheet has the first.
    notes: sentences below the table.
    about: more JSON values for table.json.
  """
  [contents, *_] = values.values()
  values = {
    label: found
    | {
      f'{name}_closed': closed(found[name], contents[name])
      for name in ('held_out_layers', 'held_out_network')
    }
    for label, found in values.items()
  }
  folder, written = pathlib.Path(folder), table(values, notes)
  files.write(folder / 'table.md', written)
  files.write_json(folder / 'table.json', {'values': values, **about})
  rows = {label: row[:_PAIRS] for label, row in paths.items()}
  with files.whole(folder / 'sheet.png') as unfinished:
    sheet(rows).save(unfinished, 'png')
  return written


def closed(distances, gaps):
  """Returns what share of each gap is closed, a list in percent.

  Args:
    distances: from a style, one for each pair.
    gaps: the distances of the contents themselves.
  """
  return [100 * (1 - d / g) for d, g in zip(distances, gaps, strict=True)]


def table(values, notes):
  """Returns Markdown: means and standard errors over pairs, and sentences.

  Pairs share their contents and styles, so that the standard errors are too
  small for other pictures, and below the table it says so.

  Args:
    values: from the labels of rows to dicts, from `held_out_layers`,
      `held_out_network`, their `..._closed`, `ms_ssim` and `seconds` to a list
      with a number for each pair.
    notes: sentences.
  """
  rows = [
    [label, *(_cell(found[name], form) for name, _, form in _COLUMNS)]
    for label, found in values.items()
  ]
  titles = ['', *(title for _, title, _ in _COLUMNS)]
  numbers = frozenset(range(1, len(titles)))
  notes = [
    'Mean ± standard error over pairs, as if they were independent; (k of n): '
    'defined for k pairs of n, the others are left out.',
    *notes,
  ]
  return render.markdown(render.Table(titles, rows, numbers, notes))


def _cell(numbers, form):
  found = summary(numbers)
  words = f'{found["mean"]:{form}}' if found['number'] else 'undefined'
  if np.isfinite(found['error']):
    words += f' ± {found["error"]:{form}}'
  if found['missing']:
    words += f' ({found["number"]} of {len(numbers)})'
  return words


def sheet(rows):
  """Returns a picture of pictures, each row with its label, on white.

  Args:
    rows: from labels to lists of paths.
  """
  columns = max(map(len, rows.values()))
  size = _MARGIN + columns * _TILE, len(rows) * _TILE
  whole = Image.new('RGB', size, 'white')
  pen, font = ImageDraw.Draw(whole), ImageFont.load_default(12)
  for row, (label, paths) in enumerate(rows.items()):
    pen.text((4, row * _TILE), label.replace('+', '\n+'), 'black', font)
    for column, path in enumerate(paths):
      tile = picture_files.opaque(picture_files.read(path)).convert('RGB')
      tile.thumbnail((_TILE - _GAP, _TILE - _GAP))
      whole.paste(tile, (_MARGIN + column * _TILE, row * _TILE))
  return whole
