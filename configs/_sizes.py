"""What the configs of high resolution share: widths and intervals."""


def widths(config, base, max_channels, latents):
  """Gives both players their channels, and the prior its latents.

  Args:
    config: the config.
    base: channels times half the resolution.
    max_channels: channels at any resolution.
    latents: numbers in one.
  """
  for player in config.generator, config.discriminator:
    player.update(base=base, max_channels=max_channels)
  config.prior.size = latents


def small(config, resolution):
  """Makes both players narrow: 32 channels at the resolution of the data.

  Args:
    config: the config.
    resolution: of the data; if it is overridden, the channels follow.
  """
  config.data.resolution = resolution
  for player in config.generator, config.discriminator:
    # A reference for each, so that one can be overridden without the other.
    player.update(base=16 * config.data.get_ref('resolution'), max_channels=64)
  config.prior.size = 64


def flowers(config):
  """Makes it a comparison on flowers at 32 pixels: what two cores can do."""
  small(config, 32)
  config.images = 100_000
  # The rest is held out, to see what an evaluation says of unseen flowers.
  config.data.update(name='tf_flowers', split='train[:80%]', mirror=True)
  config.samples.every = 10_000
  config.checkpoint.update(every=10_000, keep=20)


def seldom(config):
  """Evaluations at a long training seldom."""
  config.log.every = 10_000
  config.samples.every = 100_000
  config.checkpoint.every = 500_000
