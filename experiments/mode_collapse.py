r"""Trains the remedies of a protocol of mode collapse, with several seeds each.

  python -m experiments.mode_collapse --workdir runs/ring \
    --config configs/mode_collapse.py:ring
  python -m experiments.mode_collapse --workdir runs/ring \
    --config configs/mode_collapse.py:ring --remedies gan,pac2 --length .1

The workdir gets a table of the remedies beside the published values, which is
printed too, figures, and what was measured in `programs/`; `--report` only
writes the tables and figures again.

A remedy is what it changes in the protocol. The same command goes on where it
was stopped; more seeds or remedies are added to what is there. `--on` trains
remedies side by side, or on a cluster.
"""

import pathlib
import sys

from absl import flags
from tqdm import tqdm

from ganjax import launch, sweeps
from ganjax.config import flag, purpose
from ganjax.training import provenance

_CONFIG = flag.define(
  'configs/mode_collapse.py:ring',
  'The protocol, whose name follows the colon.',
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'The folder for all results.')
_REMEDIES = flags.DEFINE_list(
  'remedies', None, 'The remedies; all of the protocol if not given.'
)
_SEEDS = flags.DEFINE_integer(
  'seeds', None, "Runs of each remedy; the protocol's number if not given.", 1
)
_IMAGES = flags.DEFINE_integer(
  'images', None, 'Examples that each run takes, instead of --length.', 1
)
_LENGTH = flags.DEFINE_float(
  'length', 1.0, "The share of the protocol's steps of each run.", 0.0, 1.0
)
_EIGENVALUES = flags.DEFINE_integer(
  'eigenvalues',
  0,
  "How many eigenvalues of the game's Jacobian are drawn, where the first run "
  'of each remedy ended.',
  0,
)
_QUIET = flags.DEFINE_bool('quiet', False, 'Only train: no tables, no figures.')
_REPORT = flags.DEFINE_bool('report', False, 'Only write the report again.')
sweeps.places.define()
flags.mark_flag_as_required('workdir')


def main():
  """Runs what is missing, and reports; returns the exit code."""
  place = sweeps.places.asked()
  launch.one_device_a_core()
  config = purpose.checked(_CONFIG.value, purpose.MODES)
  folder = pathlib.Path(_WORKDIR.value)
  if config.protocol == 'dirac':
    from experiments import dirac

    return dirac.report(folder, config)
  protocol = sweeps.protocol.prepare(
    config, folder, _REMEDIES.value, _SEEDS.value, _LENGTH.value, _IMAGES.value
  )
  if not _REPORT.value or folder.exists():
    write = not _REPORT.value and not place.job
    protocol = sweeps.protocol.claim(protocol, _about(), write)
  if not _REPORT.value:
    tqdm.write(sweeps.protocol.text(protocol))
    if sweeps.protocol.printed(protocol, place):
      return 0
    if not sweeps.protocol.run(protocol, place):
      tqdm.write('Stopped by a signal; the same command goes on from there.')
      return launch.STOPPED
    if _QUIET.value:
      return 0
    if not sweeps.protocol.finished(protocol):
      tqdm.write('Other processes run the rest; the last of them reports.')
      return 0
  notes = (provenance.in_words(),)
  report = sweeps.protocol_report.report
  print(report(protocol, notes, _EIGENVALUES.value, tqdm.write))
  tqdm.write(
    f'In {folder}: table.json, .csv, .tex and .md, and those of spread/; '
    'figures of samples, modes and others; what was measured in programs/.'
  )
  return 0


def _about():
  config = flags.FLAGS['config']
  return {
    'name': config.config_filename,
    'command': [provenance.program(), *sys.argv[1:]],
    'overrides': [
      f'--config.{name}={value}'
      for name, value in config.override_values.items()
    ],
  }


if __name__ == '__main__':
  launch.run(main)
