"""Flowers by multi-scale gradients and by growing, with the same settings.

  python -m experiments.train --config configs/flowers_matched.py:msg \\
      --config.data.dir=PATH --workdir runs/matched/msg-0

and `:progressive` are `:flowers32` of configs/msg.py and configs/progressive.py
with one optimiser, learning rate, prior, loss, moving average, batch size and
statistics of the batch for both (`_high_resolution.matched`). What is left is
what makes the two methods: growth or a pyramid, and the networks of their
papers. `sweep` has the same three learning rates for both.
"""

from configs import _high_resolution as high_resolution
from configs import base
from configs import msg as msg_gan
from configs import progressive as growing


def get_config(name='msg'):
  """Returns the config of a preset, locked."""
  config = base.preset(name, *PRESETS)()
  with config.unlocked():
    high_resolution.matched(config)
  return config.lock()


def msg():
  """Returns flowers by MSG-GAN, with statistics in the last block alone."""
  config = msg_gan.get_config('flowers32')
  config.discriminator.everywhere = False
  return config


def progressive():
  """Returns flowers by progressive growing."""
  return growing.get_config('flowers32')


def sweep(add):
  """Adds three learning rates, among them those of both papers."""
  for rate in (3e-4, 1e-3, 3e-3):
    add(
      {
        'optimizers.generator.learning_rate': rate,
        'optimizers.discriminator.learning_rate': rate,
      }
    )


PRESETS = msg, progressive
