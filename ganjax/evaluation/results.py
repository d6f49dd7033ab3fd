"""What was measured of a run: the rows of `evaluation.json` in its folder.

A row says what was measured (the subject, the step, the number of images), how
(`settings` for all measures, and `how` for each of them), and the values. The
file also has the `columns` of the values, as `ganjax.reports.columns` says.
"""

import pathlib

from ganjax import files
from ganjax.training import provenance


def read(path):
  """Returns the rows of a file, dicts; none where there is no file."""
  path = pathlib.Path(path)
  return files.read_json(path)['measures'] if path.exists() else []


def row(rows, about):
  """Returns the row about just that; a new one, if there is none.

  Args:
    rows: dicts; a new one is added to them.
    about: a dict of JSON values.
  """
  for one in rows:
    if about == {name: one.get(name) for name in about}:
      return one
  rows.append({**about, 'how': {}})
  return rows[-1]


def complete(row, measures, pair, checkpoints, seed):
  """Adds to a row the values of measures that it lacks.

  Args:
    row: a dict of JSON values.
    measures: a list of `measures.Measure`.
    pair: `() -> reals, fakes`, two `samples.Samples`; not called if nothing is
      lacking.
    checkpoints: of the checkpoint before and of this one, a pair of
      `samples.tracked` and the images seen; None where there is none before, so
      that measures that compare two are left out.
    seed: of the measures.
  """
  for measure in measures:
    if measure.name in row['how']:
      continue
    if measure.needs != 'tracked':
      given = pair()
      if measure.of_runs and given[1].judge is None:
        continue
    elif checkpoints:
      (earlier, since), (now, _) = checkpoints
      given = earlier, now
      row[f'{measure.name}_since'] = since
    else:
      continue
    values, row['how'][measure.name] = measure.take(*given, seed)
    row.update(values)


def name_checkpoints(rows, names):
  """Says in each row of samples whether its checkpoint is the last or the best.

  Args:
    rows: dicts; 'checkpoint' is set in those with a step, to '' if it is
      neither, for another one may have become it since they were measured.
    names: a dict from steps to 'last', 'best' or 'last, best'.
  """
  for row in rows:
    if 'step' in row:
      row['checkpoint'] = names.get(row['step'], '')


def write(path, rows, columns):
  """Writes rows, the columns of their values, and how they were computed.

  Args:
    path: of the file.
    rows: dicts of JSON values.
    columns: of `measures.columns`; those that the file has already are kept.
  """
  path = pathlib.Path(path)
  if path.exists():
    columns = files.read_json(path).get('columns', {}) | columns
  files.write_json(
    path, {'columns': columns, 'measures': rows, **provenance.record()}
  )


def settings(config, data, extractor, seed):
  """Returns what all measures of samples of a run depend on: a dict of words.

  Args:
    config: of the training.
    data: an `images.ImageSet`.
    extractor: the `features.Features`.
    seed: of the latents, pairs and patches.
  """
  found = {
    'features': extractor.name,
    'data': f'{data.name}, {len(data.images)} images ({data.identity})',
    'split': config.data.split,
    'resizing': f'{config.data.crop} to {data.images.shape[1]} pixels; what a '
    'stage of growth makes smaller is enlarged by nearest pixels',
    'seed': seed,
  }
  if config.data.mirror:
    found['mirrored'] = (
      'half of the images in training, and so of the samples; none of the '
      'reals, held out or not, so that the distances of the samples have that '
      'of mirroring in them'
    )
  return found
