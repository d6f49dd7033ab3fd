"""Protocols of mode collapse: their remedies train, their modes are counted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from configs import mode_collapse
from ganjax.arrays import Batch
from ganjax.config import games
from ganjax.data import stacked_mnist, toy
from ganjax.evaluation import classifier
from ganjax.metrics import modes
from ganjax.sweeps import mode_problems, mode_task
from ganjax.training import population

KEY = jax.random.key(0)
RING = mode_collapse.get_config('ring')
PROTOCOLS = [protocol.__name__ for protocol in mode_collapse.PRESETS]
TOYS = tuple(
  name for name in PROTOCOLS if not name.startswith(('stacked', 'dirac'))
)
STACKED = tuple(name for name in PROTOCOLS if name.startswith('stacked'))
# Of data that differ in their range, their digits or their side.
STACKS = (
  'stacked_mnist_unrolled_quarter',
  'stacked_mnist_pacgan',
  'stacked_mnist_r3gan',
)
# Remedies that make steps; of the others, which take long, the shapes are seen.
STEPPED = (
  'gan',
  'pac2',
  'feature_matching',
  'instance_noise',
  'top_k',
  'rpgan_r1_r2',
  'wgan_clip',
  'spectral',
  'critic_steps',
  'skipping',
  'extragradient',
  'optimistic',
  'lookahead',
  'ema',
)


def ring(remedy='gan', **changes):
  """The remedied config of `ring`, tiny; changes are of dotted fields."""
  config = mode_task.remedied(RING, remedy)
  config.generator.widths, config.prior.size = (6,), 3
  config.batch_size, config.measure.samples = 12, 20
  config.discriminator.statistics.kernels = 2
  config.update_from_flattened_dict(changes)
  return config


def training(config):
  """The training of a config, on the problem that is its own."""
  return mode_task.of(config, mode_problems.problem(config)).training


def marked(name, *others, slow):
  return pytest.param(*others, name, marks=pytest.mark.slow if slow else ())


def remedies(protocols):
  """Pairs of a protocol and a remedy; slow where they are like earlier ones.

  Unrolling 5 or 10 updates is like unrolling 1, and traced for long.
  """
  pairs, lists = [], []
  for protocol in protocols:
    own = mode_collapse.get_config(protocol).remedies
    for number, name in enumerate(own):
      stepwise = protocol == 'ring' and name in STEPPED
      again = number > 0 and (own in lists or protocol in STACKED)
      again |= name in ('unrolled5', 'unrolled10')
      again |= protocol.endswith('_paper')
      pairs.append(marked(name, protocol, slow=stepwise or again))
    lists.append(own)
  return pairs


def assert_shapes(config, problem):
  """A step keeps the state's shapes, and an evaluation shows what is asked."""
  run = mode_task.of(config, problem).training
  state = jax.eval_shape(run.init, KEY, (), problem.data)
  after, metrics = jax.eval_shape(run.step, state, (), problem.data)
  assert after == state
  assert all(value.shape == () for value in metrics.values())
  evaluation = jax.eval_shape(run.evaluate, after, (), problem.data)
  assert evaluation['modes'].occupancy.shape == (problem.modes,)
  assert evaluation['samples'].shape == (
    config.measure.pictures,
    *problem.shape,
  )


# Remedies and protocols.


@pytest.mark.parametrize(
  'name',
  [marked(name, slow=name not in STEPPED) for name in RING.remedies],
)
def test_every_remedy_makes_two_finite_steps(name):
  run = training(ring(name))
  state = start = run.init(KEY, (), ())
  for _ in range(2):
    state, metrics = run.step(state, (), ())
    assert np.isfinite(list(metrics.values())).all(), metrics
  assert state['state']['run'].step == 2
  for before, after in zip(
    jax.tree.leaves(start['state']['run'].params.generator),
    jax.tree.leaves(state['state']['run'].params.generator),
    strict=True,
  ):
    assert np.isfinite(after).all()
    assert (before != after).any()


def test_there_are_as_many_different_remedies_as_names():
  configs = [mode_task.remedied(RING, name).to_json() for name in RING.remedies]
  assert len(set(configs)) == len(configs) == 33


