"""How PyTorch's sides are computed: device, precision, memory, compiler."""


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


def layout(channels_last):
  """Returns the order of images and kernels in memory."""
  import torch

  return torch.channels_last if channels_last else torch.contiguous_format


def compiled(functions, mode='default'):
  """Returns functions as `torch.compile` has them, never silently eager.

  Args:
    functions: of any side; the programs of all sides are counted together.
    mode: of `torch.compile`.
  """
  import torch

  # Beyond the limit a function would be computed without being compiled.
  torch._dynamo.config.recompile_limit = 100
  torch._dynamo.config.fail_on_recompile_limit_hit = True
  # Shapes of several functions would else be taken for one that changes.
  return [
    torch.compile(function, mode=mode, dynamic=False) for function in functions
  ]
