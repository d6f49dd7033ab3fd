r"""Times training steps and style transfer, beside PyTorch if installed.

  python -m experiments.benchmark --weights compressed_SqueezeNet.net \
    --content cat.jpg --style marc.jpg
  python -m experiments.benchmark --match DCGAN-32 --rounds 5

The rows are steps of DCGAN and of games that configs describe, populations,
evaluation, input, the start of a training, and style transfer, which needs a
file of weights and two pictures. Each is computed in a process of its own, and
in its rounds ganjax and PyTorch alternate, so that whatever else the machine
does slows both: compare ratios of one row only. A row that takes too long has
three rounds at least, or says that it was ended.

All is written to the JSON file --output after each row, with tables and a chart
beside it. The same command, or one with another --match, goes on with the rows
that are not done. --readme puts the table of a line for each row into a page.

On an accelerator that is lent for minutes,

  python -m experiments.benchmark --accelerator --workdir runs/accelerator

computes other rows: DCGAN in every precision beside PyTorch's compiled steps,
dispatches, populations, StyleGAN2, R3GAN and more, and how far they are from
the device's own rates. accelerator.json and accelerator.md are written there.
Add --tiny to rehearse it on a CPU, and the files of style transfer and
--data_dir for the rows that need them.
"""

import pathlib

from absl import flags
from tqdm import tqdm

from experiments.benchmark import cases, readme, schedule
from experiments.benchmark.accelerator import rows
from ganjax import launch, paths

_ROUNDS = flags.DEFINE_integer(
  'rounds', 9, 'Rounds of each side, at most.', lower_bound=1
)
_MATCH = flags.DEFINE_string(
  'match', '', 'Takes only the rows whose name contains this.'
)
_RUNS = flags.DEFINE_integer(
  'runs', 8, 'Members of the populations; 256 fill a GPU.', lower_bound=1
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
  'minutes',
  None,
  'How long all rows may take; by default 75, and 10 with --accelerator.',
  lower_bound=0.0,
)
_TINY = flags.DEFINE_bool('tiny', False, 'Rehearses all at tiny sizes.')
_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  '',
  'A folder of pictures, or of TFDS with MNIST, whose loading --accelerator '
  'times.',
)
_OUTPUT = flags.DEFINE_string(
  'output', 'runs/benchmark.json', 'The JSON file that is written.'
)
_README = flags.DEFINE_string(
  'readme',
  None,
  'A page of Markdown that gets the table of a line for each row, between '
  f'{readme.BEGIN} and {readme.END}.',
)


def main():
  """Computes the rows that are not done, and writes tables of all."""
  lent = _ACCELERATOR.value
  if lent:
    folder = paths.check_folder(_WORKDIR.value, '--workdir')
    path = folder / 'accelerator.json'
  else:
    path = paths.check_destination(
      _OUTPUT.value, '--output', endings=('.json',)
    )
  if _README.value:
    readme.around(_README.value)  # Says before the work what it lacks.
  minutes = _MINUTES.value
  if minutes is None:
    minutes = 10.0 if lent else 75.0
  files = _WEIGHTS, _CONTENT, _STYLE, _DATA_DIR
  lines = schedule.run(
    path,
    (rows if lent else cases).ROWS,
    _MATCH.value,
    minutes,
    {'tiny': _TINY.value, 'accelerator': lent, 'runs': _RUNS.value},
    {'rounds': _ROUNDS.value}
    | {
      flag.name: flag.value and pathlib.Path(flag.value).resolve()
      for flag in files
    },
  )
  if _README.value:
    readme.insert(_README.value, lines)
  tqdm.write(f'{lines}\nWritten to {path} and {path.with_suffix(".md")}.')
  return 0


if __name__ == '__main__':
  launch.run(main)