@pytest.mark.parametrize('name', PROTOCOLS)
def test_every_protocol_has_the_remedies_that_it_has_values_for(name):
  config = mode_collapse.get_config(name)
  assert config.is_locked
  assert config.protocol == name
  if name == 'dirac':
    return
  assert set(config.published) <= set(config.remedies)
  for remedy in config.remedies:
    own = mode_task.remedied(config, remedy)
    assert own.is_locked
    # Evaluations divide a run, and the samples are no fewer than those shown.
    assert not own.steps % own.measure.evaluations
    assert own.measure.pictures <= own.measure.samples
    assert not own.batch_size % own.pack


@pytest.mark.parametrize(('name', 'remedy'), remedies(TOYS))
def test_toys_keep_the_shapes_of_their_state(name, remedy):
  config = mode_task.remedied(mode_collapse.get_config(name), remedy)
  assert_shapes(config, mode_problems.problem(config))


def test_an_unknown_remedy_is_answered_by_the_nearest():
  with pytest.raises(
    ValueError, match="no remedy 'pack2'; did you mean 'pac2'. choose"
  ):
    mode_task.remedied(RING, 'pack2')


def test_an_unknown_protocol_is_answered_by_all():
  with pytest.raises(
    ValueError, match="no protocol 'circle'; choose from ring"
  ):
    mode_collapse.get_config('circle')


@pytest.mark.parametrize(
  ('protocol', 'remedy', 'generator', 'discriminator'),
  [
    ('pacgan_ring', 'gan', 484_802, 405_201),
    ('pacgan_ring', 'pac2', 484_802, 407_201),
    ('pacgan_ring', 'pac3', 484_802, 409_201),
    ('pacgan_grid', 'pac4', 484_802, 411_201),
    # Layers of 256, 128, 128 and 2; of 2, 128 and 1.
    ('unrolled_ring', 'gan', 32_896 + 16_512 + 258, 384 + 129),
    ('unrolled_ring', 'pac4', 32_896 + 16_512 + 258, 384 + 129 + 6 * 128),
    # Of 2, 512, 512, 512 and 2; and 1.
    ('wgan_gp_toys', 'wgan_gp', 527_874, 527_361),
  ],
)
def test_players_have_the_published_numbers_of_parameters(
  protocol, remedy, generator, discriminator
):
  config = mode_task.remedied(mode_collapse.get_config(protocol), remedy)
  params, _ = jax.eval_shape(games.schedule(config, (2,))(0).init, KEY)
  counts = [
    sum(leaf.size for leaf in jax.tree.leaves(player)) for player in params
  ]
  assert counts == [generator, discriminator]


# What changes with the step, and what is traced.


def test_noise_and_top_k_go_where_the_config_says(monkeypatch):
  found = {'std': [], 'share': []}

  def recorded(name):
    return lambda of, value: found[name].append(float(value)) or of

  monkeypatch.setattr(games.remedies, 'instance_noise', recorded('std'))
  monkeypatch.setattr(games.losses, 'top_k', recorded('share'))
  changes = {
    'instance_noise.std': 0.4,
    'instance_noise.steps': 100,
    'top_k.share': 0.5,
    'top_k.steps': 200,
  }
  at = games.schedule(ring(**changes), (2,))
  for step in 0, 50, 100, 200, 1000:
    at(step)
  # The schedule itself has tried the first step.
  np.testing.assert_allclose(found['std'][-5:], [0.4, 0.2, 0, 0, 0])
  np.testing.assert_allclose(found['share'][-5:], [1, 0.875, 0.75, 0.5, 0.5])
  # Over no steps, they are there from the first on.
  at = games.schedule(
    ring(**changes | {'instance_noise.steps': 0, 'top_k.steps': 0}), (2,)
  )
  at(0), at(1000)
  assert (found['std'][-2:], found['share'][-2:]) == ([0.4] * 2, [0.5] * 2)


