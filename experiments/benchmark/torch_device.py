"""The device of PyTorch's sides: a GPU where there is one, as for jax."""


def chosen():
  """Makes the device PyTorch's default, and returns its name."""
  import torch

  name = 'cuda' if torch.cuda.is_available() else 'cpu'
  torch.set_default_device(name)
  return name
