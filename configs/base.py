"""What the configs of adversarial trainings share."""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def statistics():
  """What a discriminator sees of the whole batch: a section of it."""
  return dict(
    name='none',  # stddev, discrimination
    group=0,  # images that share a deviation; 0: the whole batch
    kernels=100,  # of minibatch discrimination
    size=5,  # of each
  )


def get_config():
  """A config without networks, not yet locked."""
  config = ConfigDict()
  config.seed = 0
  config.images = 60_000  # seen by the discriminator in all
  config.batch_size = 64  # of one move of the discriminator
  config.data = dict(
    name='digits',  # folder, or a data set prepared by TFDS
    dir='',  # where the pictures, or TFDS' data sets, lie
    split='train',
    resolution=32,
    channels=0,  # 1, 3, 4, or 0 for what is stored
    crop='center',  # top (for portraits), stretch, pad
    mirror=False,  # half of the images, left to right
    loader='auto',  # device, host, stream (decodes as it goes)
  )
  config.dtype = 'float32'  # of the computation; bfloat16 on accelerators
  # Remedies, each off: of the discriminator,
  config.spectral = dict(generator=False, discriminator=False)
  config.pack = 1  # images that it judges together (PacGAN)
  # std falls to 0, on a line, over so many steps; 0 steps: it stays.
  config.instance_noise = dict(std=0.0, steps=0)
  # of the game,
  config.consensus = 0.0  # weight of half the squared gradients of both
  config.historical_averaging = 0.0  # of the squared way from one's average
  # and of the generator: the share of the fakes that it learns from, which
  # falls from 1 to this, on a line, over so many steps.
  config.top_k = dict(share=1.0, steps=0)
  config.prior = dict(name='normal', size=100)
  config.loss = 'non_saturating'
  config.label_smoothing = 0.0
  # Weights are factors of the bare terms: gamma / 2 for R1 and R2, lambda for
  # the others. A penalty of weight 0 is left out.
  config.regularizers = dict(
    generator=dict(
      mode_seeking=dict(weight=0.0, every=1),
      feature_matching=dict(weight=0.0, every=1),  # with loss features_only
    ),
    discriminator=dict(
      r1=dict(weight=0.0, every=1),
      r2=dict(weight=0.0, every=1),
      wgan_gp=dict(weight=0.0, every=1, target=1.0),
      dragan=dict(weight=0.0, every=1, spread=0.5, target=1.0),
      jensen_shannon=dict(weight=0.0, every=1),
      lecam=dict(weight=0.0, every=1, decay=0.99),
      drift=dict(weight=0.0, every=1),
    ),
  )
  adam = dict(name='adam', learning_rate=2e-4, b1=0.5, b2=0.999)
  config.optimizers = dict(generator=dict(adam), discriminator=dict(adam))
  # optimistic_adam, rmsprop, sgd are others; these come on top of any.
  config.clip = 0.0  # bound of the discriminator's parameters (WGAN); 0: none
  config.lookahead = dict(every=0, rate=0.5)  # steps; 0: none
  config.update_rule = 'alternating'  # simultaneous, extragradient
  config.critic_steps = 1  # moves of the discriminator for one of the generator
  config.generator_steps = 1  # and of the generator for all of those
  config.unroll = 0  # moves of the discriminator that the generator foresees
  config.skip_below = placeholder(float)  # D rests while its loss is under this
  config.ema_decay = 0.999
  config.steps_together = 0  # in one dispatch; 0 chooses by backend and network
  config.mesh = dict(data=-1)  # devices that share a batch; -1 takes all
  # All three in images seen.
  config.log = dict(every=2_000)
  config.samples = dict(every=6_000)
  config.checkpoint = dict(every=15_000, keep=3)
  return config


def preset(name, *presets):
  """The function of that name among the presets of a config file.

  Raises:
    ValueError: if there is none.
  """
  named = {preset.__name__: preset for preset in presets}
  if name not in named:
    raise ValueError(
      f'There is no preset {name!r}; choose from {", ".join(named)}.'
    )
  return named[name]
