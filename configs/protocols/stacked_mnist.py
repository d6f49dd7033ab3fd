"""The protocols of Stacked MNIST, 1000 modes in images of three digits."""

from configs import r3gan
from configs.protocols import base


def _stacked(network, **data):
  """Returns the config that the protocols of Stacked MNIST begin with."""
  config = base.protocol()
  config.data = dict(
    name='stacked_mnist',
    dir='',  # folder of TFDS' data sets, with mnist
    split='train',  # or train+test
    range='signed',  # [-1, 1]; or unit, [0, 1]
    pool=0,  # images made once and drawn from; 0: new ones are always made
    order='shuffled',  # or sequential: the order of the images in the pool
    side=28,  # of the images in pixels; digits get a border of 0
  )
  config.data.update(data)
  config.network = network
  config.seeds = 2
  config.measure.update(evaluations=10, samples=25_600, batch=128, pictures=24)
  with config.unlocked():
    config.measure.confidence = 0.0  # probability that makes a digit good
    config.measure.classifier_epochs = 8
  return config


def stacked_mnist_unrolled_quarter():
  """Returns PacGAN's table 3: D has a quarter of G's width (Metz et al., 2017).

  From PacGAN's code: new stacks of the 60,000 training digits in [-1, 1]; the
  networks of `networks.stacked_mnist.unrolled`; Adam with the learning rates
  2e-4 for D and 1e-4 for G, b1 .5, b2 .99; batches of 128 packs, alternating
  updates, 500,000 steps; 25,600 samples, normalised in batches of 128 each. Its
  classifier has an accuracy of 99.25 %; that of ours is in the table. The code
  does not say which step the table reports. Here the generator's update draws
  new latents. +- is over 50 trials; that of PacGAN's rows is taken for the
  standard error, as in its other tables.
  """
  config = _stacked('stacked_mnist_unrolled')
  config.steps = 500_000
  config.batch_size = 128
  config.generator = dict(share=4, groups=1)
  config.prior = dict(name='normal', size=256)
  config.measure.batch_statistics = True
  base.adam(config, 1e-4, 2e-4, b1=0.5, b2=0.99)
  base.remedies(
    config,
    dcgan={},
    **{
      f'pac{m}': {
        'pack': m,
        'batch_size': 128 * m,
        'generator.groups': m,
        'measure.batch': 128 * m,
      }
      for m in (2, 3, 4)
    },
  )
  config.source = 'PacGAN, table 3'
  config.published = base.published(
    base.STACKED_MNIST,
    50,
    dcgan=(78.5, 17.56, 5.21, 0.19),
    pac2=(484.5, 32.99, 2.61, 0.22),
    pac3=(601.3, 32.18, 2.00, 0.17),
    pac4=(667.4, 29.00, 1.81, 0.15),
  )
  return config


def stacked_mnist_unrolled_half():
  """Returns the same with a discriminator half as wide as the generator."""
  config = stacked_mnist_unrolled_quarter()
  config.generator.share = 2
  config.published = base.published(
    base.STACKED_MNIST,
    50,
    dcgan=(487.7, 34.59, 2.24, 0.15),
    pac2=(840.7, 15.92, 1.00, 0.05),
    pac3=(866.6, 12.10, 0.90, 0.04),
    pac4=(820.2, 25.50, 1.15, 0.14),
  )
  return config


