"""The rows of the benchmark on this machine, in their order."""

import functools

from experiments.benchmark import (
  configured,
  dcgan,
  dcgan_cases,
  evaluation,
  limits,
  loading,
  populations,
  starts,
  style,
)
from experiments.benchmark.task import Row

_of = functools.partial


ROWS = (
  Row(limits.NAME, 60, _of(limits.measured, 1024, 2**24, ('float32',))),
  *(
    Row(case.name, 400, _of(dcgan.measured, case)) for case in dcgan_cases.CASES
  ),
  *(
    Row(case.name, 1000, _of(configured.measured, case.name))
    for case in configured.CASES
  ),
  Row(
    'evaluation of 10,000 images, features and FID', 120, evaluation.measured
  ),
  Row('style transfer at 256', 120, _of(style.measured, 256), style.NEEDS),
  Row('style transfer at 512', 180, _of(style.measured, 512), style.NEEDS),
  Row(
    'style transfer at 256, descent', 240, _of(style.descent, 256), style.NEEDS
  ),
  Row('ring population', 360, populations.of_ring),
  Row('population of DCGAN-16, width 32', 500, populations.of_dcgan),
  *(
    Row(f'input, {name} at {side} pixels', 150, _of(row, side))
    for name, row in (
      ('decoded', loading.decoded),
      ('loaders', loading.loaders),
    )
    for side in (32, 64, 256)
  ),
  Row('start of DCGAN-32, filled cache', 400, _of(starts.measured, True)),
  Row('start of DCGAN-32, empty cache', 600, _of(starts.measured, False)),
)
