"""What the protocols of mode collapse are made of."""

from configs import base

# Dotted fields that remedies change; weights of R1 and R2 are gamma / 2.
PENALTY = 'regularizers.discriminator'
R1, R2 = f'{PENALTY}.r1.weight', f'{PENALTY}.r2.weight'
STATISTICS = 'discriminator.statistics'
NON_SATURATING = {'loss': 'non_saturating'}

# What the tables publish: of points, and of stacks.
POINTS = ('captured', 'quality', 'divergence')
STACKS = ('captured', 'divergence')


def protocol():
  """A config of what protocols share, and may change."""
  config = base.get_config()
  for field in ('images', 'log', 'samples', 'checkpoint', 'steps_together'):
    del config[field]
  config.seeds = 10
  config.mapping = 'auto'  # vmap, map, steps: how a population is mapped
  config.measure = dict(
    evaluations=100,
    samples=2500,
    batch=2500,  # of them at a time
    pictures=500,  # of them in the pictures
    seed=2333,  # of their latents, the same at each evaluation
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


def adam(config, generator, discriminator, b1, b2=0.999):
  """Gives both players Adam, with a rate for each."""
  for player, rate in (
    ('generator', generator),
    ('discriminator', discriminator),
  ):
    config.optimizers[player].update(learning_rate=rate, b1=b1, b2=b2)


def remedies(config, **remedies):
  """Gives a protocol its remedies: each a dict of dotted fields and values."""
  config.remedies = {name: _tree(changes) for name, changes in remedies.items()}


def published(measures, number, **rows):
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


def _tree(changes):
  """Dotted fields as the tree that a config is updated with."""
  tree = {}
  for name, value in changes.items():
    *path, last = name.split('.')
    place = tree
    for part in path:
      place = place.setdefault(part, {})
    place[last] = value
  return tree
