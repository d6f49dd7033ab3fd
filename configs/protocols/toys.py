"""The protocols of points in the plane, as their papers have them."""

from ml_collections import ConfigDict

from configs.protocols import shared


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
  config = shared.protocol()
  config.steps = 400_000
  config.batch_size = 100
  config.data = dict(name='ring', modes=8, radius=1.0, std=0.01, pool=100_000)
  config.network = 'toy_pacgan'
  config.generator = dict(width=400, units=200, pieces=5)
  config.prior = dict(name='normal', size=2)
  config.update_rule = 'simultaneous'
  shared.adam(config, 1e-4, 1e-4, b1=0.8)
  shared.remedies(
    config,
    gan={},
    pac2={'pack': 2, 'batch_size': 200},
    pac3={'pack': 3, 'batch_size': 300},
    pac4={'pack': 4, 'batch_size': 400},
    # Not in the table of the first version; 100 kernels of 5, as its source.
    discrimination={f'{shared.STATISTICS}.name': 'discrimination'},
  )
  config.source = 'PacGAN, table 1'
  config.published = shared.published(
    shared.POINTS,
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
  config.published = shared.published(
    shared.POINTS,
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
  config = shared.protocol()
  config.steps = 25_000
  config.batch_size = 512
  config.seeds = 5
  config.data = dict(name='ring', modes=8, radius=2.0, std=0.02, pool=0)
  config.network = 'toy_unrolled'
  config.generator = dict(width=128, gain=0.8, scale=0.25)
  config.prior = dict(name='normal', size=256)
  config.loss = 'minimax'
  config.update_rule = 'simultaneous'
  config.measure.evaluations = 125
  shared.adam(config, 1e-4, 1e-4, b1=0.5)
  shared.remedies(
    config,
    gan={},
    non_saturating=shared.NON_SATURATING,
    unrolled5={'unroll': 5},
    unrolled10={'unroll': 10},
    pac2=shared.NON_SATURATING | {'pack': 2},
    pac4=shared.NON_SATURATING | {'pack': 4},
    wgan_gp={'loss': 'wasserstein', f'{shared.PENALTY}.wgan_gp.weight': 0.1},
    r1=shared.NON_SATURATING | {shared.R1: 0.5},
    rpgan_r1_r2={'loss': 'relativistic', shared.R1: 0.05, shared.R2: 0.05},
    spectral=shared.NON_SATURATING | {'spectral.discriminator': True},
    discrimination=shared.NON_SATURATING
    | {
      f'{shared.STATISTICS}.name': 'discrimination',
      f'{shared.STATISTICS}.kernels': 4,
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
  config.network = 'toy_unrolled_demo'
  config.generator = dict(width=128, gain=1.4)
  shared.adam(config, 1e-3, 1e-4, b1=0.5)
  shared.remedies(
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
  config = shared.protocol()
  config.steps = 100_000
  config.batch_size = 256
  config.seeds = 2
  config.data = dict(
    name='ring', modes=8, radius=2 / 1.414, std=0.02 / 1.414, pool=0
  )
  config.network = 'toy_wgan_gp'
  config.generator = dict(width=512)
  config.prior = dict(name='normal', size=2)
  config.loss = 'wasserstein'
  config.critic_steps = 5
  shared.adam(config, 1e-4, 1e-4, b1=0.5, b2=0.9)
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
  shared.remedies(
    config,
    wgan_gp={f'{shared.PENALTY}.wgan_gp.weight': 0.1},
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
