r"""The protocols of mode collapse, named and frozen.

  python -m experiments.mode_collapse --workdir runs/NAME \
    --config configs/mode_collapse.py:NAME

Each function below is a protocol, with its paper and what it leaves open. A
remedy is what it changes in the protocol, in one line. Every number is set to
what the sources say; where they are silent the line says so.
"""

from configs import base


def get_config(name='ring'):
  """The config of a protocol, locked."""
  if name not in PROTOCOLS:
    raise ValueError(
      f'There is no protocol {name!r}; choose from {", ".join(PROTOCOLS)}.'
    )
  config = _base(name)
  PROTOCOLS[name](config)
  return config.lock()


def _base(name):
  """What the protocols share, and may change."""
  config = base.get_config()
  for field in ('images', 'log', 'samples', 'checkpoint', 'steps_together'):
    del config[field]
  config.protocol = name
  config.seeds = 10
  config.way = 'auto'  # vmap, map, steps: how a population is mapped
  config.ema_decay = 0.999
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
  config.discriminator = dict(statistics=base.statistics())
  config.generator = dict()
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


def _adam(config, generator, discriminator, b1, b2=0.999):
  for player, rate in (
    ('generator', generator),
    ('discriminator', discriminator),
  ):
    config.optimizers[player].update(learning_rate=rate, b1=b1, b2=b2)


R1 = 'regularizers.discriminator.r1.weight'  # gamma / 2
R2 = 'regularizers.discriminator.r2.weight'


def pacgan_ring(config):
  """8 Gaussians on a ring (Lin et al., 2018, arXiv:1712.04086, table 1).

  From its authors' code: both players move at once by one joint update, on the
  same latents; a pool of 100,000 points, of which rows of m are drawn with
  replacement and shuffled in each epoch; 400 epochs of 1,000 batches of 100
  rows; running statistics with a twentieth of each batch; 2,500 fixed latents;
  +- is the standard error of ten trials. The code adds softplus(D(x)) to the
  generator's loss, which its gradient does not see. b1 is .8, as in the Blocks
  of that month (in the year before, the same line meant .2).
  """
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
    discrimination={'discriminator.statistics.name': 'discrimination'},
  )
  config.source = 'PacGAN, table 1'
  config.published = _pacgan(
    gan=(6.3, 0.5, 98.2, 0.2, 0.45, 0.09),
    pac2=(7.9, 0.1, 95.6, 2.0, 0.07, 0.03),
    pac3=(7.8, 0.1, 97.7, 0.3, 0.10, 0.02),
    pac4=(7.8, 0.1, 95.9, 1.4, 0.07, 0.02),
  )


def pacgan_grid(config):
  """25 Gaussians on a grid, otherwise `pacgan_ring` (the same table)."""
  pacgan_ring(config)
  config.data = dict(name='grid', side=5, spacing=2.0, std=0.05, pool=100_000)
  config.published = _pacgan(
    gan=(17.3, 0.8, 94.8, 0.7, 0.70, 0.07),
    pac2=(23.8, 0.7, 91.3, 0.8, 0.13, 0.04),
    pac3=(24.6, 0.4, 94.2, 0.4, 0.06, 0.02),
    pac4=(24.8, 0.2, 93.6, 0.6, 0.04, 0.01),
  )


def _pacgan(**rows):
  measures = ('captured', 'quality', 'divergence')
  return {
    remedy: {
      measure: dict(
        value=value, spread=spread, kind='standard error', number=10
      )
      for measure, value, spread in zip(
        measures, numbers[::2], numbers[1::2], strict=True
      )
    }
    for remedy, numbers in rows.items()
  }


def unrolled_ring(config):
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
  ns = {'loss': 'non_saturating'}
  _remedies(
    config,
    gan={},
    non_saturating=ns,
    unrolled5={'unroll': 5},
    unrolled10={'unroll': 10},
    pac2=ns | {'pack': 2},
    pac4=ns | {'pack': 4},
    wgan_gp={
      'loss': 'wasserstein',
      'regularizers.discriminator.wgan_gp.weight': 0.1,
    },
    r1=ns | {R1: 0.5},
    rpgan_r1_r2={'loss': 'relativistic', R1: 0.05, R2: 0.05},
    spectral=ns | {'spectral.discriminator': True},
    discrimination=ns
    | {
      'discriminator.statistics.name': 'discrimination',
      'discriminator.statistics.kernels': 4,
    },
  )


PROTOCOLS = {
  'pacgan_ring': pacgan_ring,
  'pacgan_grid': pacgan_grid,
  'unrolled_ring': unrolled_ring,
}
