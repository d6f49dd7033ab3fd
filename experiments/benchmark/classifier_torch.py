"""The features of the small classifier, and the FID of images, in PyTorch."""

import jax
import numpy as np

from experiments.benchmark import torch_params


def features(params, images):
  """Returns the penultimate activations `[N, 128]` of a classifier.

  Args:
    params: a dict of tensors, as `tensors` makes them.
    images: `[N, C, H, W]` in [-1, 1], with sides of a power of two.
  """

  def layer(name, x):
    from torch.nn import functional

    kernel, bias = params[name]['kernel'], params[name]['bias']
    if kernel.ndim == 2:
      return functional.relu(x @ kernel + bias)
    padding = kernel.shape[-1] // 2
    return functional.relu(functional.conv2d(x, kernel, bias, padding=padding))

  x = layer('Conv_0', layer('stem', _patches(images)))
  number = 0
  while x.shape[-1] > 8:
    # A dense layer of each pixel is a 1x1 convolution.
    x = layer(f'Dense_{number}', _patches(x))
    x = layer(f'Conv_{number + 1}', x)
    number += 1
  return layer('penultimate', x.permute(0, 2, 3, 1).flatten(1))


def tensors(params):
  """Returns the parameters of a `Classifier` of ours as tensors."""
  return torch_params.tensors(
    jax.tree.map(np.asarray, params),
    lambda path: path[-2] in ('penultimate', 'logits'),
  )


def distance(params, reals, images, size):
  """Returns the function that takes the FID of images, by SciPy.

  Args:
    params: of our classifier.
    reals: features `[N, D]`.
    images: `[N, H, W, C]`, uint8.
    size: images in a batch.
  """
  import torch

  own = tensors(params)
  reals = np.asarray(reals, np.float64)

  def run():
    found = []
    with torch.inference_mode():
      for start in range(0, len(images), size):
        batch = torch.from_numpy(images[start : start + size])
        batch = batch.permute(0, 3, 1, 2).float() / 127.5 - 1
        found.append(features(own, batch.contiguous()))
    return frechet(reals, torch.cat(found).numpy().astype(np.float64))

  return run


def frechet(reals, fakes):
  """Returns the Frechet distance of features `[N, D]`, as pytorch-fid does.

  Its root is that of the product of both covariances, by Schur's form.
  """
  from scipy import linalg

  means = reals.mean(0), fakes.mean(0)
  covariances = np.cov(reals, rowvar=False), np.cov(fakes, rowvar=False)
  root = linalg.sqrtm(covariances[0] @ covariances[1])
  trace = np.trace(covariances[0]) + np.trace(covariances[1])
  return np.square(means[0] - means[1]).sum() + trace - 2 * np.trace(root.real)


def _patches(images):
  """Returns `[N, 4 C, H/2, W/2]`, whose channels have our order."""
  rows, channels, height, width = images.shape
  x = images.reshape(rows, channels, height // 2, 2, width // 2, 2)
  x = x.permute(0, 3, 5, 1, 2, 4)
  return x.reshape(rows, 4 * channels, height // 2, width // 2)
