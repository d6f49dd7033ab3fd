"""PyTorch's side of the benchmark of style transfer, in eager mode.

It does what `configs/style_transfer.py:default` asks of ganjax: SqueezeNet 1.0
with Caffe's preprocessing, relative errors of features and of Gram matrices,
the nine-point variation, and Adam with the moving average of pictures.
"""

import jax
import numpy as np

from configs import style_transfer
from experiments.benchmark import torch_device
from ganjax.style import encoders


def descent(scene):
  """Returns (start, evaluate) of a `style_sides.Side`.

  Args:
    scene: a `style_sides.Scene` with the default method.
  """
  import torch
  from torch.nn import functional

  torch_device.chosen()

  def tensor(images):
    return torch.tensor(np.asarray(images)).permute(0, 3, 1, 2).contiguous()

  layers = jax.tree.map(
    lambda leaf: torch.tensor(np.asarray(leaf)), scene.encoder.params
  )
  for layer in [layers['conv1']] + [
    part for name in layers if name != 'conv1' for part in layers[name].values()
  ]:
    layer['kernel'] = layer['kernel'].permute(3, 2, 0, 1).contiguous()
  mean = torch.tensor([104.0, 117.0, 123.0])[:, None, None]
  shares = {term.name: term.layers for term in scene.method.terms}
  used = encoders.up_to(
    scene.encoder.layers, (*shares['content'], *shares['style'])
  )

  def convolved(x, layer, **options):
    return functional.conv2d(x, layer['kernel'], layer['bias'], **options)

  def encoded(images):
    found, x = {}, 255 * images.flip(1) - mean
    for name in used:
      if name in ('fire2', 'fire5', 'fire9'):
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
      if name == 'conv1':
        x = convolved(x, layers[name], stride=2).relu_()
      else:
        x = convolved(x, layers[name]['squeeze']).relu_()
        ones = convolved(x, layers[name]['expand1x1'])
        threes = convolved(x, layers[name]['expand3x3'], padding=1)
        x = torch.cat([ones, threes], 1).relu_()
      found[name] = x
    return found

  def gram(features):
    rows = features.flatten(2)[0]
    return rows @ rows.T / rows.shape[1]

  def relative(own, target):
    return (own - target).square().sum() / target.square().sum()

  def variation(images):
    padded = functional.pad(images, (1, 1, 1, 1), mode='replicate')
    x = padded[..., 1:-1, 1:] - padded[..., 1:-1, :-1]
    y = padded[..., 1:, 1:-1] - padded[..., :-1, 1:-1]
    falling = padded[..., 1:, 1:] - padded[..., :-1, :-1]
    rising = padded[..., 1:, :-1] - padded[..., :-1, 1:]
    straight = (x.square().sum() + y.square().sum()) / images.numel()
    oblique = falling.square().mean() + rising.square().mean()
    return 2 * straight / 3 + oblique / 6

  content = tensor(scene.content)
  targets = encoded(content)
  grams = {
    name: gram(features)
    for name, features in encoded(tensor(scene.style)).items()
  }

  def total(images):
    found = encoded(images)
    values = {
      'content': sum(
        share * relative(found[name], targets[name])
        for name, share in shares['content'].items()
      ),
      'style': sum(
        share * relative(gram(found[name]), grams[name])
        for name, share in shares['style'].items()
      ),
      'variation': variation(images),
    }
    weights = scene.method.weights
    return sum(weights[name] * value for name, value in values.items())

  picture = content.clone().requires_grad_()
  average, number, decay = content.clone(), 0, scene.method.ema_decay
  section = style_transfer.get_config().optimizer
  adam = torch.optim.Adam(
    [picture], lr=section.learning_rate, betas=(section.b1, section.b2)
  )

  def start():
    images = content.clone().requires_grad_()
    loss = total(images)
    loss.backward()
    return loss.item(), images.grad.permute(0, 2, 3, 1).cpu().numpy()

  def evaluate():
    nonlocal number
    adam.zero_grad()
    loss = total(picture)
    loss.backward()
    adam.step()
    number += 1
    with torch.no_grad():
      picture.clamp_(0, 1)
      average.lerp_(picture, (1 - decay) / (1 - decay**number))
    return loss.detach()

  return start, evaluate