def test_traced_numbers_are_the_same_numbers_in_the_config():
  fields = ('optimizers.generator.learning_rate', 'label_smoothing')
  values = np.float32([[1e-3, 0.1], [1e-2, 0.3]])
  short = {'steps': 2, 'measure.evaluations': 2}
  run = population.whole(training(ring(**short)))
  numbers = dict(zip(fields, values.T, strict=True))
  together = jax.jit(jax.vmap(run, (None, 0)))(KEY, numbers)
  for member, row in enumerate(values):
    own = dict(zip(fields, map(float, row), strict=True))
    alone = training(ring(**short, **own))
    state = alone.init(KEY, (), ())
    for evaluation in range(2):
      state, metrics = alone.step(state, (), ())
      record = alone.evaluate(state, (), ())
      jax.tree.map(
        lambda many, one, at=(member, evaluation): np.testing.assert_allclose(
          many[at], one, rtol=1e-3, atol=1e-4
        ),
        together[1],
        (record, metrics),
      )
  assert np.ptp(together[1][0]['samples'][:, -1, 0]) > 0


def test_every_evaluation_takes_the_same_latents_of_the_asked_weights():
  run = training(ring(**{'measure.samples': 5, 'measure.pictures': 3}))
  averaged = training(ring('ema', **{'measure.samples': 5}))
  state = run.init(KEY, (), ())
  first = run.evaluate(state, (), ())['samples']
  assert first.shape == (3, 2)
  np.testing.assert_array_equal(run.evaluate(state, (), ())['samples'], first)
  inner = state['state']
  moved = inner['run'].replace(
    ema_params=jax.tree.map(jnp.zeros_like, inner['run'].ema_params)
  )
  state = state | {'state': inner | {'run': moved}}
  np.testing.assert_array_equal(run.evaluate(state, (), ())['samples'], first)
  assert not averaged.evaluate(state, (), ())['samples'].any()


def test_samples_in_parts_are_the_samples():
  whole = training(ring(**{'measure.samples': 20, 'measure.pictures': 20}))
  parts = training(
    ring(**{'measure.samples': 20, 'measure.pictures': 20, 'measure.batch': 12})
  )
  state = whole.init(KEY, (), ())
  np.testing.assert_allclose(
    parts.evaluate(state, (), ())['samples'],
    whole.evaluate(state, (), ())['samples'],
    rtol=1e-5,
    atol=1e-6,
  )


@pytest.mark.parametrize(
  ('value', 'counted'), [(np.nan, np.log(8)), (0.5, 0.5)]
)
def test_an_undefined_reverse_kl_is_that_of_a_single_mode(value, counted):
  found = modes.Modes(np.int32(0), np.float32(0), value, np.zeros(8, np.int32))
  values, how = mode_task.MODES.take(found, {}, 0)
  assert values['reverse_kl'] == pytest.approx(counted)
  assert how == {
    'undefined_reverse_kl': 'counted as 2.079, that of a single mode'
  }


@pytest.mark.parametrize('batch_statistics', [False, True])
def test_noise_is_drawn_anew_in_each_part(batch_statistics, monkeypatch):
  schedule = games.schedule

  def noisy(config, shape):
    def sample(params, buffers, latents, key, train, labels):
      return jax.random.normal(key, latents[:, :2].shape)

    return lambda step: schedule(config, shape)(step)._replace(sample=sample)

  monkeypatch.setattr(mode_task.games, 'schedule', noisy)

  def drawn(batch):
    run = training(
      ring(
        **{
          'measure.samples': 20,
          'measure.pictures': 20,
          'measure.batch': batch,
          'measure.batch_statistics': batch_statistics,
        }
      )
    )
    return run.evaluate(run.init(KEY, (), ()), (), ())['samples']

  found = np.asarray(drawn(6))
  assert len(np.unique(found, axis=0)) == 20
  if not batch_statistics:
    np.testing.assert_array_equal(drawn(8), found)


# Points in the plane.


def pooled(remedy):
  return ring(remedy, **{'data.pool': 60})


