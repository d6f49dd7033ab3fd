"""Takes the first step of DCGAN at 32 pixels in PyTorch, and ends.

  python -m experiments.benchmark.start_torch --workdir runs/start

The benchmark of starts waits for what it writes after the step, metrics.jsonl.
Nothing of ganjax or jax is imported.
"""

import pathlib

from absl import app, flags

from experiments.benchmark import dcgan_cases, dcgan_torch

_WORKDIR = flags.DEFINE_string('workdir', None, 'The folder to write to.')
_BATCH = flags.DEFINE_integer('batch', 32, 'Images in a step.', lower_bound=1)
_WIDTH = flags.DEFINE_integer('width', 32, 'Of both networks.', lower_bound=1)
_COMPILED = flags.DEFINE_bool('compiled', False, 'Compiles the networks.')
flags.mark_flag_as_required('workdir')


def main(_):
  """Takes the step, and writes that it is done."""
  case = dcgan_cases.Case(
    'DCGAN-32', 32, 1, _WIDTH.value, 0.0, 1, batch=_BATCH.value
  )
  options = dcgan_torch.COMPILED if _COMPILED.value else dcgan_torch.Options()
  dcgan_torch.side(case, dcgan_cases.batch(case), options).run()
  folder = pathlib.Path(_WORKDIR.value)
  folder.mkdir(parents=True, exist_ok=True)
  (folder / 'metrics.jsonl').write_text('{}\n')


if __name__ == '__main__':
  app.run(main)
