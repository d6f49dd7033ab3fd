"""The filter 1 3 3 1 of StyleGAN2 and R3GAN in PyTorch.

It is a convolution of each channel by itself, as `ganjax.networks.resample` has
it without the zeros between pixels.
"""


def up(images):
  """Returns images `[N, C, 2H, 2W]`, of which a constant stays one."""
  from torch.nn import functional

  return functional.conv_transpose2d(
    images, _filter(images) / 16, stride=2, padding=1, groups=images.shape[1]
  )


def down(images):
  """Returns images `[N, C, H/2, W/2]`."""
  from torch.nn import functional

  return functional.conv2d(
    images, _filter(images) / 64, stride=2, padding=1, groups=images.shape[1]
  )


def blurred(images, padding):
  """Returns images `[N, C, H + 2 padding - 3, W + 2 padding - 3]`."""
  from torch.nn import functional

  return functional.conv2d(
    images, _filter(images) / 64, padding=padding, groups=images.shape[1]
  )


def _filter(images):
  import torch

  taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=images.device)
  return torch.outer(taps, taps).expand(images.shape[1], 1, 4, 4)
