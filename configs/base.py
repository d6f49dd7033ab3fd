"""What the configs of adversarial training share."""

import difflib

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def statistics():
  """Returns the section of a discriminator's statistics of the batch."""
  return dict(
    name='none',  # or stddev, discrimination
    group=0,  # images that share a standard deviation; 0: the whole batch
    kernels=100,  # number of kernels of minibatch discrimination
    size=5,  # dimensions of each kernel
  )


def schedule():
  """Returns the section of a number's schedule, which leaves it as it is."""
  # Or linear, cosine: to this value over this many images, from these on.
  return dict(name='constant', to=0.0, images=1.0, start=0.0)


def get_config():
  """Returns a config without networks, not yet locked."""
  config = ConfigDict()
  config.seed = 0  # of the whole run
  config.images = 60_000  # images that the discriminator sees in the whole run
  config.batch_size = 64  # images in one update of the discriminator
  # Another run's workdir, whose networks this run begins with; '': none.
  config.init_from = dict(
    run='',
    players='generator,discriminator',  # or one of them
    checkpoint='last',  # or best
  )
  config.data = dict(
    name='digits',  # or mnist5k, folder, or a data set prepared by TFDS
    dir='',  # folder of the pictures, or of TFDS' data sets
    split='train',  # as TFDS names it
    resolution=32,  # pixels
    channels=0,  # 1, 3 or 4; 0: as stored
    crop='center',  # or top (for portraits), stretch, pad
    mirror=False,  # flips half of the images left to right
    loader='auto',  # or device, host, stream (which decodes as it goes)
  )
  config.dtype = 'float32'  # of the computation; or bfloat16, on accelerators
  # Remedies of networks. All remedies are off here.
  config.spectral = dict(generator=False, discriminator=False)
  config.pack = 1  # images in a pack of the discriminator (PacGAN)
  # The noise falls linearly to 0 over this many steps; 0: it stays.
  config.instance_noise = dict(std=0.0, steps=0)
  # Augmentations of all that the discriminator sees. DiffAugment's policy is
  # 'color,translation,cutout' or fewer of them, and ADA's one of blit, geom,
  # color, filter, noise, cutout, bg, bgc, bgcf, bgcfn, bgcfnc, r3gan.
  config.augment = dict(
    name='none',  # or diffaugment, ada
    policy='',  # '': all of DiffAugment, bgc of ADA
    # Probability of each transform; None: 1 for DiffAugment, and for ADA
    # adapted to overfitting, from 0 on.
    p=placeholder(float),
    target=0.6,  # of the mean sign of reals' logits, when p is adapted
    images=500_000,  # in which p could go from 0 to 1
    paired=False,  # the same draws for the real and the fake of each index
  )
  # Fakes in the place of reals, in the updates of the discriminator.
  config.apa = dict(
    p=0.0,  # probability that a real is replaced
    adapted=False,  # to overfitting, from 0 on, in the place of p
    target=0.6,  # of the mean sign of reals' logits, when p is adapted
    images=500_000,  # in which p could go from 0 to 1
  )
  # Remedies of the game.
  config.consensus = 0.0  # weight of half the squared norm of both gradients
  config.historical_averaging = 0.0  # weight of the squared distance
  # Share of the fakes that the generator learns from; it falls linearly from 1
  # to this over this many steps.
  config.top_k = dict(share=1.0, steps=0)
  config.prior = dict(name='normal', size=100)  # or uniform, sphere
  config.labels = False  # makes the game conditional on the classes of the data
  config.classes = 0  # how many; 0: as many as the data has
  # Which classes fakes have: those of the batch in a random order; or uniform,
  # or paired (each that of the real beside it).
  config.fake_labels = dict(name='shuffled')
  # How a conditional discriminator knows the classes: projection and
  # concatenation put them into its logits; acgan, tacgan, adcgan, contragan and
  # reacgan are auxiliary heads on its features, with terms of both players.
  config.conditional = dict(
    name='projection',
    strength=1.0,  # of all that labels add; a schedule may raise it from 0
    zero=False,  # tables of classes begin at 0, as the unconditional game
    # Arguments of the heads; None: those of their papers.
    weight=placeholder(float),  # of the terms
    temperature=placeholder(float),  # of contragan and reacgan
    margin=placeholder(float),  # of reacgan, its m_p
    size=placeholder(int),  # of the embeddings of both
    fakes=placeholder(bool),  # whether acgan learns from fakes too
  )
  config.loss = 'non_saturating'  # any Pair of ganjax.losses
  # How D runs in its updates: on reals and fakes apart, or joint, in one pass,
  # which is for discriminators that do not mix the examples of a batch.
  config.critic_pass = 'separate'
  config.label_smoothing = 0.0  # one-sided, in [0, 1)
  # Weights are factors of the bare terms: gamma / 2 for R1 and R2, lambda for
  # the others. A term of weight 0 is left out; `every` is the interval of lazy
  # regularisation, in updates, or with update_rule='lazy_regularization' that
  # of updates of the lazy terms alone.
  config.regularizers = dict(
    generator=dict(
      mode_seeking=dict(weight=0.0, every=1),
      feature_matching=dict(weight=0.0, every=1),  # with loss='features_only'
      zcr_diversity=dict(weight=0.0, every=1, spread=0.05),  # beside D's zcr
      path_length=dict(weight=0.0, every=1, decay=0.99, shrink=2),
    ),
    discriminator=dict(
      r1=dict(weight=0.0, every=1),
      r2=dict(weight=0.0, every=1),
      r1_r2=dict(weight=0.0, every=1),  # both, with critic_pass='joint'
      r1_by_differences=dict(weight=0.0, every=1, spread=0.01),
      r2_by_differences=dict(weight=0.0, every=1, spread=0.01),
      wgan_gp=dict(weight=0.0, every=1, target=1.0),
      dragan=dict(weight=0.0, every=1, spread=0.5, target=1.0),
      jensen_shannon=dict(weight=0.0, every=1),
      lecam=dict(weight=0.0, every=1, decay=0.99),
      drift=dict(weight=0.0, every=1),
      cr=dict(weight=0.0, every=1),
      bcr=dict(weight=0.0, every=1),  # cr of reals and of fakes
      zcr=dict(weight=0.0, every=1, spread=0.05),
    ),
  )
  # Other optimisers are optimistic_adam, rmsprop and sgd. b1 is the decay of
  # the mean of the gradient, or the momentum, and b2 that of its square, by
  # whose root it is divided: eps is added to the root, and eps_root under it.
  adam = dict(
    name='adam', learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8, eps_root=1e-16
  )
  config.optimizers = dict(generator=dict(adam), discriminator=dict(adam))
  config.clip = 0.0  # bound of the discriminator's parameters (WGAN); 0: none
  # Updates of the generator between two synchronisations, 0 for no lookahead,
  # and the step size of the slow weights.
  config.lookahead = dict(every=0, rate=0.5)
  # Or simultaneous, extragradient, lazy_regularization (StyleGAN2's).
  config.update_rule = 'alternating'
  config.critic_steps = 1  # updates of the discriminator in a step
  config.generator_steps = 1  # updates of the generator in a step
  # Batches of reals in a step that only the generator's updates take; 0: these
  # take the last one of the discriminator.
  config.generator_batches = 0
  # The generator's updates take the latents of the discriminator's last one,
  # whose fakes are then made only once.
  config.shared_latents = False
  config.unroll = 0  # unrolled updates of the discriminator (unrolled GAN)
  config.skip_below = placeholder(float)  # loss below which D is not updated
  config.ema_decay = 0.999  # of the generator's moving averages, at each step
  # In its place a half-life in images, which is at most this share of the
  # images seen so far; None sets no such bound.
  config.ema = dict(half_life=placeholder(float), ramp=placeholder(float))
  config.ema.ramp = 0.05
  # How numbers above change with the images seen, by ganjax.schedules. A config
  # file can add the names of other numbers.
  rates = {
    player: dict(learning_rate=schedule(), b2=schedule())
    for player in ('generator', 'discriminator')
  }
  penalties = {
    name: dict(weight=schedule()) for name in ('r1', 'r2', 'r1_r2', 'wgan_gp')
  }
  config.schedules = dict(
    optimizers=rates,
    regularizers=dict(discriminator=penalties),
    augment=dict(p=schedule()),
    conditional=dict(strength=schedule()),
    ema_decay=schedule(),
    ema=dict(half_life=schedule()),
  )
  config.steps_together = 0  # steps in one dispatch; 0: chosen automatically
  config.mesh = dict(data=-1)  # devices that share a batch; -1: all
  # Intervals in images seen.
  config.log = dict(every=2_000)
  config.samples = dict(every=6_000)
  config.checkpoint = dict(every=15_000, keep=3)  # keep: the newest so many
  # What is measured while training, and at its end, with the seeds of
  # experiments.evaluate; the best checkpoint is kept beside the newest.
  config.evaluate = dict(
    measures='',  # as evaluate --metrics, such as 'fid,prdc'; '': none
    every=15_000,
    samples=2_000,  # images that are drawn and measured
    features='auto',  # or classifier, random, inception, or a file of weights
    weights='ema',  # or ema_live, ema_standing, raw
    best='',  # the value that says which is best; '': the first that can
  )
  return config


def preset(name, *presets):
  """Returns the function with a name among the presets of a config file.

  Raises:
    ValueError: if there is none.
  """
  return choose('preset', {own.__name__: own for own in presets}, name)


def choose(kind, table, name):
  """Returns the entry of a table that has a name.

  Raises:
    ValueError: if there is none; the message says the nearest name.
  """
  if name in table:
    return table[name]
  near = difflib.get_close_matches(name, table, 1)
  hint = ''.join(f' did you mean {other!r}?' for other in near)
  raise ValueError(
    f'There is no {kind} {name!r};{hint} choose from {", ".join(table)}.'
  )
