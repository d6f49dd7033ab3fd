"""The device and the precision of PyTorch's sides, as jax has them."""


def name():
  """Returns 'cuda' where PyTorch finds a GPU, else 'cpu'."""
  import torch

  return 'cuda' if torch.cuda.is_available() else 'cpu'


def chosen():
  """Makes that device PyTorch's default, and returns its name."""
  import torch

  torch.set_default_device(name())
  return name()


def allow_tf32(allowed):
  """Sets whether a GPU may round factors to TF32, as jax lets it by default.

  PyTorch by itself allows it in convolutions, and not in products of matrices.
  """
  import torch

  torch.backends.cudnn.allow_tf32 = allowed
  torch.backends.cuda.matmul.allow_tf32 = allowed
