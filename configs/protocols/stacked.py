"""The protocols of Stacked MNIST, 1000 modes in images of three digits."""

from configs.protocols import shared


def _stacked(network, **data):
  """What the protocols of Stacked MNIST share."""
  config = shared.protocol()
  config.data = dict(
    name='stacked_mnist',
    dir='',  # of TFDS' data sets, with mnist
    split='train',  # train+test
    range='signed',  # unit: [0, 1]
    pool=0,  # stacks, made once; 0: made as they are needed
    order='shuffled',  # in turn
    side=28,  # of the images, the digits with a border of 0
  )
  config.data.update(data)
  config.network = network
  config.seeds = 2
  config.measure.update(evaluations=10, samples=25_600, batch=128, pictures=24)
  with config.unlocked():
    config.measure.confidence = 0.0  # asked of the classifier, in each channel
    config.measure.classifier_epochs = 8
  return config


def stacked_mnist_unrolled_quarter():
  """1000 modes, D a quarter of G (Metz et al., 2017; PacGAN's table 3).

  From PacGAN's code: stacks of the 60,000 training digits, made as they are
  needed, in [-1, 1]; the players of `networks.stacked.unrolled`; Adam with D
  2e-4, G 1e-4, b1 .5, b2 .99; batches of 128 packs, in turns, 500,000 steps;
  25,600 samples, normalised in batches of 128 each. Its classifier has 99.25 %;
  ours is named in the table. Which step its table reports is not in the code.
  Ours draws new latents for the generator's turn. +- is over 50 trials; that of
  PacGAN's rows is taken for the standard error, as in its other tables.
  """
  config = _stacked('stacked_mnist_unrolled')
  config.steps = 500_000
  config.batch_size = 128
  config.generator = dict(share=4, groups=1)
  config.prior = dict(name='normal', size=256)
  config.measure.batch_statistics = True
  shared.adam(config, 1e-4, 2e-4, b1=0.5, b2=0.99)
  shared.remedies(
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
  config.published = shared.published(
    shared.STACKS,
    50,
    dcgan=(78.5, 17.56, 5.21, 0.19),
    pac2=(484.5, 32.99, 2.61, 0.22),
    pac3=(601.3, 32.18, 2.00, 0.17),
    pac4=(667.4, 29.00, 1.81, 0.15),
  )
  return config


def stacked_mnist_unrolled_half():
  """The same with a discriminator half as wide as the generator."""
  config = stacked_mnist_unrolled_quarter()
  config.generator.share = 2
  config.published = shared.published(
    shared.STACKS,
    50,
    dcgan=(487.7, 34.59, 2.24, 0.15),
    pac2=(840.7, 15.92, 1.00, 0.05),
    pac3=(866.6, 12.10, 0.90, 0.04),
    pac4=(820.2, 25.50, 1.15, 0.14),
  )
  return config


def stacked_mnist_pacgan():
  """1000 modes, DCGAN (PacGAN's table 2, its comparison with VEEGAN).

  From its code: 128,000 stacks of all 70,000 digits, never shuffled again, in
  [0, 1] although the generator ends in tanh; packs are rows of these, drawn
  with replacement; U(-1, 1)^100; D moves once and then G twice; batches of 64
  packs, 100,000 steps; 26,000 samples by running statistics; ten trials, +- is
  the standard error. Its G moves twice on the latents of D's move; ours draws
  new ones each time.
  """
  config = _stacked(
    'stacked_mnist_pacgan',
    split='train+test',
    range='unit',
    pool=128_000,
    order='in turn',
  )
  config.steps = 100_000
  config.batch_size = 64
  config.generator_steps = 2
  config.generator = dict(width=64, groups=1)
  config.prior = dict(name='uniform', size=100)
  config.measure.samples = 26_000
  shared.adam(config, 2e-4, 2e-4, b1=0.5)
  shared.remedies(
    config,
    dcgan={},
    **{
      f'pac{m}': {'pack': m, 'batch_size': 64 * m, 'generator.groups': m}
      for m in (2, 3, 4)
    },
    discrimination={f'{shared.STATISTICS}.name': 'discrimination'},
  )
  config.source = 'PacGAN, table 2'
  config.published = shared.published(
    shared.STACKS,
    10,
    dcgan=(78.9, 6.46, 4.50, 0.127),
    pac2=(1000.0, 0.0, 0.06, 0.003),
    pac3=(1000.0, 0.0, 0.06, 0.003),
    pac4=(1000.0, 0.0, 0.07, 0.005),
  )
  return config


def stacked_mnist_r3gan():
  """R3GAN's matrix of two losses and two penalties (Huang et al., 2024).

  Its architecture and settings are unpublished; those here are ours: small
  residual players at 32 pixels, 64 latents, Adam of 5e-4 with b1 0 and b2 .99,
  gamma 1, batches of 64 for 10 million images. 26,000 samples, as its authors'
  evaluation. Published without errors; 'fails' is no number.
  """
  config = _stacked('stacked_mnist_residual', side=32)
  config.steps = 156_250
  config.batch_size = 64
  config.generator = dict(widths=(128, 64, 32), blocks=1)
  config.prior = dict(name='normal', size=64)
  config.measure.update(samples=26_000, batch=250)
  shared.adam(config, 5e-4, 5e-4, b1=0.0, b2=0.99)
  shared.remedies(
    config,
    rpgan_r1_r2={'loss': 'relativistic', shared.R1: 0.5, shared.R2: 0.5},
    gan_r1_r2={shared.R1: 0.5, shared.R2: 0.5},
    rpgan_r1={'loss': 'relativistic', shared.R1: 0.5},
    gan_r1={shared.R1: 0.5},
  )
  config.source = 'R3GAN, loss ablation (rpgan_r1 and gan_r1: fail)'
  config.published = dict(
    rpgan_r1_r2=dict(
      captured=dict(value=1000.0), divergence=dict(value=0.0781)
    ),
    gan_r1_r2=dict(captured=dict(value=693.0), divergence=dict(value=0.927)),
  )
  return config


def stacked_mnist():
  """`stacked_mnist_r3gan`, as far as two cores come in an hour."""
  config = stacked_mnist_r3gan()
  config.steps = 2_000
  config.measure.evaluations = 4
  config.note = 'The first 2,000 of 156,250 steps of stacked_mnist_r3gan.'
  return config
