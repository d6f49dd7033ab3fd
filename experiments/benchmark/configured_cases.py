"""Games that configs describe, which the benchmark times beside PyTorch."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from configs import msg, progressive, r3gan, stylegan2
from experiments.benchmark import (
  msg_torch,
  progressive_torch,
  r3gan_torch,
  stylegan2_torch,
)


class Case(NamedTuple):
  """A game to time.

  Attributes:
    name: of the case.
    config: `tiny -> config` of the run, where tiny is whether its sizes are
      those of a rehearsal.
    shape: of an image.
    steps: in a round.
    games: the same in PyTorch, `torch_game.Game`s by what is added to the names
      of its sides; only the first one is compiled too.
    memory: whether peaks of memory are measured, too.
  """

  name: str
  config: Callable
  shape: tuple
  steps: int
  games: dict
  memory: bool = False


def _r3gan(tiny):
  config = r3gan.get_config('digits')
  with config.unlocked():
    config.data.resolution = 32
    for player in config.generator, config.discriminator:
      player.widths = (128, 64, 32, 16)
    if tiny:
      config.batch_size = 4
      config.prior.size = 8
      for player in config.generator, config.discriminator:
        player.update(widths=(16, 8, 8, 4), group=4)
  return config


def _stylegan2(tiny):
  config = stylegan2.get_config('mnist32')
  with config.unlocked():
    # As in the paper; the narrow presets have neither.
    config.generator.mixing = 0.9
    config.regularizers.generator.path_length.weight = 2.0
    if tiny:
      config.batch_size = 8
      config.prior.size = config.generator.style = 8
      for player in config.generator, config.discriminator:
        player.update(base=64, max_channels=8)
  return config


def _grown(get_config, tiny):
  """Returns the config of images that grow from 4 to 32 pixels."""
  config = get_config('digits')
  with config.unlocked():
    config.data.resolution = 32
    if tiny:
      config.batch_size = 8
      config.prior.size = 8
      for player in config.generator, config.discriminator:
        player.update(base=64, max_channels=8)
  return config


CASES = (
  Case(
    'R3GAN-32, widths 128 to 16',
    _r3gan,
    (32, 32, 3),
    1,
    {'': r3gan_torch.GAME},
  ),
  Case(
    'StyleGAN2-32, widths 64 to 32',
    _stylegan2,
    (32, 32, 3),
    16,  # of which four have the path length, and one R1
    {'': stylegan2_torch.BY_FACTORS, ', by groups': stylegan2_torch.BY_GROUPS},
    memory=True,
  ),
  Case(
    'progressive-32 after growth, widths 64 to 32, WGAN-GP',
    functools.partial(_grown, progressive.get_config),
    (32, 32, 3),
    2,
    {'': progressive_torch.GAME},
  ),
  Case(
    'MSG-32, widths 64 to 32, WGAN-GP, RMSprop',
    functools.partial(_grown, msg.get_config),
    (32, 32, 3),
    2,
    {'': msg_torch.GAME},
  ),
)
