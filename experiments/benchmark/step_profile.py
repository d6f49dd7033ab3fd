"""Prints where the time of a training step goes on a CPU.

  python -m experiments.benchmark.step_profile --case 'DCGAN-64, width 64'

A row is a kind of operations: its milliseconds a step, its share of all, and
for products of matrices how many GFLOP/s they reach. Where two operations are
under way at once, both are counted whole.
"""

import jax
import jax.numpy as jnp
from absl import flags

from experiments.benchmark import (
  configured,
  dcgan,
  dcgan_cases,
  operation_times,
)
from ganjax import launch, steps
from ganjax.arrays import Batch
from ganjax.config import games

_DCGANS = {case.name: case for case in dcgan_cases.CASES}
_NAMES = [*_DCGANS, *(case.name for case in configured.CASES)]
_CASE = flags.DEFINE_enum('case', _NAMES[0], _NAMES, 'Whose step it is.')


def main():
  """Prints the table."""
  name = _CASE.value
  update, state, batch = (
    _of_dcgan(_DCGANS[name]) if name in _DCGANS else _of_config(name)
  )
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


def _of_dcgan(case):
  game, optimizers = dcgan.game_of(case)
  state = jax.jit(lambda key: steps.init(game, optimizers, key))(
    jax.random.key(0)
  )
  update = steps.alternating(game, optimizers, shared_latents=True)
  return update, state, Batch(jnp.asarray(dcgan_cases.batch(case)))


def _of_config(name):
  case = configured.named(name)
  config = case.config(False)
  update = games.update_step(config, games.schedule(config, case.shape))
  state = configured.initial(config, case.shape)
  return update, state, configured.batch(config, case.shape)


if __name__ == '__main__':
  launch.run(main)
