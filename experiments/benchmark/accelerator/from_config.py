"""Steps of StyleGAN2 and R3GAN from their configs, without their data."""

import functools

from configs import r3gan, stylegan2
from experiments.benchmark import configured, rounds

_DTYPES = {'bf16': 'bfloat16', 'tf32': 'float32'}


def of_stylegan2(resolution, task):
  """Returns the row of StyleGAN2, with penalties as its update rule has them.

  A round has 16 steps, or a multiple: R1 is in one of them, and the path length
  in four.

  Args:
    resolution: of the images, in pixels.
    task: a `Task`.
  """
  makers = {}
  for name, dtype in _DTYPES.items():
    config = stylegan2.get_config(f'auto{resolution}')
    with config.unlocked():
      config.dtype = dtype
      if task.tiny:
        config.batch_size = 4
        config.prior.size = config.generator.style = 8
        for player in config.generator, config.discriminator:
          player.update(base=64, max_channels=8)
    makers[f'ganjax, {name}'] = functools.partial(
      configured.side, config, (resolution, resolution, 3), 16, name
    )
  return rounds.compare(task, makers, config.batch_size)


def of_r3gan(kinds, task):
  """Returns the row of R3GAN on CIFAR-10, with both penalties in each step.

  Args:
    kinds: pairs: the name of a precision, and whether the critic sees reals and
      fakes in one pass each, and not in one for both.
    task: a `Task`.
  """
  makers = {}
  for name, separate in kinds:
    config = r3gan.get_config('cifar10')
    with config.unlocked():
      config.dtype = _DTYPES[name]
      config.batch_size = 64
      config.classes = 10
      if task.tiny:
        config.batch_size = 4
        for player in config.generator, config.discriminator:
          player.update(widths=(8,) * 4, group=4, blocks=1)
      if separate:
        _separate(config)
    title = f'ganjax, {name}, critic {config.critic_pass}'
    makers[title] = functools.partial(
      configured.side, config, (32, 32, 3), 2, name
    )
  return rounds.compare(task, makers, config.batch_size)


def _separate(config):
  """Has the critic see reals and fakes in passes of their own."""
  config.critic_pass = 'separate'
  penalties = config.regularizers.discriminator
  changes = config.schedules.regularizers.discriminator
  for name in 'r1', 'r2':
    penalties[name].weight = penalties.r1_r2.weight
    changes[name].weight.update(changes.r1_r2.weight)
  penalties.r1_r2.weight = 0.0
  changes.r1_r2.weight.name = 'constant'
