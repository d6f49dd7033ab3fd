r"""Draws a measured value over training, for groups of runs.

  python -m experiments.curve --output runs/curve \
    --group 'msg=runs/msg-*' --group progressive=runs/pg-0,runs/pg-1
  python -m experiments.curve --output runs/curve --metric change \
    --group msg=runs/msg-0,runs/msg-1 --scale log

The runs of a group differ in their seeds: the line is their mean, the band
their standard deviation. Measure each run with evaluate --checkpoint=all
before. The figure (curve.png and curve.pdf) and its numbers (table.json, .csv,
.tex and .md) are written into the folder OUTPUT/METRIC.
"""

import glob
import pathlib

from absl import flags
from tqdm import tqdm

from ganjax import launch, paths
from ganjax.reports import groups, tables
from ganjax.reports.figures import curves, layout
from ganjax.training import provenance

_GROUP = flags.DEFINE_multi_string(
  'group',
  None,
  'NAME=WORKDIR,WORKDIR: the name of a group and the folders of its runs. A '
  'folder may be a pattern. Give the flag once for each group.',
)
_METRIC = flags.DEFINE_string(
  'metric',
  'fid',
  'The value to draw, such as fid or precision. A value that is measured at '
  'several resolutions has a panel for each of them.',
)
_WEIGHTS = flags.DEFINE_enum(
  'weights',
  'ema',
  ['ema', 'ema_live', 'ema_standing', 'raw'],
  'Draw what evaluate measured with these --weights.',
)
_ACROSS = flags.DEFINE_enum(
  'across',
  'images',
  ['images', 'seconds'],
  'The horizontal axis: images seen, or the seconds that the runs trained, '
  'which compare runs of one machine that was as busy with all of them.',
)
_SCALE = flags.DEFINE_enum(
  'scale', 'linear', ['linear', 'log'], 'The scale of the vertical axis.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'The folder to write into; each metric has its own in it.'
)
_AXES = {'images': 'images seen', 'seconds': 'seconds of training'}
flags.mark_flags_as_required(['group', 'output'])


def main():
  """Writes the figure and the table."""
  folder = paths.check_folder(_OUTPUT.value, '--output') / _METRIC.value
  named = dict(_parsed(group) for group in _GROUP.value)
  found = groups.read(named, _METRIC.value, _WEIGHTS.value)
  for name, group in found.groups.items():
    if group.left_out:
      tqdm.write(
        f'{name}: {group.left_out} evaluations are left out, for not all runs '
        'have them.'
      )
  across = {name: group.images for name, group in found.groups.items()}
  if _ACROSS.value == 'seconds':
    across = {
      name: groups.seconds(named[name], images)
      for name, images in across.items()
    }
  folder.mkdir(parents=True, exist_ok=True)
  titles = list(
    dict.fromkeys(
      title for own in found.groups.values() for title in own.values
    )
  )
  _tabulate(folder, found, titles, across)
  figure = curves.curves(
    {
      title: {
        name: curves.with_deviation(across[name], group.values[title])
        for name, group in found.groups.items()
        if title in group.values
      }
      for title in titles
    },
    found.title,
    _AXES[_ACROSS.value],
    scale=_SCALE.value,
    bottom=0,
    references=found.references,
    reference='held-out reals',
    caption=found.note,
  )
  for ending in ('png', 'pdf'):
    layout.save(figure, folder / f'curve.{ending}')
  tqdm.write(
    f'In {folder}: curve.png and .pdf; table.json, .csv, .tex and .md.'
  )
  return 0


def _parsed(group):
  """Returns the name of a group and the folders of its runs."""
  name, _, listed = group.partition('=')
  folders = []
  for part in filter(None, listed.split(',')):
    folders += map(pathlib.Path, sorted(glob.glob(part)) or [part])
  if not name or not folders:
    raise ValueError(
      f'--group is {group!r}; give a name and the workdirs of its runs, such '
      'as msg=runs/msg-0,runs/msg-1.'
    )
  return name, folders


def _tabulate(folder, found, titles, across):
  """Writes and prints the table: a row for each evaluation of each group."""
  columns = [
    tables.Column(title, f'{found.title} {title}'.strip(), '.3g')
    for title in titles
  ]
  rows = [
    {
      'label': f'{name}, {where:,.0f} {_ACROSS.value}',
      'values': {title: own[:, at] for title, own in group.values.items()},
    }
    for name, group in found.groups.items()
    for at, where in enumerate(across[name])
  ]
  notes = (found.note, provenance.in_words())
  tables.write(folder, rows, columns, notes, title='group')
  print(tables.text(rows, columns, notes, title='group'))


if __name__ == '__main__':
  launch.run(main)
