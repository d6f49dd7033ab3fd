"""The training step of DCGAN in PyTorch: as in its example, tuned, compiled."""

import contextlib
from typing import NamedTuple

from experiments.benchmark import (
  dcgan_cases,
  dcgan_torch_networks,
  rounds,
  torch_device,
)


class Options(NamedTuple):
  """How a step is computed; by default as in PyTorch's example.

  Attributes:
    tuned: a fused Adam, and no gradients that are thrown away, of either player
      in the other one's turn.
    channels_last: the order of images and kernels in memory. On a GPU the
      compiler mistakes it in the gradients of transposed convolutions and fails
      (https://github.com/pytorch/pytorch/issues/171622).
    compiled: the mode of `torch.compile` for both networks; '' for none.
    shared: both turns have the same fakes, as in PyTorch's example, or others
      in each turn, as in ganjax where latents are not shared.
    half: convolutions are computed in bfloat16.
  """

  tuned: bool = False
  channels_last: bool = False
  compiled: str = ''
  shared: bool = False
  half: bool = False


TUNED = Options(tuned=True, channels_last=True)
COMPILED = Options(tuned=True, compiled='default')
_KINDS = {
  'torch': Options(),
  'torch, tuned': TUNED,
  'torch, compiled': COMPILED,
  'torch, compiled, channels last': COMPILED._replace(channels_last=True),
}
PEERS = _KINDS | {
  f'{name}, shared fakes': options._replace(shared=True)
  for name, options in _KINDS.items()
}
"""The sides of PyTorch on a CPU, by name."""


def side(case, images, options, precision=''):
  """Returns the `rounds.Side` of a case.

  Args:
    case: a `dcgan_cases.Case`.
    images: `[N, H, W, C]` in [-1, 1], float32, the batch of every step.
    options: an `Options`.
    precision: what to call that of products.
  """
  import torch
  from torch import nn

  torch.backends.cudnn.benchmark = True
  device = torch_device.name()
  rate, b1 = case.adam
  layout = torch_device.layout(options.channels_last)
  players = generator, discriminator = [
    network.to(device=device, memory_format=layout)
    for network in dcgan_torch_networks.networks(case)
  ]
  optimizers = [
    torch.optim.Adam(
      player.parameters(),
      lr=rate,
      betas=(b1, 0.999),
      fused=options.tuned or None,
    )
    for player in (discriminator, generator)
  ]
  if options.compiled:
    generator, discriminator = torch_device.compiled(players, options.compiled)
  softplus = nn.functional.softplus
  batch = torch.tensor(images.transpose(0, 3, 1, 2)).to(
    device=device, memory_format=layout
  )

  def fakes():
    shape = case.batch, case.latents, 1, 1
    return generator(torch.randn(shape, device=device))

  def precise():
    if options.half:
      return torch.autocast(device, torch.bfloat16)
    return contextlib.nullcontext()

  def update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

  def step():
    if options.compiled == 'reduce-overhead':
      torch.compiler.cudagraph_mark_step_begin()
    with precise():
      with torch.set_grad_enabled(options.shared or not options.tuned):
        fake = fakes()
      real = batch.clone().requires_grad_() if case.penalty else batch
      logits = discriminator(real)
      loss = softplus(-logits).mean()
      loss = loss + softplus(discriminator(fake.detach())).mean()
      if case.penalty:
        (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        penalty = gradient.square().sum((1, 2, 3)).mean()
        loss = loss + case.penalty * penalty
    update(optimizers[0], loss)
    # Its gradients would be computed, and thrown away.
    players[1].requires_grad_(not options.tuned)
    with precise():
      fake = fake if options.shared else fakes()
      loss = softplus(-discriminator(fake)).mean()
    update(optimizers[1], loss)
    players[1].requires_grad_(True)

  def run():
    for _ in range(case.steps):
      step()
    # It waits for the device.
    return next(players[0].parameters()).square().sum().item()

  return rounds.Side(run, case.steps, {}, precision)


def trainer(case, threads):
  """Returns a function `runs -> words` that trains one run after another.

  Args:
    case: a `dcgan_cases.Case`, with the steps of a run.
    threads: of an operation.
  """
  import torch

  torch.set_num_threads(threads)
  images = dcgan_cases.batch(case)

  def train(runs):
    for _ in range(runs):
      side(case, images, TUNED).run()
    return f'eager, tuned, on {torch_device.name()} with {threads} thread(s)'

  return train