@pytest.mark.parametrize(('remedy', 'pack'), [('gan', 1), ('pac3', 3)])
def test_packs_are_rows_of_a_pool_that_stays(remedy, pack):
  # One problem serves all remedies: their own config says what they pack.
  problem = mode_problems.problem(pooled('gan'))
  run = mode_task.of(pooled(remedy), problem).training
  shape = jax.eval_shape(run.init, KEY, (), ())['state']['tables'].shape
  assert shape == (60, pack, 2)
  rows = np.asarray(problem.tables(KEY, (), pack))
  # Rows are drawn with replacement from no more points than there are.
  points = np.unique(rows.reshape(-1, 2), axis=0)
  assert len(points) < min(60, 60 * pack)

  def epoch(number):
    size = 60 * pack
    return np.reshape(
      problem.batch(rows, KEY, size * number, size, ()).images, (60, pack, 2)
    )

  def ordered(packs):
    flat = packs.reshape(60, -1)
    return flat[np.lexsort(flat.T)]

  first, second = epoch(0), epoch(1)
  np.testing.assert_array_equal(ordered(first), ordered(rows))
  np.testing.assert_array_equal(ordered(second), ordered(rows))
  assert (first != second).any()


def test_a_pool_is_the_same_at_each_step_and_of_each_run_its_own():
  run = training(pooled('gan'))
  state, other = (run.init(key, (), ()) for key in (KEY, jax.random.key(1)))
  after, _ = run.step(state, (), ())
  pool, same, others = (own['state']['tables'] for own in (state, after, other))
  np.testing.assert_array_equal(same, pool)
  assert not np.isin(others, pool).any()


def test_without_a_pool_points_are_new_at_each_position():
  fresh = mode_problems.problem(ring())
  assert fresh.tables(KEY, ()) == ()
  batches = [
    fresh.batch((), KEY, first, 12, ()).images for first in (0, 12, 12)
  ]
  assert not np.isin(batches[0], batches[1]).any()
  np.testing.assert_array_equal(batches[1], batches[2])


@pytest.mark.parametrize(
  'name', [name for name in TOYS if 'digits' not in name]
)
def test_true_samples_are_good_and_capture_every_mode(name):
  config = mode_collapse.get_config(name)
  config.data.pool = 0  # Of the pool itself, each point is a draw.
  problem = mode_problems.problem(config)
  number = 20 * config.measure.samples
  found = problem.count(problem.batch((), KEY, 0, number, ()), ())
  assert found.captured == problem.modes
  assert found.occupancy.sum() == number
  ceiling = 1 - np.exp(-4.5)
  if 'spiral' in name:
    # The distance to the nearest of the stretches' middles is no more than
    # that to the point's own; along the roll, it is at most half a stretch.
    assert 0.97 < found.quality < 1
    return
  np.testing.assert_allclose(found.quality, ceiling, atol=0.003)
  # 2 N KL is a chi-squared variable of K - 1 degrees of freedom.
  counted = float(found.quality) * number
  tail = stats.chi2(problem.modes - 1).sf(2 * counted * found.divergence)
  assert 1e-3 < tail < 1 - 1e-3


def test_a_swiss_roll_shows_all_its_stretches_to_2500_samples():
  config = mode_collapse.get_config('spiral')
  problem = mode_problems.problem(config)
  assert problem.modes == 200
  found = problem.count(problem.batch((), KEY, 0, 2500, ()), ())
  # Each is missed by exp(-2500 / 200).
  assert found.captured == 200
  floor = mode_problems.floor(config, problem)
  assert abs(found.divergence - floor) < 5 * np.sqrt(199 / 2) / 2500


@pytest.mark.parametrize(
  ('changes', 'counted'),
  [
    ({}, 2500 * (1 - np.exp(-4.5))),
    ({'measure.within': 2.0}, 2500 * (1 - np.exp(-2))),
    ({'measure.all_counted': True}, 2500),
  ],
)
def test_the_floor_is_that_of_what_is_counted(changes, counted):
  config = ring(**{'measure.samples': 2500} | changes)
  floor = mode_problems.floor(config, mode_problems.problem(config))
  np.testing.assert_allclose(floor, 7 / 2 / counted, rtol=1e-5)


