"""The rows of the benchmark on an accelerator, in the order of their worth."""

import functools

from experiments.benchmark import limits, style
from experiments.benchmark.accelerator import (
  convolutions,
  dcgan_steps,
  dispatches,
  from_config,
  loading,
  populations,
)
from experiments.benchmark.task import Row

_OF_DCGAN = functools.partial(functools.partial, dcgan_steps.measured)

ROWS = (
  Row(
    limits.NAME,
    60,
    functools.partial(limits.measured, 8192, 2**28, tuple(limits.PRECISIONS)),
  ),
  Row('DCGAN-64, tf32', 120, _OF_DCGAN('tf32')),
  Row('DCGAN-64, bf16', 120, _OF_DCGAN('bf16')),
  Row('DCGAN-64, float32', 75, _OF_DCGAN('float32')),
  Row('steps together, DCGAN-32', 90, dispatches.of_dcgan),
  Row('steps together, ring', 45, dispatches.of_ring),
  Row('population, ring', 60, populations.of_ring),
  Row('population, DCGAN-16', 75, populations.of_dcgan),
  # One precision takes a core about a minute to trace and to compile.
  Row('StyleGAN2-32', 240, functools.partial(from_config.of_stylegan2, 32)),
  Row(
    'R3GAN, CIFAR-10',
    240,
    functools.partial(from_config.of_r3gan, (('bf16', False), ('tf32', False))),
  ),
  Row('StyleGAN2-64', 300, functools.partial(from_config.of_stylegan2, 64)),
  Row('convolution, grouped', 90, convolutions.in_groups),
  Row('convolution, modulated', 45, convolutions.modulated),
  Row(
    'style transfer at 512',
    45,
    functools.partial(style.steps, 512),
    style.NEEDS,
  ),
  Row(
    'style transfer at 1024',
    45,
    functools.partial(style.steps, 1024),
    style.NEEDS,
  ),
  Row('input', 60, loading.measured, ('data_dir',)),
  Row(
    'R3GAN, passes of the critic',
    240,
    functools.partial(from_config.of_r3gan, (('bf16', False), ('bf16', True))),
  ),
  Row('DCGAN-64, CUDA graphs', 120, _OF_DCGAN('CUDA graphs')),
)