def stacked_mnist_pacgan():
  """Returns PacGAN's table 2, its comparison with VEEGAN, with DCGAN.

  From its code: 128,000 stacks of all 70,000 digits, shuffled only once, in
  [0, 1] although the generator ends in tanh; packs are drawn from these with
  replacement; latents are U(-1, 1)^100; a step has one update of D and then two
  of G; batches of 64 packs, 100,000 steps; 26,000 samples by running
  statistics; ten trials, +- is the standard error. Both updates of G take the
  latents of D's update.
  """
  config = _stacked(
    'stacked_mnist_pacgan',
    split='train+test',
    range='unit',
    pool=128_000,
    order='sequential',
  )
  config.steps = 100_000
  config.batch_size = 64
  config.generator_steps = 2
  config.shared_latents = True
  config.generator = dict(width=64, groups=1)
  config.prior = dict(name='uniform', size=100)
  config.measure.samples = 26_000
  base.adam(config, 2e-4, 2e-4, b1=0.5)
  base.remedies(
    config,
    dcgan={},
    **{
      f'pac{m}': {'pack': m, 'batch_size': 64 * m, 'generator.groups': m}
      for m in (2, 3, 4)
    },
    discrimination={f'{base.STATISTICS}.name': 'discrimination'},
  )
  config.source = 'PacGAN, table 2'
  config.published = base.published(
    base.STACKED_MNIST,
    10,
    dcgan=(78.9, 6.46, 4.50, 0.127),
    pac2=(1000.0, 0.0, 0.06, 0.003),
    pac3=(1000.0, 0.0, 0.06, 0.003),
    pac4=(1000.0, 0.0, 0.07, 0.005),
  )
  return config


def stacked_mnist_r3gan():
  """Returns R3GAN's comparison of two losses and two penalties.

  Huang et al., 2024, arXiv:2501.05441, do not publish its networks and
  settings; those here are ours: small residual networks at 32 pixels, latents
  of size 64, Adam with a learning rate of 5e-4, b1 0 and b2 .99, gamma 1,
  batches of 64 for 10 million images. There are 26,000 samples, as in the
  authors' evaluation. The values are published without errors, and two as
  'fails', which is no number.
  """
  config = _stacked('stacked_mnist_residual', side=32)
  config.steps = 156_250
  config.batch_size = 64
  config.generator = dict(widths=(128, 64, 32), blocks=1)
  config.prior = dict(name='normal', size=64)
  config.measure.update(samples=26_000, batch=250)
  base.adam(config, 5e-4, 5e-4, b1=0.0, b2=0.99)
  base.remedies(
    config,
    rpgan_r1_r2={'loss': 'relativistic', base.R1: 0.5, base.R2: 0.5},
    gan_r1_r2={base.R1: 0.5, base.R2: 0.5},
    rpgan_r1={'loss': 'relativistic', base.R1: 0.5},
    gan_r1={base.R1: 0.5},
  )
  config.source = 'R3GAN, loss ablation (rpgan_r1 and gan_r1: fail)'
  config.published = dict(
    rpgan_r1_r2=dict(
      captured=dict(value=1000.0), reverse_kl=dict(value=0.0781)
    ),
    gan_r1_r2=dict(captured=dict(value=693.0), reverse_kl=dict(value=0.927)),
  )
  return config


def stacked_mnist_r3gan_paper():
  """Returns R3GAN itself on Stacked MNIST, with the networks of the paper.

  Huang et al., 2024, arXiv:2501.05441, table 9: 20.7 million parameters a
  player, batches of 512, 10 million images, no augmentation; seven hours on
  eight L40. Gamma falls from 1 to .1 over the first 2 million.
  """
  config = stacked_mnist_r3gan()
  r3gan.method(config)
  config.steps = 19_540
  config.batch_size = 512
  r3gan.burn_in(
    config, 2_000_000, gamma=1.0, half_life=500_000, rate=(2e-4, 2e-4)
  )
  config.measure.weights = 'ema'
  base.remedies(config, r3gan={})
  config.source = 'R3GAN, table of Stacked MNIST (one run)'
  config.published = dict(
    r3gan=dict(captured=dict(value=1000.0), reverse_kl=dict(value=0.029))
  )
  return config


def stacked_mnist():
  """Returns the beginning of `stacked_mnist_r3gan`: an hour on two cores."""
  config = stacked_mnist_r3gan()
  config.steps = 2_000
  config.measure.evaluations = 4
  config.note = 'The first 2,000 of 156,250 steps of stacked_mnist_r3gan.'
  return config