def test_rules_of_counting_are_the_config_s():
  def count(**changes):
    config = ring(**{f'measure.{k}': v for k, v in changes.items()})
    # Of std .02: at 0, 3 and 4 deviations of the first mode, on the second.
    samples = jnp.array([[1.0, 0], [1.0, 0.06], [1.08, 0], [0.5**0.5] * 2])
    return mode_problems.problem(config).count(Batch(samples), ())

  plain = count(within=3.5)
  assert (plain.captured, plain.quality) == (2, 0.75)
  assert count(within=3.5, minimum=2).captured == 1
  # Of 2 and 1 samples; of 3 and 1, one added to each of the 8 modes.
  np.testing.assert_allclose(
    plain.divergence, np.log(8) - stats.entropy([2, 1]), rtol=1e-5
  )
  np.testing.assert_allclose(
    count(within=3.5, all_counted=True, smoothing=1.0).divergence,
    np.log(8) - stats.entropy([4, 2, 1, 1, 1, 1, 1, 1]),
    rtol=1e-5,
  )
  # In binary numbers, .0625 and 2^-6 make exactly 4.
  std, edge = {'data.std': 2.0**-6}, jnp.array([[1.0, 0.0625]])
  for closer, quality in ('less', 0), ('less_equal', 1):
    changes = {'measure.within': 4.0, 'measure.closer': closer}
    problem = mode_problems.problem(ring(**std | changes))
    assert problem.count(Batch(edge), ()).quality == quality
  with pytest.raises(ValueError, match="no comparison 'under'"):
    mode_problems.problem(ring(**{'measure.closer': 'under'}))


# Labels.


def conditional_ring(**changes):
  """The config of `conditional_ring`, as small as `ring`."""
  config = mode_task.remedied(
    mode_collapse.get_config('conditional_ring'), 'projection'
  )
  config.generator.widths, config.prior.size = (6,), 3
  config.batch_size, config.measure.samples = 12, 20
  config.update_from_flattened_dict(changes)
  return config


