"""SNGAN, SAGAN and BigGAN at 32 pixels: residual networks, the hinge loss.

  python -m experiments.train --config configs/resnet.py --workdir runs/resnet

trains on scikit-learn's handwritten digits, which need no download, with narrow
networks. On CIFAR-10, `:cifar10` is SNGAN (Miyato et al., 2018,
arXiv:1802.05957) with the settings of its authors' code, `:biggan` BigGAN
(Brock, Donahue and Simonyan, 2019, arXiv:1809.11096) as its author's script
trains it, and `:sagan` (Zhang et al., 2019, arXiv:1805.08318) and
`:biggan_attention` are as PyTorch-StudioGAN has them. `:biggan_lite` is
`:biggan` with 64 channels and latents of 32 numbers.

What differs from these codes, in all presets: a step updates the discriminator
first, where SNGAN's code begins with the generator; and an update of the
generator has as many fakes as one of the discriminator (SNGAN's has 128, for
64 of the discriminator). docs/resnet.md says what else does.
"""

from configs import _high_resolution as high_resolution
from configs import base


def get_config(name='digits'):
  """Returns the config of a preset, locked."""
  config = base.get_config()
  config.network = 'resnet'
  config.loss = 'hinge'
  config.spectral.discriminator = True
  config.fake_labels = dict(name='uniform')
  config.prior = dict(name='normal', size=128)
  shared = dict(
    width=256,  # channels of all blocks
    attention=0,  # side of the images where self-attention stands; 0: none
    initial='glorot',  # or normal, orthogonal
  )
  config.generator = dict(
    shared,
    hierarchical=False,  # a part of the latents for each block (BigGAN)
    embedding=0,  # size of a class's vector; 0: tables in each normalisation
  )
  config.discriminator = dict(shared, head_bias=False)
  base.preset(name, *PRESETS)(config)
  return config.lock()


def adam(config, generator, discriminator, b1, b2):
  """Sets Adam with a learning rate for each player."""
  rates = {'generator': generator, 'discriminator': discriminator}
  for player, rate in rates.items():
    config.optimizers[player].update(
      learning_rate=rate, b1=b1, b2=b2, eps=1e-8, eps_root=0.0
    )


def digits(config):
  """Sets scikit-learn's digits at 16 pixels, for a first try.

  Expect about 4 minutes on two cores, and an FID of 8.6 of 2,000 samples (12 of
  297; the 297 digits held out: 24).
  """
  config.images = 80_000
  config.batch_size = 32
  config.data.resolution = 16
  config.prior.size = 64
  for player in config.generator, config.discriminator:
    player.width = 32
  # One update of each player with two learning rates, as SAGAN's paper has it.
  adam(config, 5e-4, 1e-3, b1=0.0, b2=0.9)


def _on_cifar10(config, images, mirror):
  config.images = config.paper_images = images
  config.data.update(name='cifar10', resolution=32, mirror=mirror)
  high_resolution.long_run(config)


def cifar10(config):
  """Sets SNGAN on CIFAR-10: an FID of 21.7 in the paper."""
  # 50,000 updates of the generator.
  _on_cifar10(config, 50_000 * 5 * 64, mirror=False)
  config.batch_size = 64
  config.critic_steps = 5
  config.discriminator.width = 128
  adam(config, 2e-4, 2e-4, b1=0.0, b2=0.9)
  config.ema_decay = 0.0  # samples are those of the generator itself
  for player in config.schedules.optimizers.values():
    # To 0 at the end of the run, also where a flag says another end.
    player.learning_rate = dict(
      base.schedule(), name='linear', images=1.0 * config.get_ref('images')
    )


def _studio(config):
  """Sets what StudioGAN's SAGAN and BigGAN share on CIFAR-10."""
  # 100,000 updates of the generator.
  _on_cifar10(config, 100_000 * 5 * 64, mirror=True)
  config.labels = True
  config.batch_size = 64
  config.critic_steps = 5
  config.spectral.generator = True
  for player in config.generator, config.discriminator:
    player.update(attention=16, initial='orthogonal')
  config.discriminator.head_bias = True
  adam(config, 2e-4, 2e-4, b1=0.5, b2=0.999)


def sagan(config):
  """Sets SAGAN on CIFAR-10 by class: an FID of 10.35 in StudioGAN."""
  _studio(config)
  config.discriminator.width = 128
  config.ema_decay = 0.0


def biggan_attention(config):
  """Sets BigGAN on CIFAR-10 by class: an FID of 4.16 in StudioGAN."""
  _studio(config)
  config.generator.update(width=384, hierarchical=True, embedding=128)
  config.discriminator.width = 192
  config.prior.size = 80  # 20 numbers for the start and for each block
  config.ema_decay = 0.9999


def biggan(config):
  """Sets BigGAN on CIFAR-10 by class, as its author's script has it."""
  # 500 times the 50,000 images of CIFAR-10.
  _on_cifar10(config, 500 * 50_000, mirror=False)
  config.labels = True
  config.batch_size = 50
  config.critic_steps = 4
  config.spectral.generator = True
  for player in config.generator, config.discriminator:
    player.initial = 'normal'
  config.discriminator.head_bias = True
  adam(config, 2e-4, 2e-4, b1=0.0, b2=0.999)
  config.ema_decay = 0.9999


def biggan_lite(config):
  """Sets a narrow BigGAN, to compare remedies on CIFAR-10."""
  biggan(config)
  config.images = 2_000_000
  config.prior.size = 32
  for player in config.generator, config.discriminator:
    player.width = 64


def sweep(add):
  """Adds the terms of consistency and balance, each with its usual weight."""
  penalties = 'regularizers.discriminator'
  add({f'{penalties}.cr.weight': 10.0})
  add({f'{penalties}.bcr.weight': 10.0})
  add(
    {
      f'{penalties}.zcr.weight': 20.0,
      'regularizers.generator.zcr_diversity.weight': 0.5,
    }
  )
  add({f'{penalties}.lecam.weight': 0.3})
  add({'top_k.share': 0.75, 'top_k.steps': 1_000})
  add({'apa.adapted': True, 'apa.images': 100_000})


PRESETS = digits, cifar10, sagan, biggan, biggan_attention, biggan_lite
