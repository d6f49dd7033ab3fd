"""Parameters of our networks as tensors of PyTorch."""

import jax
import numpy as np

from experiments.benchmark import torch_device


def tensors(params, dense, layout=None):
  """Returns parameters of ours as tensors, a dict of the same names.

  Kernels of convolutions become `[F, C, k, k]`, and images `[1, C, H, W]`.

  Args:
    params: a tree of arrays of one of our networks.
    dense: whether a path of names leads to a matrix that multiplies vectors;
      other matrices are 1x1 convolutions.
    layout: a memory format of PyTorch, or None.
  """
  import torch

  def tensor(path, leaf):
    found = torch.tensor(np.asarray(leaf), device=torch_device.name())
    if found.ndim == 2 and not dense([entry.key for entry in path]):
      found = found[None, None]
    if found.ndim == 3:
      found = found.permute(2, 0, 1)[None]
    elif found.ndim == 4:
      found = found.permute(3, 2, 0, 1)
    if found.ndim == 4:
      return found.contiguous(memory_format=layout or torch.contiguous_format)
    return found

  return jax.tree_util.tree_map_with_path(tensor, params)
