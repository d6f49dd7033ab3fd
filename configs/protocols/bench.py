"""Benches of our own, of no paper: all remedies on points in the plane."""

from configs.protocols import shared


def ring():
  """8 Gaussians on a ring, all remedies: a laboratory's bench, of no paper.

  Players of equal strength, so that much helps and little is lost: ten minutes
  or two on two cores tell the remedies apart.
  """
  config = shared.protocol()
  config.steps = 5_000
  config.batch_size = 128
  config.seeds = 8
  config.data = dict(name='ring', modes=8, radius=1.0, std=0.02, pool=0)
  config.network = 'toy_plain'
  config.generator = dict(widths=(128, 128))
  config.prior = dict(name='normal', size=16)
  config.measure.evaluations = 50
  shared.adam(config, 1e-3, 1e-3, b1=0.5)
  shared.remedies(
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
      f'{shared.STATISTICS}.name': 'discrimination',
      f'{shared.STATISTICS}.kernels': 16,
    },
    stddev={f'{shared.STATISTICS}.name': 'stddev'},
    feature_matching={
      'loss': 'features_only',
      'regularizers.generator.feature_matching.weight': 1.0,
    },
    mode_seeking={'regularizers.generator.mode_seeking.weight': 1.0},
    historical={'historical_averaging': 0.1},
    smoothing={'label_smoothing': 0.1},
    instance_noise={'instance_noise.std': 0.3, 'instance_noise.steps': 4_000},
    top_k={'top_k.share': 0.5, 'top_k.steps': 2_500},
    r1={shared.R1: 0.5},
    r2={shared.R2: 0.5},
    rpgan_r1_r2={'loss': 'relativistic', shared.R1: 0.5, shared.R2: 0.5},
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
    wgan_gp={'loss': 'wasserstein', f'{shared.PENALTY}.wgan_gp.weight': 0.1},
    dragan={f'{shared.PENALTY}.dragan.weight': 1.0},
    spectral={'spectral.discriminator': True},
    lecam={f'{shared.PENALTY}.lecam.weight': 0.3},
    two_rates={'optimizers.generator.learning_rate': 2.5e-4},
    critic_steps={'critic_steps': 4},
    skipping={'skip_below': 0.9},
    extragradient={'update_rule': 'extragradient'},
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
