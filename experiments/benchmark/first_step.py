"""Takes the first step of DCGAN at 32 pixels, on noise, and ends.

  python -m experiments.benchmark.first_step --side torch --workdir runs/start

The benchmark of starts waits for what it writes after the step, metrics.jsonl.
Only what its side needs is imported: nothing of jax for PyTorch's.
"""

import pathlib

from absl import flags

from experiments.benchmark import dcgan_cases
from ganjax import launch

_WORKDIR = flags.DEFINE_string('workdir', None, 'The folder to write to.')
_SIDE = flags.DEFINE_enum('side', None, ['ganjax', 'torch'], 'What takes it.')
_BATCH = flags.DEFINE_integer('batch', 32, 'Images in a step.', lower_bound=1)
_WIDTH = flags.DEFINE_integer('width', 32, 'Of both networks.', lower_bound=1)
_COMPILED = flags.DEFINE_bool('compiled', False, 'Compiles those of PyTorch.')
flags.mark_flags_as_required(['workdir', 'side'])


def main():
  """Takes the step, and writes that it is done."""
  case = dcgan_cases.Case(
    'DCGAN-32', 32, 1, _WIDTH.value, 0.0, 1, batch=_BATCH.value
  )
  take = {'ganjax': _by_ganjax, 'torch': _by_torch}[_SIDE.value]
  take(case, dcgan_cases.batch(case))
  folder = pathlib.Path(_WORKDIR.value)
  folder.mkdir(parents=True, exist_ok=True)
  (folder / 'metrics.jsonl').write_text('{}\n')


def _by_ganjax(case, images):
  import jax

  from experiments.benchmark import dcgan

  update, state, batch = dcgan.step_of(case, images)
  jax.block_until_ready(jax.jit(update, donate_argnums=0)(state, batch))


def _by_torch(case, images):
  from experiments.benchmark import dcgan_torch

  options = dcgan_torch.COMPILED if _COMPILED.value else dcgan_torch.Options()
  dcgan_torch.side(case, images, options).run()


if __name__ == '__main__':
  launch.run(main)
