"""Prints where the time of a training step goes on a CPU.

  python -m experiments.benchmark.step_profile --case 'DCGAN-64, width 64'

A row is a kind of operations: its milliseconds a step, its share of all, and
for products of matrices how many GFLOP/s they reach. Where two operations are
under way at once, both are counted whole.
"""

import jax
from absl import flags

from experiments.benchmark import (
  configured,
  dcgan,
  dcgan_cases,
  operation_times,
)
from ganjax import launch

_DCGANS = {case.name: case for case in dcgan_cases.CASES}
_NAMES = [*_DCGANS, *(case.name for case in configured.CASES)]
_CASE = flags.DEFINE_enum('case', _NAMES[0], _NAMES, 'Whose step it is.')


def main():
  """Prints the table."""
  update, state, batch = _step(_CASE.value)
  program = jax.jit(update).lower(state, batch).compile()
  found = operation_times.of(program, (state, batch))
  whole = sum(seconds for seconds, _ in found.values())
  print('| kind | ms a step | share | GFLOP/s |')
  print('|:---|---:|---:|---:|')
  for kind, (seconds, flops) in sorted(
    found.items(), key=lambda item: -item[1][0]
  ):
    rate = f'{flops / seconds / 1e9:.0f}' if flops else ''
    print(f'| {kind} | {1e3 * seconds:.1f} | {seconds / whole:.0%} | {rate} |')


def _step(name):
  if name in _DCGANS:
    case = _DCGANS[name]
    images = dcgan_cases.batch(case)
    return dcgan.step_of(case, images, shared_latents=True)
  case = configured.named(name)
  return configured.step_of(case.config(False), case.shape)


if __name__ == '__main__':
  launch.run(main)