@pytest.mark.parametrize('classes', [2, 4])
def test_neighbours_on_the_ring_differ_in_their_labels(classes):
  config = conditional_ring(**{'data.classes': classes})
  problem = mode_problems.problem(config)
  points, labels = problem.batch((), KEY, 0, 1000, ())
  turns = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi)
  places = np.round(8 * np.asarray(turns)).astype(int) % 8
  np.testing.assert_array_equal(labels, places % classes)
  assert problem.name == f'conditional_ring, 8 modes of {classes} labels'
  found = problem.count(Batch(points, labels), ())
  assert found.captured == 8
  np.testing.assert_array_equal(
    found.captured_by_label, [8 // classes] * classes
  )
  # The same points, each with the next label.
  moved = problem.count(Batch(points, (labels + 1) % classes), ())
  assert (moved.captured, moved.quality) == (0, 0)


def test_an_evaluation_samples_each_label_and_counts_it():
  config = conditional_ring(**{'measure.pictures': 20, 'measure.batch': 12})
  made = mode_task.of(config, mode_problems.problem(config), 2)
  state = made.training.init(KEY, (), ())
  # A generator that is a table: label y lies on the mode y.
  params = state['state']['run'].params.generator
  params = jax.tree.map(jnp.zeros_like, params)
  first, last = params['Dense_0']['kernel'], params['Dense_1']['kernel']
  params['Dense_0']['kernel'] = first.at[-4:, :4].set(jnp.eye(4) / 2)
  ring = toy.ring(8)
  params['Dense_1']['kernel'] = last.at[:4].set(ring[:4])
  run = state['state']['run']
  run = run.replace(params=run.params._replace(generator=params))
  record = made.training.evaluate(
    state | {'state': state['state'] | {'run': run}}, (), ()
  )
  np.testing.assert_allclose(
    record['samples'], ring[np.arange(20) % 4], atol=1e-6
  )
  measured = made.measure(0, state['state'], (), record)
  assert measured.values == {
    'captured': 4,
    'quality': 1,
    'reverse_kl': pytest.approx(np.log(2)),
    'fewest': 1,
  }
  assert measured.values.keys() == made.columns.keys()
  assert measured.how.keys() == {'modes', 'modes_by_label'}
  np.testing.assert_array_equal(
    made.arrays(record)['captured_by_label'], [1, 1, 1, 1]
  )


def test_the_floor_of_labels_is_that_of_a_perfect_sampler():
  config = conditional_ring(**{'measure.samples': 400, 'measure.within': 1.5})
  problem = mode_problems.problem(config)
  labels = mode_problems.labels(problem, 400)
  np.testing.assert_array_equal(labels[:6], [0, 1, 2, 3, 0, 1])
  random, found = np.random.default_rng(0), []
  share = 1 - np.exp(-(1.5**2) / 2)
  for _ in range(4000):
    # Each label has 100 samples, each on one of two modes, good or not.
    on_first = random.binomial(100, 0.5, 4)
    good = random.binomial(np.r_[on_first, 100 - on_first], share)
    found.append(np.log(8) - stats.entropy(good))
  np.testing.assert_allclose(
    mode_problems.floor(config, problem),
    np.mean(found),
    atol=4 * np.std(found) / np.sqrt(4000) + 1e-4,
  )
  assert np.mean(found) < 0.95 * 7 / 2 / (400 * share)


def test_labels_that_do_not_fit_the_data_are_refused_in_a_sentence():
  for changes, words in (
    ({'labels': False}, 'labels is false, .* 8 modes of 4 labels; set labels'),
    ({'classes': 3}, 'classes is 3, but .* of 4 labels; leave classes at 0'),
  ):
    config = conditional_ring(**changes)
    with pytest.raises(ValueError, match=words):
      mode_task.of(config, mode_problems.problem(config))
  config = ring(labels=True)
  with pytest.raises(ValueError, match='labels is true, .* ring, 8 modes; set'):
    mode_task.of(config, mode_problems.problem(config))
  with pytest.raises(ValueError, match='8 modes cannot be shared .* 3 labels'):
    mode_problems.problem(conditional_ring(**{'data.classes': 3}))


def test_any_mixture_is_a_problem():
  config = RING.copy_and_resolve_references()
  with config.unlocked():
    config.data = {
      'name': 'mixture',
      'centres': ((0.0, 0.0), (5.0, 0.0), (0.0, 5.0)),
      'std': 0.1,
      'pool': 0,
    }
  problem = mode_problems.problem(config)
  found = problem.count(problem.batch((), KEY, 0, 300, ()), ())
  assert problem.modes == found.captured == 3


# Stacked MNIST, of flat digits: digit k is as bright as k / 9.

SPLITS = {
  'train': np.r_[np.arange(10), 0, 0],
  'test': np.arange(10),
  'train+test': np.r_[np.arange(10), 0, 0, np.arange(10)],
}


@pytest.fixture
def flat(monkeypatch):
  """MNIST of flat digits, and a classifier that measures their brightness."""

  def digits(directory, split, cache):
    labels = SPLITS[split]
    bright = (labels * 255 / 9).round().astype(np.uint8)
    return np.broadcast_to(bright[:, None, None], (len(labels), 28, 28)), labels

  def trained_for(images, labels, test, **about):
    assert images.shape == (12, 28, 28, 1)
    assert test[0] == 'mnist/test'
    assert test[1].shape == (10, 28, 28, 1)
    return classifier.Trained('flat', jnp.arange(10) * 2 / 9 - 1)

  def by_channel(params, images):
    assert images.shape[1:] == (28, 28, 3)
    return -jnp.square(images.mean((1, 2))[..., None] - params)

  monkeypatch.setattr(stacked_mnist, 'digits', digits)
  monkeypatch.setattr(classifier, 'trained_for', trained_for)
  monkeypatch.setattr(classifier, 'by_channel', by_channel)


def shown(config, rows):
  """Images of the rows `[N, 3]` of digits, in the protocol's range."""
  border = ((0, 0), *2 * ((config.data.side // 2 - 14,) * 2,), (0, 0))
  images = np.ones((1, 28, 28, 1)) * rows[:, None, None] / 9
  images = np.pad(images, border)
  return np.float32(images if config.data.range == 'unit' else 2 * images - 1)


@pytest.mark.parametrize('name', STACKS)
def test_stacks_are_counted_alike_traced_and_dispatched(name, flat, tmp_path):
  config = mode_collapse.get_config(name)
  problem = mode_problems.problem(config, tmp_path)
  assert problem.modes == 1000
  # 300 are more than are classified at a time, and 7 are few.
  for number in 300, 7:
    rows = np.random.default_rng(number).integers(0, 10, (number, 3))
    expected = np.bincount(rows @ [100, 10, 1], minlength=1000)
    samples = Batch(jnp.asarray(shown(config, rows)))
    for count in jax.jit(problem.count), problem.host_count:
      found = count(samples, problem.data)
      np.testing.assert_array_equal(found.occupancy, expected)
      assert found.captured == np.sum(expected > 0)
      np.testing.assert_allclose(
        found.divergence,
        np.log(1000) - stats.entropy(expected[expected > 0]),
        rtol=1e-5,
      )


@pytest.mark.parametrize('name', STACKS)
def test_stacks_are_made_of_the_split_in_the_range(name, flat, tmp_path):
  config = mode_collapse.get_config(name)
  config.data.pool = min(config.data.pool, 50)
  problem = mode_problems.problem(config, tmp_path)
  labels = SPLITS[config.data.split]
  assert f'of {len(labels)} digits; modes by flat' in problem.name
  share = np.bincount(labels) / len(labels)
  divergence = 3 * stats.entropy(share, np.full(10, 0.1))
  np.testing.assert_allclose(problem.divergence, divergence)
  np.testing.assert_allclose(
    mode_problems.floor(config, problem),
    divergence + 999 / (2 * config.measure.samples),
    rtol=1e-5,
  )
  batch, _ = problem.batch(
    problem.tables(KEY, problem.data), KEY, 0, 40, problem.data
  )
  assert batch.shape == (40, *problem.shape)
  levels = np.unique(np.asarray(batch).mean((1, 2)))
  assert batch.max() <= 1
  assert batch.min() == (0 if config.data.range == 'unit' else -1)
  assert len(levels) == 10
  found = problem.count(Batch(batch), problem.data)
  assert found.occupancy.sum() == 40


def test_fixed_stacks_come_in_turn_and_packs_are_drawn_of_them(flat, tmp_path):
  config = mode_collapse.get_config('stacked_mnist_pacgan')
  config.data.pool = 50
  problem = mode_problems.problem(config, tmp_path)
  data = problem.data
  table = problem.tables(KEY, data)
  assert table.shape == (50, 3)
  first, again, other = (
    problem.batch(table, key, start, 50, data).images
    for key, start in ((KEY, 0), (KEY, 50), (jax.random.key(1), 100))
  )
  np.testing.assert_array_equal(first, again)
  np.testing.assert_array_equal(first, other)
  levels = SPLITS['train+test'][np.asarray(table)] / 9
  np.testing.assert_allclose(first.mean((1, 2)), levels, atol=2e-3)
  packs = np.asarray(problem.tables(KEY, data, 3))
  assert packs.shape == (150, 3)
  stacks = set(map(tuple, np.asarray(table).tolist()))
  assert set(map(tuple, packs.tolist())) < stacks
  # A run's own config says how many are in its packs.
  own = mode_task.remedied(config, 'pac2')
  run = mode_task.of(own, problem).training
  assert jax.eval_shape(run.init, KEY, (), data)['state']['tables'].shape == (
    100,
    3,
  )


@pytest.mark.parametrize(('name', 'remedy'), remedies(STACKED))
def test_stacks_keep_the_shapes_of_their_state(name, remedy, flat, tmp_path):
  config = mode_task.remedied(mode_collapse.get_config(name), remedy)
  assert_shapes(config, mode_problems.problem(config, tmp_path))


@pytest.mark.parametrize(
  ('protocol', 'generator', 'discriminator'),
  [
    ('stacked_mnist_unrolled_quarter', 286_552, 542),
    ('stacked_mnist_unrolled_half', 286_552, 1_804),
    ('stacked_mnist_pacgan', 4_510_400, 4_307_648),
  ],
)
def test_players_of_stacks_have_the_published_numbers_of_weights(
  protocol, generator, discriminator
):
  config = mode_collapse.get_config(protocol)
  play = games.schedule(config, (28, 28, 3))(0)
  params, _ = jax.eval_shape(play.init, KEY)
  counts = [
    sum(
      leaf.size
      for path, leaf in jax.tree_util.tree_leaves_with_path(player)
      if path[-1].key == 'kernel'
    )
    for player in params
  ]
  assert counts == [generator, discriminator]
