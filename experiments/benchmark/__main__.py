r"""Times training steps and style transfer, beside PyTorch if installed.

  python -m experiments.benchmark --match DCGAN-32 --rounds 5
  python -m experiments.benchmark --match style --content cat.jpg \
    --style marc.jpg --weights compressed_SqueezeNet.net

A line for each case is printed: the median times of a step, and their ratio.
All rounds are written to a JSON file, --output, with a table and a chart
beside it. The cases are steps of DCGAN and of games that configs describe,
populations, evaluation, input, the start of a training, and style transfer,
which needs a file of weights and two pictures.

On an accelerator that is lent for minutes,

  python -m experiments.benchmark --accelerator --workdir runs/accelerator

computes rows in the order of their worth for --minutes, each in a process of
its own: DCGAN in every precision beside PyTorch's compiled steps, dispatches,
populations, StyleGAN2, R3GAN and more, and how far they are from the device's
own rates. accelerator.json is written after each row; the same command goes on
with the rows that are not done, and accelerator.md is their table. Add --tiny
to rehearse it on a CPU, and the files of style transfer and --data_dir for the
rows that need them; --rounds, --runs, --repeats and --output have no use there.

Rounds of ganjax and of PyTorch alternate, so that whatever else the machine
does slows both: compare ratios of one run only. Each step draws latents, and
updates the discriminator and the generator by Adam.
"""

import functools
import importlib.metadata
import importlib.util

from absl import flags
from tqdm import tqdm

from experiments.benchmark import cases, given, rounds, style, table
from experiments.benchmark.accelerator import schedule
from ganjax import files, launch, paths
from ganjax.training import provenance

_ROUNDS = flags.DEFINE_integer(
  'rounds', 9, 'Rounds of each side.', lower_bound=1
)
_MATCH = flags.DEFINE_string(
  'match', '', 'Takes only the cases whose name contains this.'
)
_RUNS = flags.DEFINE_integer(
  'runs', 8, 'Members of the population; 256 fill a GPU.', lower_bound=1
)
_REPEATS = flags.DEFINE_integer(
  'repeats',
  1,
  'How often a round repeats its steps; 50 suits a GPU.',
  lower_bound=1,
)
_WEIGHTS = flags.DEFINE_string(
  'weights', None, 'The weights of SqueezeNet 1.0, for style transfer.'
)
_CONTENT = flags.DEFINE_string('content', None, 'The picture to paint.')
_STYLE = flags.DEFINE_string('style', None, 'The picture to paint like.')
_ACCELERATOR = flags.DEFINE_bool(
  'accelerator', False, 'Computes the rows of an accelerator instead.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', 'runs/accelerator', 'The folder of --accelerator.'
)
_MINUTES = flags.DEFINE_float(
  'minutes', 10.0, 'How long --accelerator may take.', lower_bound=0.0
)
_TINY = flags.DEFINE_bool(
  'tiny', False, 'Rehearses it, or --accelerator, at tiny sizes.'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  '',
  'A folder of pictures, or of TFDS with MNIST, whose loading --accelerator '
  'times.',
)
_OUTPUT = flags.DEFINE_string(
  'output', 'runs/benchmark.json', 'The JSON file that is written.'
)


def main():
  """Times all cases; prints a line for each and writes them as JSON."""
  if _ACCELERATOR.value:
    needed = _WEIGHTS, _CONTENT, _STYLE, _DATA_DIR
    schedule.run(
      _WORKDIR.value,
      _MATCH.value,
      _MINUTES.value,
      _TINY.value,
      {flag.name: flag.value for flag in needed},
    )
    return 0
  path = paths.check_destination(_OUTPUT.value, '--output')
  matching = cases.matching(_MATCH.value)
  files_of_style = _WEIGHTS.value, _CONTENT.value, _STYLE.value
  if not all(files_of_style):
    matching = _without_style(matching)
  torch_too = importlib.util.find_spec('torch') is not None
  if not torch_too:
    tqdm.write('torch is not installed, so there is nothing to compare with.')
  what = given.Given(
    functools.partial(
      rounds.measure, rounds=_ROUNDS.value, repeats=_REPEATS.value
    ),
    torch_too,
    _TINY.value,
    _RUNS.value,
    files_of_style,
  )
  rows = []
  for name, group in matching:
    for row, words in group.rows(name, what):
      tqdm.write(f'{words}.')
      rows.append(row)
  about = provenance.record()
  if torch_too:
    about['versions']['torch'] = importlib.metadata.version('torch')
  path.parent.mkdir(parents=True, exist_ok=True)
  limit = table.rates(128 if _TINY.value else 1024)
  files.write_json(path, {'rows': rows, 'rates': limit, **about})
  tqdm.write(f'Written to {path} and {table.write(path, rows, limit)}.')
  return 0


def _without_style(matching):
  """Returns the cases but style transfer, if there are others.

  Raises:
    ValueError: if there are no others.
  """
  others = [own for own in matching if own[0] not in style.NAMES]
  if not others:
    raise ValueError(
      'Style transfer needs files; give --weights, --content and --style.'
    )
  if others != matching:
    tqdm.write(
      'Style transfer is left out: give --weights, --content and --style.'
    )
  return others


if __name__ == '__main__':
  launch.run(main)
