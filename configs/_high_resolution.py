"""Settings that the configs of progressive growing and MSG-GAN share."""


def widths(config, base, max_channels, latents):
  """Sets the channels of both networks and the size of the latents.

  Args:
    config: the config, which is changed.
    base: channels times half the resolution.
    max_channels: the largest number of channels, at any resolution.
    latents: size of a latent.
  """
  for player in config.generator, config.discriminator:
    player.update(base=base, max_channels=max_channels)
  config.prior.size = latents


def small(config, resolution):
  """Sets narrow networks: 32 channels at the resolution of the data.

  Args:
    config: the config, which is changed.
    resolution: of the data, in pixels; where a flag overrides it, the channels
      follow.
  """
  config.data.resolution = resolution
  for player in config.generator, config.discriminator:
    # A reference for each, so that a flag can override one of them alone.
    player.update(base=16 * config.data.get_ref('resolution'), max_channels=64)
  config.prior.size = 64


def flowers(config):
  """Sets flowers at 32 pixels with narrow networks, for two cores."""
  small(config, 32)
  config.images = 100_000
  # The rest is held out, to compare the samples with unseen flowers.
  config.data.update(name='tf_flowers', split='train[:80%]', mirror=True)
  config.samples.every = 10_000
  config.checkpoint.update(every=10_000, keep=20)


def matched(config):
  """Sets what the papers of both methods choose, to one value for both.

  The values are those of progressive growing, of which the batch size, the
  loss, its penalties and the average are MSG-GAN's here as well. The learning
  rate is to be tuned for each method: `configs.flowers_matched.sweep`.
  """
  config.batch_size = 16
  config.loss = 'wasserstein'
  penalties = config.regularizers.discriminator
  penalties.wgan_gp.weight, penalties.drift.weight = 10.0, 1e-3
  for player in config.optimizers.values():
    player.update(name='adam', learning_rate=1e-3, b1=0.0, b2=0.99)
    player.update(eps=1e-8, eps_root=1e-16)
  config.prior.name = 'normal'  # both networks scale latents to the sphere
  config.ema_decay = 0.999
  config.discriminator.statistics.update(name='stddev', group=4)


def long_run(config):
  """Sets the intervals of logs, samples and checkpoints for a long training."""
  config.log.every = 10_000
  config.samples.every = 100_000
  config.checkpoint.every = 500_000
