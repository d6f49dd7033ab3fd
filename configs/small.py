"""Your own pictures: a folder of some 50 to 5,000 of them.

  python -m experiments.train --config configs/small.py:cpu32 \\
      --config.data.dir=MY_PICTURES --workdir runs/mine

`:cpu32` is a DCGAN with R1 and DiffAugment at 32 pixels, for two cores.
`:gpu64` and `:gpu128` are StyleGAN2 with ADA (Karras et al., "Training
Generative Adversarial Networks with Limited Data", 2020, arXiv:2006.06676) and
the numbers that its code chooses for one accelerator, in a shorter run.

Half of the pictures are mirrored: `--config.data.mirror=false` where left and
right differ, as in writing. Grey pictures are trained as colours unless
`--config.data.channels=1`, what is transparent becomes white unless
`--config.data.channels=4`, and the largest square in the middle is taken unless
`--config.data.crop` is top, stretch or pad.
"""

from configs import base, dcgan, stylegan2


def get_config(name='cpu32'):
  """Returns the config of a preset, locked."""
  config = base.preset(name, *PRESETS)()
  with config.unlocked():
    config.data.update(name='folder', mirror=True, loader='auto')
  return config.lock()


def cpu32():
  """Returns a DCGAN with R1 and DiffAugment at 32 pixels, for two cores.

  Expect 5 minutes on two cores, and of 300 daisies samples that are daisies.
  """
  config = dcgan.get_config()
  with config.unlocked():
    config.images = 100_000
    config.regularizers.discriminator.r1.update(weight=0.1, every=4)
    # Of 300 daisies this discriminator learns more than one with layers
    # normalised and colours augmented, whose logits stay near 0.
    config.augment.update(name='diffaugment', policy='translation,cutout')
    for player in config.optimizers.values():
      player.learning_rate = 6e-4
    config.ema.half_life = 5_000.0
  return config


def gpu64():
  """Returns StyleGAN2 with ADA at 64 pixels, for one accelerator."""
  return _with_ada('auto64')


def gpu128():
  """Returns StyleGAN2 with ADA at 128 pixels, for one accelerator."""
  return _with_ada('auto128')


def _with_ada(preset):
  config = stylegan2.get_config(preset)
  with config.unlocked():
    # The code's 25 million are for data sets of any size. With few pictures
    # samples are at their best long before, and may then become worse.
    config.images = 5_000_000
    config.augment.name = 'ada'
    config.samples.every = 50_000
    config.checkpoint.every = 250_000
  return config


PRESETS = cpu32, gpu64, gpu128


def sweep(add):
  """Adds augmentations, and weights of R1."""
  for name, policy in (
    ('none', ''),
    ('diffaugment', 'translation,cutout'),
    ('ada', 'bgc'),
  ):
    add({'augment.name': name, 'augment.policy': policy})
  for weight in (0.01, 1.0):
    add({'regularizers.discriminator.r1.weight': weight})
