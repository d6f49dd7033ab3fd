r"""Trains the settings of a sweep with several seeds each, and reports on them.

  python -m experiments.sweep --config configs/dcgan.py --workdir runs/sweep \
    --grid loss=hinge,wasserstein --seeds 5
  python -m experiments.sweep --config configs/dcgan.py --workdir runs/search \
    --search optimizers.discriminator.learning_rate=log:1e-5..1e-2 --trials 50

The workdir gets `report.html`, tables, figures, and what was measured in
`programs/`; `--report` only writes the report again.

A setting is a value of each factor of `--grid`; without `--grid` and
`--search`, the config file proposes the settings. Runs that differ only in
seeds and in numbers that can be traced train as one program; `--on` runs
programs side by side, or on a cluster. The same command goes on where it was
stopped, and shares the work with other machines that share the workdir.
"""

import pathlib
import sys

from absl import flags
from tqdm import tqdm

from ganjax import launch, sweeps
from ganjax.config import flag
from ganjax.training import provenance

flag.define('configs/dcgan.py', 'Of a training on images or of a protocol.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'The folder for all results.')
flags.DEFINE_multi_string(
  'grid',
  [],
  'A factor, as FIELD=VALUE,VALUE; FIELD+FIELD=VALUE,VALUE moves two fields '
  'together. The settings are all combinations of values.',
)
flags.DEFINE_multi_string(
  'search',
  [],
  'A field that is searched, as FIELD=RANGE with a range 0..1, '
  'log:1e-5..1e-2, int:1..8 or hinge|wasserstein.',
)
flags.DEFINE_integer('trials', 100, 'Trials of a search.', 1)
flags.DEFINE_integer('population', 8, 'Trials that train at once.', 1)
flags.DEFINE_enum(
  'pruner',
  'median',
  ['median', 'halving', 'none'],
  'How a search decides which trials end early.',
)
flags.DEFINE_string(
  'storage',
  '',
  'Where Optuna stores the study of a search: a URL, or journal:PATH; '
  'study.db in the workdir if not given.',
)
flags.DEFINE_string(
  'objective', None, 'What orders the settings; the first measured value.'
)
flags.DEFINE_enum(
  'direction',
  None,
  ['minimize', 'maximize'],
  "Of the objective; the measure's own if not given.",
)
flags.DEFINE_integer('seeds', 3, 'Runs of each setting.', 1)
flags.DEFINE_integer('evaluations', 4, 'How often a run is measured.', 1)
flags.DEFINE_integer('samples', 1000, 'Images of a run that are measured.', 2)
flags.DEFINE_list(
  'metrics', ['fid', 'distance'], "Of images, as experiments.evaluate's."
)
flags.DEFINE_string(
  'features',
  'auto',
  "What FID and the like compare images by, as experiments.evaluate's.",
)
flags.DEFINE_string(
  'reals',
  '',
  'The split that samples are compared with; that of the training if empty.',
)
flags.DEFINE_enum(
  'mapping',
  None,
  ['vmap', 'map', 'steps'],
  'How members of a program are mapped; the network decides if not given.',
)
_ALONE = flags.DEFINE_integer(
  'alone',
  0,
  'Runs of the first program that are also trained alone, one after another, '
  'to print what training together saves.',
  0,
)
_QUIET = flags.DEFINE_bool(
  'quiet', False, 'Only run programs: no forecast, no tables, no report.'
)
_DRY_RUN = flags.DEFINE_bool('dry_run', False, 'Only print the plan.')
_REPORT = flags.DEFINE_bool('report', False, 'Only write the report again.')
sweeps.places.define()
flags.mark_flag_as_required('workdir')


def main():
  """Runs what is missing, and reports; returns the exit code."""
  folder = pathlib.Path(_WORKDIR.value)
  if _REPORT.value:
    return _report(folder)
  place = sweeps.places.asked()
  launch.one_device_a_core()
  planned = sweeps.command.prepare(_asked())
  if not _QUIET.value:
    sweeps.command.announce(planned, place)
  if _DRY_RUN.value or sweeps.command.printed(planned, place):
    return 0
  if not sweeps.command.run(planned, place):
    tqdm.write('Stopped by a signal; the same command goes on from there.')
    return launch.STOPPED
  if _QUIET.value:
    return 0
  if not sweeps.command.finished(planned):
    tqdm.write('Other processes run the rest; the last of them reports.')
    return 0
  if _ALONE.value:
    sweeps.forecast.compare_alone(
      planned.programs[0], planned.sweep, _ALONE.value
    )
  return _report(folder)


def _asked():
  given = flags.FLAGS
  own = {
    'name': given['config'].config_filename,
    'overrides': dict(given['config'].override_values),
    'command': [provenance.program(), *sys.argv[1:]],
    'workdir': pathlib.Path(_WORKDIR.value),
  }
  rest = set(sweeps.command.Asked._fields) - own.keys()
  return sweeps.command.Asked(
    **own, **{name: given[name].value for name in rest}
  )


def _report(folder):
  from ganjax.reports import sweep_page  # Its libraries are another extra's.

  paths = sweep_page.write(folder, tqdm.write)
  tqdm.write(f'In {folder}: {", ".join(path.name for path in paths)}.')
  return 0


if __name__ == '__main__':
  launch.run(main)
