"""The networks of StyleGAN2 in PyTorch, as in its code.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
arXiv:1912.04958, and Karras et al., 2020, arXiv:2006.06676. A style modulates a
convolution in one of two ways of that code: by factors of its channels before
and after it, or by a kernel for each image, in a group of its own.
"""

from experiments.benchmark import torch_resample

_GAIN = 2**0.5


def mapped(params, latents):
  """Returns the style of each latent, `[N, W]`."""
  squares = latents.square().mean(1, keepdim=True)
  styles = latents * (squares + 1e-8).rsqrt()
  layers = params['mapping']['layers']
  for number in range(len(layers)):
    styles = _activated(_dense(layers[f'dense{number}'], styles, rate=0.01))
  return styles


def synthesized(modulated, noise, params, styles):
  """Returns images `[N, C, R, R]`.

  Args:
    modulated: `by_factors` or `by_groups`.
    noise: images `[N, 1, H, W]` -> noise of their shape, as
      `torch.randn_like`.
    params: of the generator.
    styles: `[N, L, W]`.
  """
  blocks = params['synthesis']
  images = blocks['constant'].expand(len(styles), -1, -1, -1)
  rgb, side, number = None, 4, 0
  while (block := blocks.get(f'block{side}')) is not None:
    for layer in ('conv0', 'conv1') if side > 4 else ('conv0',):
      own = block[layer]
      convolve = _up if side > 4 and layer == 'conv0' else _same
      scale = _dense(own['affine'], styles[:, number])
      images = modulated(images, own['kernel'], scale, convolve)
      images = images + own['strength'] * noise(images[:, :1])
      images = _activated(images + own['bias'][:, None, None])
      number += 1
    own = block['to_rgb']
    scale = _dense(own['affine'], styles[:, number])
    scale = scale * images.shape[1] ** -0.5
    image = modulated(images, own['kernel'], scale, _same, False)
    image = image + own['bias'][:, None, None]
    rgb = image if rgb is None else image + torch_resample.up(rgb)
    side *= 2
  return rgb


def judged(params, images):
  """Returns the logits `[N]` of images, by residual blocks."""
  images = _activated(_conv(params['from_rgb'], images))
  side = images.shape[-1]
  while (block := params.get(f'block{side}')) is not None:
    hidden = _activated(_conv(block['conv0'], images))
    blurred = torch_resample.blurred(hidden, 2)
    hidden = _activated(_conv(block['conv1'], blurred, stride=2, padding=0))
    skip = _conv(block['skip'], torch_resample.down(images))
    images = (hidden + skip) * 0.5**0.5
    side //= 2
  images = _activated(_conv(params['conv'], with_deviation(images)))
  flat = images.permute(0, 2, 3, 1).flatten(1)
  return _dense(params['head'], _activated(_dense(params['dense'], flat)))[:, 0]


def with_deviation(images, group=4):
  """Returns images with the standard deviation of their group as a channel."""
  import torch

  grouped = images.reshape(-1, group, images[0].numel())
  deviation = (grouped.var(1, correction=0) + 1e-8).sqrt().mean(1)
  own = deviation.repeat_interleave(group)[:, None, None, None]
  return torch.cat([images, own.expand(-1, 1, *images.shape[2:])], 1)


def by_factors(images, kernel, style, convolve, demodulate=True):
  """Returns the images after one convolution, scaled before and after it."""
  outputs = convolve(images * style[:, :, None, None], kernel, 1)
  if not demodulate:
    return outputs
  squares = style.square() @ kernel.square().sum((2, 3)).T
  return outputs * (squares + 1e-8).rsqrt()[:, :, None, None]


def by_groups(images, kernel, style, convolve, demodulate=True):
  """Returns the images after a convolution with a kernel for each of them."""
  kernels = kernel * style[:, None, :, None, None]
  if demodulate:
    squares = kernels.square().sum((2, 3, 4), keepdim=True)
    kernels = kernels * (squares + 1e-8).rsqrt()
  rows = len(images)
  joined = images.reshape(1, -1, *images.shape[2:])
  outputs = convolve(joined, kernels.flatten(0, 1), rows)
  return outputs.reshape(rows, -1, *outputs.shape[2:])


def _same(images, kernel, groups):
  from torch.nn import functional

  padding = kernel.shape[-1] // 2
  return functional.conv2d(images, kernel, padding=padding, groups=groups)


def _up(images, kernel, groups):
  from torch.nn import functional

  kernel = kernel.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
  large = functional.conv_transpose2d(images, kernel, stride=2, groups=groups)
  return 4 * torch_resample.blurred(large, 1)


def _conv(layer, images, stride=1, padding=None):
  from torch.nn import functional

  kernel = layer['kernel'] * layer['kernel'][0].numel() ** -0.5
  if padding is None:
    padding = kernel.shape[-1] // 2
  return functional.conv2d(images, kernel, layer.get('bias'), stride, padding)


def _dense(layer, inputs, rate=1.0):
  kernel, bias = layer['kernel'], layer['bias']
  return inputs @ (kernel * (rate * len(kernel) ** -0.5)) + rate * bias


def _activated(inputs):
  from torch.nn import functional

  return _GAIN * functional.leaky_relu(inputs, 0.2)
