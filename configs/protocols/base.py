"""What the protocols of mode collapse share."""

from configs import base

# Names of fields that remedies change. The weights of R1 and R2 are gamma / 2.
PENALTY = 'regularizers.discriminator'
R1, R2 = f'{PENALTY}.r1.weight', f'{PENALTY}.r2.weight'
STATISTICS = 'discriminator.statistics'
NON_SATURATING = {'loss': 'non_saturating'}

# The measures of published tables, for points and for Stacked MNIST.
POINTS = ('captured', 'quality', 'reverse_kl')
STACKED_MNIST = ('captured', 'reverse_kl')


def protocol():
  """Returns the config that protocols begin with, not locked."""
  config = base.get_config()
  for field in (
    'images',
    'init_from',
    'log',
    'samples',
    'checkpoint',
    'evaluate',
    'steps_together',
  ):
    del config[field]
  config.seeds = 10  # training runs of each remedy
  config.mapping = 'auto'  # or vmap, map, steps: how a population is computed
  config.measure = dict(
    evaluations=100,  # in a training run
    samples=2500,  # in an evaluation
    batch=2500,  # samples that are made at a time
    pictures=500,  # samples that the figures draw
    seed=2333,  # of the samples' latents, the same in each evaluation
    weights='raw',  # or ema
    batch_statistics=False,  # True: of the samples' batch, not running ones
    within=3.0,  # radius around a mode of good samples, in deviations
    closer='less',  # or less_equal: whether the edge itself is good
    minimum=1,  # good samples that capture a mode
    all_counted=False,  # True: the divergence counts all samples
    smoothing=0.0,  # added to each count of the divergence's histogram
  )
  config.generator = dict()
  config.discriminator = dict(statistics=base.statistics())
  config.published = dict()
  config.source = ''
  config.note = ''
  return config


def adam(config, generator, discriminator, b1, b2=0.999):
  """Sets Adam for both players, with a learning rate for each."""
  for player, rate in (
    ('generator', generator),
    ('discriminator', discriminator),
  ):
    config.optimizers[player].update(learning_rate=rate, b1=b1, b2=b2)


def remedies(config, **remedies):
  """Sets the remedies: by name, dicts from dotted fields to their values."""
  config.remedies = {name: _tree(changes) for name, changes in remedies.items()}


def published(measures, number, **rows):
  """Returns published values and their standard errors, by remedy.

  Args:
    measures: names of the measures.
    number: of trials.
    **rows: for each remedy, a value and its error for each of the measures.
  """
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
  """Returns a dict from dotted fields to values as nested dicts."""
  tree = {}
  for name, value in changes.items():
    *path, last = name.split('.')
    place = tree
    for part in path:
      place = place.setdefault(part, {})
    place[last] = value
  return tree
