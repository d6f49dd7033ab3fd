"""Published protocols with points in the plane, and that of the Dirac-GAN."""

from ml_collections import ConfigDict

from configs.protocols import base


def pacgan_ring():
  """Returns PacGAN's ring (Lin et al., 2018, arXiv:1712.04086, table 1).

  From its authors' code: both players are updated simultaneously, with the same
  latents; packs are drawn with replacement from a pool of 100,000 points, and
  shuffled in each epoch; 400 epochs of 1,000 batches of 100 packs; each batch
  has a weight of a twentieth in the running statistics; 2,500 fixed latents; +-
  is the standard error of ten trials. The code adds softplus(D(x)) to the
  generator's loss, which has no gradient in its parameters, as nothing is
  unrolled. b1 is .8, as in the version of Blocks of that month (a year before,
  the same line meant .2).
  """
  config = base.protocol()
  config.steps = 400_000
  config.batch_size = 100
  config.data = dict(name='ring', modes=8, radius=1.0, std=0.01, pool=100_000)
  config.network = 'toy_pacgan'
  config.generator = dict(width=400, units=200, pieces=5)
  config.prior = dict(name='normal', size=2)
  config.update_rule = 'simultaneous'
  base.adam(config, 1e-4, 1e-4, b1=0.8)
  base.remedies(
    config,
    gan={},
    pac2={'pack': 2, 'batch_size': 200},
    pac3={'pack': 3, 'batch_size': 300},
    pac4={'pack': 4, 'batch_size': 400},
    # Not in the table of the first version; 100 kernels of size 5, as in its
    # source.
    discrimination={f'{base.STATISTICS}.name': 'discrimination'},
  )
  config.source = 'PacGAN, table 1'
  config.published = base.published(
    base.POINTS,
    10,
    gan=(6.3, 0.5, 98.2, 0.2, 0.45, 0.09),
    pac2=(7.9, 0.1, 95.6, 2.0, 0.07, 0.03),
    pac3=(7.8, 0.1, 97.7, 0.3, 0.10, 0.02),
    pac4=(7.8, 0.1, 95.9, 1.4, 0.07, 0.02),
  )
  return config


def pacgan_grid():
  """Returns PacGAN's grid of 25 Gaussians, from the same table."""
  config = pacgan_ring()
  config.data = dict(name='grid', side=5, spacing=2.0, std=0.05, pool=100_000)
  config.published = base.published(
    base.POINTS,
    10,
    gan=(17.3, 0.8, 94.8, 0.7, 0.70, 0.07),
    pac2=(23.8, 0.7, 91.3, 0.8, 0.13, 0.04),
    pac3=(24.6, 0.4, 94.2, 0.4, 0.06, 0.02),
    pac4=(24.8, 0.2, 93.6, 0.6, 0.04, 0.01),
  )
  return config


def unrolled_ring():
  """Returns the unrolled GAN's ring (Metz et al., 2017, arXiv:1611.02163).

  Appendix A, from memory: radius 2, std .02, latents of size 256, a weak
  discriminator with one hidden layer that takes the points divided by 4,
  orthogonal kernels of gain .8, Adam with a learning rate of 1e-4 and b1 .5,
  25,000 steps of 512 points. The paper has a figure and no table. Both players
  are updated simultaneously, with the same latents; unrolling passes through
  Adam and its moments, as in the authors' notebook; each batch is new. Packs of
  2 halve the number of logits, as a batch always has 512 points. Modes are
  counted as in PacGAN. WGAN-GP has the weight of its authors' toys and one
  update of the critic in a step; minibatch discrimination has 4 kernels (the
  paper's 100 would take thirty times as long). The weights of R1 and R2 are
  ours.
  """
  config = base.protocol()
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
  base.adam(config, 1e-4, 1e-4, b1=0.5)
  base.remedies(
    config,
    gan={},
    non_saturating=base.NON_SATURATING,
    unrolled5={'unroll': 5},
    unrolled10={'unroll': 10},
    pac2=base.NON_SATURATING | {'pack': 2},
    pac4=base.NON_SATURATING | {'pack': 4},
    wgan_gp={'loss': 'wasserstein', f'{base.PENALTY}.wgan_gp.weight': 0.1},
    r1=base.NON_SATURATING | {base.R1: 0.5},
    rpgan_r1_r2={'loss': 'relativistic', base.R1: 0.05, base.R2: 0.05},
    spectral=base.NON_SATURATING | {'spectral.discriminator': True},
    discrimination=base.NON_SATURATING
    | {
      f'{base.STATISTICS}.name': 'discrimination',
      f'{base.STATISTICS}.kernels': 4,
    },
  )
  return config


def unrolled_ring_demo():
  """Returns the ring of the unrolled GAN's notebook, not of its paper.

  Radius 1, std .01, tanh in both networks, gain 1.4, and a learning rate of the
  generator ten times the discriminator's. In its code two of the 8 modes
  coincide, and here all are different. The GAN without unrolling does not
  collapse here.
  """
  config = unrolled_ring()
  config.data = dict(name='ring', modes=8, radius=1.0, std=0.01, pool=0)
  config.network = 'toy_unrolled_demo'
  config.generator = dict(width=128, gain=1.4)
  base.adam(config, 1e-3, 1e-4, b1=0.5)
  base.remedies(
    config,
    gan={},
    unrolled1={'unroll': 1},
    unrolled5={'unroll': 5},
    unrolled10={'unroll': 10},
  )
  return config


def wgan_gp_toys():
  """Returns WGAN-GP's ring (Gulrajani et al., 2017, arXiv:1704.00028).

  From its authors' code: radius 2 and std .02, divided by 1.414; five updates
  of the critic in a step, with batches of 256 each; lambda .1, not 10 as for
  images; 100,000 steps. `wgan_gp_grid` and `wgan_gp_spiral` are the two others.
  """
  config = base.protocol()
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
  base.adam(config, 1e-4, 1e-4, b1=0.5, b2=0.9)
  rmsprop = {
    f'optimizers.{player}.{field}': value
    for player in ('generator', 'discriminator')
    for field, value in (
      ('name', 'rmsprop'),
      ('learning_rate', 5e-5),
      ('b1', 0.0),
      ('b2', 0.9),
      # Those of TensorFlow 1.
      ('eps', 0.0),
      ('eps_root', 1e-10),
    )
  }
  base.remedies(
    config,
    wgan_gp={f'{base.PENALTY}.wgan_gp.weight': 0.1},
    wgan_clip=rmsprop | {'clip': 0.01},
  )
  return config


def wgan_gp_grid():
  """Returns WGAN-GP's 25 Gaussians: spacing 2, std .05, divided by 2.828."""
  config = wgan_gp_toys()
  config.data = dict(
    name='grid', side=5, spacing=2 / 2.828, std=0.05 / 2.828, pool=100_000
  )
  return config


def wgan_gp_spiral():
  """Returns WGAN-GP's Swiss roll, whose modes are 200 parts of it."""
  config = wgan_gp_toys()
  config.data = dict(name='spiral', modes=200, noise=0.25, divisor=7.5, pool=0)
  return config


def dirac():
  """Returns the settings of the Dirac-GAN (Mescheder et al., arXiv:1801.04406).

  It begins at (1, 1), as in the figures of the paper; the learning rate is that
  of its notebook.
  """
  return ConfigDict(dict(learning_rate=0.2, steps=500, match='', seed=0))
