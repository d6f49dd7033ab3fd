"""What the configs of adversarial trainings share."""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config():
  """A config without networks, not yet locked."""
  config = ConfigDict()
  config.seed = 0
  config.images = 60_000  # shown to the discriminator in all
  config.batch_size = 64  # of one move of the discriminator
  config.data = dict(
    name='digits',  # folder, or a data set prepared by TFDS
    dir='',  # where the pictures, or TFDS' data sets, lie
    split='train',
    resolution=32,
    channels=0,  # 1, 3, 4, or 0 for what is stored
    crop='center',  # stretch, pad
    road='auto',  # device, host, stream (decodes as it goes)
  )
  config.dtype = 'float32'  # of the computation; bfloat16 on accelerators
  config.spectral = dict(generator=False, discriminator=False)
  config.prior = dict(name='normal', size=100)
  config.loss = 'non_saturating'
  config.label_smoothing = 0.0
  # Weights are factors of the bare terms: gamma / 2 for R1 and R2, lambda for
  # the others. A penalty of weight 0 is left out.
  config.regularizers = dict(
    generator=dict(),
    discriminator=dict(
      r1=dict(weight=0.0, every=1),
      r2=dict(weight=0.0, every=1),
      wgan_gp=dict(weight=0.0, every=1, target=1.0),
      dragan=dict(weight=0.0, every=1, spread=0.5, target=1.0),
    ),
  )
  adam = dict(name='adam', learning_rate=2e-4, b1=0.5, b2=0.999)
  config.optimizers = dict(generator=dict(adam), discriminator=dict(adam))
  config.rule = 'alternating'  # simultaneous, extragradient
  config.critic_steps = 1  # moves of the discriminator for one of the generator
  config.skip_below = placeholder(float)  # D rests while its loss is under this
  config.ema_decay = 0.999
  config.steps_together = 0  # in one dispatch; 0 chooses by backend and network
  config.mesh = dict(data=-1)  # devices that share a batch; -1 takes all
  # All three in images shown.
  config.log = dict(every=2_000)
  config.samples = dict(every=6_000)
  config.checkpoint = dict(every=15_000, keep=3)
  return config
