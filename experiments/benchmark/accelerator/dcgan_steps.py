"""Steps of DCGAN in each precision, beside PyTorch's with as much tuning."""

import functools

import jax.numpy as jnp

from experiments.benchmark import (
  dcgan,
  dcgan_cases,
  dcgan_torch,
  limits,
  rounds,
  torch_device,
)

_TUNED, _COMPILED = dcgan_torch.TUNED, dcgan_torch.COMPILED
_GRAPHS = _COMPILED._replace(compiled='reduce-overhead')
_PEERS = {
  'tf32': {
    'torch': dcgan_torch.Options(),
    'torch, tuned': _TUNED,
    'torch, tuned, shared fakes': _TUNED._replace(shared=True),
    'torch, compiled': _COMPILED,
    'torch, compiled, channels last': _COMPILED._replace(channels_last=True),
  },
  'bf16': {
    'torch, tuned': _TUNED._replace(half=True),
    'torch, compiled': _COMPILED._replace(half=True),
  },
  'float32': {
    'torch': dcgan_torch.Options(),
    'torch, tuned': _TUNED,
  },
  'CUDA graphs': {
    'torch, CUDA graphs': _GRAPHS,
    'torch, CUDA graphs, bf16': _GRAPHS._replace(half=True),
  },
}


def measured(kind, task):
  """Returns the row of DCGAN-64 in batches of 128.

  Args:
    kind: a precision of `limits.PRECISIONS`, or 'CUDA graphs' for PyTorch's
      compiled steps that are launched as one, beside ours in TF32.
    task: a `Task`.
  """
  case = dcgan_cases.Case('DCGAN-64', 64, 3, 64, 0.0, steps=8, batch=128)
  if task.tiny:
    case = case._replace(resolution=16, width=4, steps=1, batch=8)
  images = dcgan_cases.batch(case)
  precision = kind if kind in limits.PRECISIONS else 'tf32'
  makers = {f'ganjax, {precision}': _own(case, images, precision)}
  if task.torch_too:
    torch_device.allow_tf32(precision != 'float32')
    for name, options in _PEERS[kind].items():
      makers[name] = functools.partial(
        dcgan_torch.side,
        case,
        images,
        options,
        'bf16' if options.half else precision,
      )
  return rounds.compare(task, makers, case.batch)


def _own(case, images, name):
  dtype, precision = limits.PRECISIONS[name]
  dtype = jnp.dtype(dtype)
  return functools.partial(
    dcgan.ganjax_side, case, images, dtype, precision, name
  )
