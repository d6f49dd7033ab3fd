"""Comparisons of all remedies on points in the plane, of no paper."""

from configs.protocols import base


def ring():
  """Returns the comparison of all remedies on 8 Gaussians on a ring.

  The networks are of equal strength, so that many remedies help; the whole
  comparison takes some minutes on two cores.
  """
  config = base.protocol()
  config.steps = 5_000
  config.batch_size = 128
  config.seeds = 8
  config.data = dict(name='ring', modes=8, radius=1.0, std=0.02, pool=0)
  config.network = 'toy_plain'
  config.generator = dict(widths=(128, 128))
  config.prior = dict(name='normal', size=16)
  config.measure.evaluations = 50
  base.adam(config, 1e-3, 1e-3, b1=0.5)
  base.remedies(
    config,
    gan={},
    minimax={'loss': 'minimax'},
    pac2={'pack': 2, 'batch_size': 256},
    pac3={'pack': 3, 'batch_size': 384},
    pac4={'pack': 4, 'batch_size': 512},
    unrolled1={'loss': 'minimax', 'unroll': 1},
    unrolled5={'loss': 'minimax', 'unroll': 5},
    unrolled10={'loss': 'minimax', 'unroll': 10},
    discrimination={
      f'{base.STATISTICS}.name': 'discrimination',
      f'{base.STATISTICS}.kernels': 16,
    },
    stddev={f'{base.STATISTICS}.name': 'stddev'},
    feature_matching={
      'loss': 'features_only',
      'regularizers.generator.feature_matching.weight': 1.0,
    },
    mode_seeking={'regularizers.generator.mode_seeking.weight': 1.0},
    historical={'historical_averaging': 0.1},
    smoothing={'label_smoothing': 0.1},
    instance_noise={'instance_noise.std': 0.3, 'instance_noise.steps': 4_000},
    top_k={'top_k.share': 0.5, 'top_k.steps': 2_500},
    r1={base.R1: 0.5},
    r2={base.R2: 0.5},
    rpgan_r1_r2={'loss': 'relativistic', base.R1: 0.5, base.R2: 0.5},
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
    wgan_gp={'loss': 'wasserstein', f'{base.PENALTY}.wgan_gp.weight': 0.1},
    dragan={f'{base.PENALTY}.dragan.weight': 1.0},
    spectral={'spectral.discriminator': True},
    lecam={f'{base.PENALTY}.lecam.weight': 0.3},
    zcr={
      f'{base.PENALTY}.zcr.weight': 20.0,
      'regularizers.generator.zcr_diversity.weight': 0.5,
    },
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


def conditional_ring():
  """Returns `ring` with labels, on which a GAN can collapse for each label.

  Of 8 modes, mode m has the label m mod `data.classes`, which is 4, or 2. A
  generator that has collapsed obeys its labels and has one mode for each. The
  latents have the label beside them, the loss is the non-saturating one, and
  the discriminator is projected on the label, but for what a row changes:

  - `projection` has no remedy; `projection_spectral` bounds the vectors of the
    labels with all else (Miyato and Koyama, 2018, arXiv:1802.05637), and
    `projection_zero` begins with vectors of labels that are 0;
  - `concatenation` and the rows that end in `gan` are other kinds of
    conditional discriminators; docs/classes.md has their papers and terms;
  - `transitional` raises the strength of the labels from 0 to 1, from step
    1,000 to 2,500 (Shahbazi et al., "Collapse by Conditioning", 2022,
    arXiv:2201.06578); `unconditional_start` raises it at once, at step 2,500,
    with tables of labels that are 0 until then, which a user of its code
    reported to work better. Here the game that both begin with has a mode or
    two itself: it is the row `gan` of `ring`;
  - `rpgan_r1_r2` compares reals with fakes of their own label, as R3GAN does
    (Huang et al., 2024, arXiv:2501.05441).

  Augmentations are of images, and have no row here. All numbers but those of
  the kinds' papers are ours, and none is tuned.
  """
  config = ring()
  config.seeds = 5
  config.data = dict(
    name='conditional_ring', modes=8, classes=4, radius=1.0, std=0.02, pool=0
  )
  config.labels = True
  base.remedies(config, **_of_labels(config))
  return config


def conditional_digits():
  """Returns GANs of few images of each class, which collapse within classes.

  The data are the first `data.number` of scikit-learn's digits of each class:
  50, and 10 and 140 are others to try. Each image is a mode: a sample belongs
  to the nearest image of its class, and is good if it lies nearer to any of
  them than the third neighbour of that image (`metrics.few_images`).
  `distance_within` is how far apart the samples of a class are. A generator
  that draws its training images has the best of all of these, for they say
  nothing of what is not among them; the floor of the divergence is its. The
  networks are fully connected. The rows are those of `conditional_ring`, with
  augmentations beside them: DiffAugment (Zhao et al., 2020, arXiv:2006.10738),
  and ADA without colours (Karras et al., 2020, arXiv:2006.06676), whose p moves
  five times as fast as there. All numbers are ours, and none is tuned.
  """
  config = conditional_ring()
  config.batch_size = 64
  config.data = dict(
    name='few_images',
    source='digits',
    dir='',
    split='train',
    resolution=8,
    number=50,
    neighbours=3,
  )
  config.network = 'mlp'
  config.generator = dict(widths=(256, 256), norm='none')
  config.discriminator.widths = (256, 256)
  config.prior = dict(name='normal', size=64)
  config.measure.pictures = 200
  base.adam(config, 2e-4, 2e-4, b1=0.5)
  base.remedies(
    config,
    **_of_labels(config),
    diffaugment={'augment.name': 'diffaugment'},
    ada={
      'augment.name': 'ada',
      'augment.policy': 'bg',
      'augment.images': 100_000,
    },
  )
  return config


def grid():
  """Returns `ring` with 25 Gaussians on a grid."""
  config = ring()
  config.steps = 10_000
  config.data = dict(name='grid', side=5, spacing=0.5, std=0.02, pool=0)
  return config


def spiral():
  """Returns `ring` with a Swiss roll, whose modes are 200 parts of it."""
  config = ring()
  config.data = dict(name='spiral', modes=200, noise=0.25, divisor=7.5, pool=0)
  return config


def _of_labels(config):
  """Returns the remedies of games with labels, by name."""
  kinds = 'concatenation', 'acgan', 'tacgan', 'adcgan', 'contragan', 'reacgan'
  return {
    'minimax': {'loss': 'minimax'},
    'projection': {},
    'projection_spectral': {'spectral.discriminator': True},
    'projection_zero': {'conditional.zero': True},
    **{kind: {'conditional.name': kind} for kind in kinds},
    'transitional': _raised(config, 1_000, 1_500),
    'unconditional_start': {'conditional.zero': True}
    | _raised(config, 2_500, 1),
    'r1': {base.R1: 0.5},
    'rpgan_r1_r2': {
      'loss': 'relativistic',
      'fake_labels.name': 'paired',
      base.R1: 0.5,
      base.R2: 0.5,
    },
  }


def _raised(config, start, steps):
  """Returns what raises the strength of labels from 0 to 1 over some steps."""
  strength = 'conditional.strength'
  return {
    strength: 0.0,
    f'schedules.{strength}.name': 'linear',
    f'schedules.{strength}.to': 1.0,
    f'schedules.{strength}.images': float(steps * config.batch_size),
    f'schedules.{strength}.start': float(start * config.batch_size),
  }
