r"""The protocols of mode collapse, named and frozen.

  python -m experiments.mode_collapse --workdir runs/NAME \
    --config configs/mode_collapse.py:NAME

Each function below is a protocol, with its paper and what it leaves open. A
remedy is what it changes in the protocol, in one line. Every number is set to
what the sources say; where they are silent the line says so.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(name='ring'):
  """The config of a protocol, locked."""
  if name not in PROTOCOLS:
    raise ValueError(
      f'There is no protocol {name!r}; choose from {", ".join(PROTOCOLS)}.'
    )
  config = PROTOCOLS[name]()
  config.protocol = name
  return config.lock()


def _protocol():
  """What protocols share, and may change."""
  config = base.get_config()
  for field in ('images', 'log', 'samples', 'checkpoint', 'steps_together'):
    del config[field]
  config.seeds = 10
  config.way = 'auto'  # vmap, map, steps: how a population is mapped
  config.measure = dict(
    looks=100,
    samples=2500,
    batch=2500,  # of them at a time
    shown=500,  # of them in the pictures
    seed=2333,  # of their latents, the same at each look
    weights='raw',  # ema
    batch_statistics=False,  # of the samples' own batches, not running ones
    within=3.0,  # deviations around a mode: what is good
    closer='less',  # less_equal
    minimum=1,  # good samples that make a mode
    all_counted=False,  # by the divergence, not only the good ones
    smoothing=0.0,  # of its histogram
  )
  config.generator = dict()
  config.discriminator = dict(statistics=base.statistics())
  config.published = dict()
  config.source = ''
  config.note = ''
  return config


def _set(changes):
  """Dotted fields as the tree that a config is updated with."""
  tree = {}
  for name, value in changes.items():
    *path, last = name.split('.')
    place = tree
    for part in path:
      place = place.setdefault(part, {})
    place[last] = value
  return tree


def _remedies(config, **remedies):
  config.remedies = {name: _set(changes) for name, changes in remedies.items()}


def _published(measures, number, **rows):
  """Values and their standard errors over so many trials, by remedy."""
  return {
    remedy: {
      measure: dict(
        value=value, spread=spread, kind='standard error', number=number
      )
      for measure, value, spread in zip(
        measures, values[::2], values[1::2], strict=True
      )
    }
    for remedy, values in rows.items()
  }


_POINTS = ('captured', 'quality', 'divergence')
_STACKS = ('captured', 'divergence')


def _adam(config, generator, discriminator, b1, b2=0.999):
  for player, rate in (
    ('generator', generator),
    ('discriminator', discriminator),
  ):
    config.optimizers[player].update(learning_rate=rate, b1=b1, b2=b2)


_PENALTY = 'regularizers.discriminator'
R1, R2 = f'{_PENALTY}.r1.weight', f'{_PENALTY}.r2.weight'  # gamma / 2
_STATISTICS = 'discriminator.statistics'
_RATE = 'optimizers.discriminator.learning_rate'
_NS = {'loss': 'non_saturating'}


def ring():
  """8 Gaussians on a ring, all remedies: a laboratory's bench, of no paper.

  Players of equal strength, so that much helps and little is lost: ten minutes
  or two on two cores tell the remedies apart.
  """
  config = _protocol()
  config.steps = 5_000
  config.batch_size = 128
  config.seeds = 8
  config.data = dict(name='ring', modes=8, radius=1.0, std=0.02, pool=0)
  config.network = 'plain_toy'
  config.generator = dict(widths=(128, 128))
  config.prior = dict(name='normal', size=16)
  config.measure.looks = 50
  _adam(config, 1e-3, 1e-3, b1=0.5)
  _remedies(
    config,
    gan={},
    minimax={'loss': 'minimax'},
    pac2={'pack': 2, 'batch_size': 256},
    pac3={'pack': 3, 'batch_size': 384},
    pac4={'pack': 4, 'batch_size': 512},
    unrolled1={'unroll': 1},
    unrolled5={'unroll': 5},
    unrolled10={'unroll': 10},
    discrimination={
      f'{_STATISTICS}.name': 'discrimination',
      f'{_STATISTICS}.kernels': 16,
    },
    stddev={f'{_STATISTICS}.name': 'stddev'},
    feature_matching={
      'loss': 'features_only',
      'regularizers.generator.feature_matching.weight': 1.0,
    },
    mode_seeking={'regularizers.generator.mode_seeking.weight': 1.0},
    historical={'historical_averaging': 0.1},
    smoothing={'label_smoothing': 0.1},
    instance_noise={'instance_noise.std': 0.3, 'instance_noise.steps': 4_000},
    top_k={'top_k.share': 0.5, 'top_k.steps': 2_500},
    r1={R1: 0.5},
    r2={R2: 0.5},
    rpgan_r1_r2={'loss': 'relativistic', R1: 0.5, R2: 0.5},
    wgan_clip={
      'loss': 'wasserstein',
      'clip': 0.1,
      'critic_steps': 5,
      'optimizers.generator.name': 'rmsprop',
      'optimizers.discriminator.name': 'rmsprop',
      'optimizers.generator.b1': 0.0,
      'optimizers.discriminator.b1': 0.0,
      'optimizers.generator.b2': 0.9,
      'optimizers.discriminator.b2': 0.9,
    },
    wgan_gp={'loss': 'wasserstein', f'{_PENALTY}.wgan_gp.weight': 0.1},
    dragan={f'{_PENALTY}.dragan.weight': 1.0},
    spectral={'spectral.discriminator': True},
    lecam={f'{_PENALTY}.lecam.weight': 0.3},
    two_rates={'optimizers.generator.learning_rate': 2.5e-4},
    critic_steps={'critic_steps': 4},
    skipping={'skip_below': 0.9},
    extragradient={'rule': 'extragradient'},
    optimistic={
      'optimizers.generator.name': 'optimistic_adam',
      'optimizers.discriminator.name': 'optimistic_adam',
    },
    lookahead={'lookahead.every': 5},
    consensus={'consensus': 0.1},
    ema={'measure.weights': 'ema'},
  )
  return config


def grid():
  """25 Gaussians on a grid, otherwise `ring`."""
  config = ring()
  config.steps = 10_000
  config.data = dict(name='grid', side=5, spacing=0.5, std=0.02, pool=0)
  return config


def spiral():
  """A Swiss roll, otherwise as `ring`; 200 stretches of it stand for modes."""
  config = ring()
  config.data = dict(name='spiral', modes=200, noise=0.25, divisor=7.5, pool=0)
  return config


def pacgan_ring():
  """8 Gaussians on a ring (Lin et al., 2018, arXiv:1712.04086, table 1).

  From its authors' code: both players move at once by one joint update, on the
  same latents; a pool of 100,000 points, of which rows of m are drawn with
  replacement and shuffled in each epoch; 400 epochs of 1,000 batches of 100
  rows; running statistics with a twentieth of each batch; 2,500 fixed latents;
  +- is the standard error of ten trials. The code adds softplus(D(x)) to the
  generator's loss, which its gradient does not see. b1 is .8, as in the Blocks
  of that month (in the year before, the same line meant .2).
  """
  config = _protocol()
  config.steps = 400_000
  config.batch_size = 100
  config.data = dict(name='ring', modes=8, radius=1.0, std=0.01, pool=100_000)
  config.network = 'pacgan_toy'
  config.generator = dict(width=400, units=200, pieces=5)
  config.prior = dict(name='normal', size=2)
  config.rule = 'simultaneous'
  _adam(config, 1e-4, 1e-4, b1=0.8)
  _remedies(
    config,
    gan={},
    pac2={'pack': 2, 'batch_size': 200},
    pac3={'pack': 3, 'batch_size': 300},
    pac4={'pack': 4, 'batch_size': 400},
    # Not in the table of the first version; 100 kernels of 5, as its source.
    discrimination={f'{_STATISTICS}.name': 'discrimination'},
  )
  config.source = 'PacGAN, table 1'
  config.published = _published(
    _POINTS,
    10,
    gan=(6.3, 0.5, 98.2, 0.2, 0.45, 0.09),
    pac2=(7.9, 0.1, 95.6, 2.0, 0.07, 0.03),
    pac3=(7.8, 0.1, 97.7, 0.3, 0.10, 0.02),
    pac4=(7.8, 0.1, 95.9, 1.4, 0.07, 0.02),
  )
  return config


def pacgan_grid():
  """25 Gaussians on a grid, otherwise `pacgan_ring` (the same table)."""
  config = pacgan_ring()
  config.data = dict(name='grid', side=5, spacing=2.0, std=0.05, pool=100_000)
  config.published = _published(
    _POINTS,
    10,
    gan=(17.3, 0.8, 94.8, 0.7, 0.70, 0.07),
    pac2=(23.8, 0.7, 91.3, 0.8, 0.13, 0.04),
    pac3=(24.6, 0.4, 94.2, 0.4, 0.06, 0.02),
    pac4=(24.8, 0.2, 93.6, 0.6, 0.04, 0.01),
  )
  return config


def unrolled_ring():
  """8 Gaussians against a weak discriminator (Metz et al., 2017, 1611.02163).

  Appendix A, from memory: radius 2, std .02, 256 latents, a discriminator with
  one hidden layer that sees the points divided by 4, orthogonal kernels of gain
  .8, Adam of 1e-4 with b1 .5, 25,000 steps of 512. The paper shows a figure and
  no table. Both players move at once, on the same latents; unrolling goes
  through Adam and its moments, as in the authors' notebook; points are drawn
  anew. Packs halve the number of logits, as the batch stays at 512 points.
  Modes are counted as in PacGAN. WGAN-GP has the weight of its authors' toys
  and moves its critic once a step; minibatch discrimination has 4 kernels (the
  paper's 100 would cost thirty times the step). Weights of R1 and R2 are in
  units of these points, which the paper does not know.
  """
  config = _protocol()
  config.steps = 25_000
  config.batch_size = 512
  config.seeds = 5
  config.data = dict(name='ring', modes=8, radius=2.0, std=0.02, pool=0)
  config.network = 'unrolled_toy'
  config.generator = dict(width=128, gain=0.8, scale=0.25)
  config.prior = dict(name='normal', size=256)
  config.loss = 'minimax'
  config.rule = 'simultaneous'
  config.measure.looks = 125
  _adam(config, 1e-4, 1e-4, b1=0.5)
  _remedies(
    config,
    gan={},
    non_saturating=_NS,
    unrolled5={'unroll': 5},
    unrolled10={'unroll': 10},
    pac2=_NS | {'pack': 2},
    pac4=_NS | {'pack': 4},
    wgan_gp={'loss': 'wasserstein', f'{_PENALTY}.wgan_gp.weight': 0.1},
    r1=_NS | {R1: 0.5},
    rpgan_r1_r2={'loss': 'relativistic', R1: 0.05, R2: 0.05},
    spectral=_NS | {'spectral.discriminator': True},
    discrimination=_NS
    | {
      f'{_STATISTICS}.name': 'discrimination',
      f'{_STATISTICS}.kernels': 4,
    },
  )
  return config


def unrolled_ring_demo():
  """The ring of the unrolled GAN's notebook, which its paper does not use.

  Radius 1, std .01, tanh on both sides, gain 1.4, the generator's rate ten
  times the discriminator's. Its code lays two of the 8 modes on one another;
  here all are apart: a named deviation. The plain GAN does not collapse here.
  """
  config = unrolled_ring()
  config.data = dict(name='ring', modes=8, radius=1.0, std=0.01, pool=0)
  config.network = 'unrolled_demo_toy'
  config.generator = dict(width=128, gain=1.4)
  _adam(config, 1e-3, 1e-4, b1=0.5)
  _remedies(
    config,
    gan={},
    unrolled1={'unroll': 1},
    unrolled5={'unroll': 5},
    unrolled10={'unroll': 10},
  )
  return config


def wgan_gp_toys():
  """8 Gaussians of improved WGAN training (Gulrajani et al., 2017, 1704.00028).

  From its authors' code: radius 2 and std .02, divided by 1.414; five moves of
  the critic on batches of 256 each; lambda .1, not the 10 of images; 100,000
  steps. A figure only. `wgan_gp_grid` and `wgan_gp_spiral` are its other two.
  """
  config = _protocol()
  config.steps = 100_000
  config.batch_size = 256
  config.seeds = 2
  config.data = dict(
    name='ring', modes=8, radius=2 / 1.414, std=0.02 / 1.414, pool=0
  )
  config.network = 'wgan_gp_toy'
  config.generator = dict(width=512)
  config.prior = dict(name='normal', size=2)
  config.loss = 'wasserstein'
  config.critic_steps = 5
  _adam(config, 1e-4, 1e-4, b1=0.5, b2=0.9)
  rmsprop = {
    f'optimizers.{player}.{field}': value
    for player in ('generator', 'discriminator')
    for field, value in (
      ('name', 'rmsprop'),
      ('learning_rate', 5e-5),
      ('b1', 0.0),
      ('b2', 0.9),
    )
  }
  _remedies(
    config,
    wgan_gp={f'{_PENALTY}.wgan_gp.weight': 0.1},
    wgan_clip=rmsprop | {'clip': 0.01},
  )
  return config


def wgan_gp_grid():
  """25 Gaussians of the same toys: spacing 2, std .05, divided by 2.828."""
  config = wgan_gp_toys()
  config.data = dict(
    name='grid', side=5, spacing=2 / 2.828, std=0.05 / 2.828, pool=100_000
  )
  return config


def wgan_gp_spiral():
  """The Swiss roll of the same toys; 200 stretches of it stand for modes."""
  config = wgan_gp_toys()
  config.data = dict(name='spiral', modes=200, noise=0.25, divisor=7.5, pool=0)
  return config


def dirac():
  """The Dirac-GAN against its closed forms (Mescheder et al., 1801.04406).

  From (1, 1), as the figures of the paper; .2 is the rate of its notebook.
  """
  return ConfigDict(dict(learning_rate=0.2, steps=500, match='', seed=0))


def _stacked(network, **data):
  """What the protocols of Stacked MNIST share."""
  config = _protocol()
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
  config.measure.update(looks=10, samples=25_600, batch=128, shown=24)
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
  config = _stacked('unrolled_stacked')
  config.steps = 500_000
  config.batch_size = 128
  config.generator = dict(share=4, groups=1)
  config.prior = dict(name='normal', size=256)
  config.measure.batch_statistics = True
  _adam(config, 1e-4, 2e-4, b1=0.5, b2=0.99)
  _remedies(
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
  config.published = _published(
    _STACKS,
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
  config.published = _published(
    _STACKS,
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
    'pacgan_stacked',
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
  _adam(config, 2e-4, 2e-4, b1=0.5)
  _remedies(
    config,
    dcgan={},
    **{
      f'pac{m}': {'pack': m, 'batch_size': 64 * m, 'generator.groups': m}
      for m in (2, 3, 4)
    },
    discrimination={f'{_STATISTICS}.name': 'discrimination'},
  )
  config.source = 'PacGAN, table 2'
  config.published = _published(
    _STACKS,
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
  config = _stacked('residual_stacked', side=32)
  config.steps = 156_250
  config.batch_size = 64
  config.generator = dict(widths=(128, 64, 32), blocks=1)
  config.prior = dict(name='normal', size=64)
  config.measure.update(samples=26_000, batch=250)
  _adam(config, 5e-4, 5e-4, b1=0.0, b2=0.99)
  _remedies(
    config,
    rpgan_r1_r2={'loss': 'relativistic', R1: 0.5, R2: 0.5},
    gan_r1_r2={R1: 0.5, R2: 0.5},
    rpgan_r1={'loss': 'relativistic', R1: 0.5},
    gan_r1={R1: 0.5},
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
  config.measure.looks = 4
  config.note = 'The first 2,000 of 156,250 steps of stacked_mnist_r3gan.'
  return config


PROTOCOLS = {
  protocol.__name__: protocol
  for protocol in (
    ring,
    grid,
    spiral,
    stacked_mnist,
    dirac,
    pacgan_ring,
    pacgan_grid,
    unrolled_ring,
    unrolled_ring_demo,
    wgan_gp_toys,
    wgan_gp_grid,
    wgan_gp_spiral,
    stacked_mnist_unrolled_quarter,
    stacked_mnist_unrolled_half,
    stacked_mnist_pacgan,
    stacked_mnist_r3gan,
  )
}
