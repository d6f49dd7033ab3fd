"""Tasks: a member of a population is the run that a config makes by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base, mode_collapse, progressive
from ganjax import parallel, pictures
from ganjax.config import runs
from ganjax.data import images
from ganjax.sweeps import image_task, mode_problems, mode_task, task
from ganjax.training import dispatch, population
from tests.training.test_population import assert_equal

RATES = (
  'optimizers.generator.learning_rate',
  'optimizers.discriminator.learning_rate',
)
R1 = 'regularizers.discriminator.r1.weight'


def dataset(side):
  """Ten images of noise, a number that no batch divides."""
  pixels = np.random.default_rng(0).integers(0, 256, (10, side, side, 1))
  return images.ImageSet(np.uint8(pixels), None, 'noise')


NOISE = dataset(4)


def dense(changes=()):
  """A tiny config of fully connected players; changes are of dotted fields."""
  config = base.get_config()
  config.network = 'mlp'
  config.generator = {'widths': (4,), 'norm': 'none'}
  config.discriminator = {'widths': (4,), 'statistics': base.statistics()}
  config.prior.size, config.batch_size, config.images = 3, 4, 24
  config.steps_together = 1
  config.update_from_flattened_dict(dict(changes))
  return config.lock()


def growing():
  """A tiny config that grows from 4 to 8 pixels, with other rows and rates."""
  config = progressive.get_config()
  # Its penalty would be most of what is compiled.
  config.regularizers.discriminator.wgan_gp.weight = 0.0
  for player in config.generator, config.discriminator:
    player.update(base=16, max_channels=4)
  config.discriminator.statistics.name = 'none'
  config.data.resolution, config.prior.size, config.images = 8, 3, 26
  config.growth.update(fade=8, hold=6, batch_size=(3, 2), rate=(1.0, 0.5))
  config.steps_together = 1
  return config


def alone(config, data):
  """The state after a single run's every step, and its metrics."""
  mesh = parallel.mesh(1)
  run = runs.run(config, data, mesh)
  start = jax.jit(
    runs.start(config, data.images.shape[1:]),
    out_shardings=parallel.whole(mesh),
  )()
  for _, state, metrics, _ in dispatch.dispatches(
    run.phases, start, run.loader, mesh, run.steps_together, lambda *told: None
  ):
    # The next dispatch takes the state's own buffers.
    copied = jax.tree.map(jnp.copy, state)
    yield copied, jax.tree.map(lambda value: value[0], metrics)


def together(made, seeds, numbers=None, mapping='steps'):
  """The population of runs of a task with these seeds."""
  return population.train(
    made.training,
    jnp.stack([made.key(seed) for seed in seeds]),
    numbers or {},
    made.data,
    mapping=mapping,
    devices=jax.devices()[:1],
    chunk=len(seeds),
  )


def member(tree, row):
  return jax.tree.map(lambda leaf: leaf[row], tree)


@pytest.mark.parametrize(
  'mirror', [pytest.param(False, marks=pytest.mark.slow), True]
)
def test_a_member_is_the_run_of_its_seed_to_the_bit(mirror):
  config = dense({'data.mirror': mirror, 'critic_steps': 2})
  found = together(image_task.of(config, NOISE, 3), (0, 5))
  recorded, means = found.records
  [phase] = runs.phases(config, (4, 4, 1))
  for row, seed in enumerate((0, 5)):
    config.seed = seed
    run = list(alone(config, NOISE))
    assert len(run) == 3
    assert_equal(member(found.states['state'], row), run[-1][0])
    for evaluation, (state, metrics) in enumerate(run):
      assert_equal(
        {name: own[row, evaluation] for name, own in means.items()}, metrics
      )
      np.testing.assert_array_equal(
        recorded['samples'][row, evaluation],
        images.quantize(phase.sample(state, 36)),
      )


@pytest.fixture(scope='module')
def grown():
  """The task of a run that grows, with 12 evaluations, and the run alone."""
  config, data = growing(), dataset(8)
  config.seed = 4
  phases = runs.phases(config, data.images.shape[1:])
  lengths = [(phase.rows, phase.steps) for phase in phases]
  assert lengths == [(3, 2), (2, 4), (2, 6)]
  views = [phase.sample for phase in phases for _ in range(phase.steps)]
  run = [
    (state, metrics, images.quantize(pictures.enlarged(view(state, 36), 8)))
    if evaluation in (1, 3, 11)
    else (state, metrics, None)
    for evaluation, ((state, metrics), view) in enumerate(
      zip(alone(config, data), views, strict=True)
    )
  ]
  return image_task.of(config, data, 12), run


def test_a_run_that_grows_is_its_phases_one_after_another(grown):
  made, run = grown
  found = together(made, (4,), mapping='map')
  recorded, means = member(found.records, 0)
  state = member(found.states['state'], 0)
  assert_equal(state, run[-1][0], rtol=1e-4, atol=1e-5)
  for evaluation, (_, metrics, shown) in enumerate(run):
    own = {name: values[evaluation] for name, values in means.items()}
    assert_equal(own, metrics, rtol=1e-3, atol=1e-4)
    if shown is not None:
      # A pixel may be rounded to the next.
      np.testing.assert_allclose(
        np.int32(recorded['samples'][evaluation]), np.int32(shown), atol=1
      )
  few = image_task.of(growing(), dataset(8), 3)
  assert few.images_seen == (3 + 3 + 2 * 2, 10 + 8, 18 + 8)


@pytest.mark.slow
def test_phases_that_the_host_chooses_are_the_single_run_to_the_bit(grown):
  made, run = grown
  training, data = made.training, jax.tree.map(jnp.asarray, made.data)
  watch = jax.jit(training.init)(made.key(4), {}, data)
  for state, metrics, shown in run:
    watch, found = training.host_step(watch, {}, data)
    assert_equal((watch['state'], found), (state, metrics))
    if shown is not None:
      drawn = made.evaluate(watch, {}, data)['samples']
      np.testing.assert_allclose(np.int32(drawn), np.int32(shown), atol=1)
  assert (int(watch['steps']), int(watch['diverged'])) == (12, -1)
  # What does not grow has no need of it.
  plain = image_task.of(dense(), NOISE, 1).training
  assert plain.host_step is plain.host_evaluate is None


@pytest.mark.slow
def test_traced_numbers_give_what_they_give_alone():
  config = dense({R1: 1.0})
  rates = (1e-3, 3e-2), (1e-2, 2e-3)
  runs = [(*pair, seed) for pair in rates for seed in (1, 2)]
  first, second, seeds = zip(*runs, strict=True)
  numbers = {RATES[0]: jnp.array(first), RATES[1]: jnp.array(second)}
  found = together(image_task.of(config, NOISE, 2), seeds, numbers, 'vmap')
  for row, (generator, discriminator, seed) in enumerate(runs):
    own = dense({R1: 1.0, RATES[0]: generator, RATES[1]: discriminator})
    own.seed = seed
    *_, (state, _) = alone(own, NOISE)
    own = member(found.states['state'], row)
    assert_equal(own, state, rtol=1e-3, atol=1e-5)


def test_evaluations_that_do_not_divide_a_run_make_it_a_little_longer():
  for config, data in ((dense(), NOISE), (growing(), dataset(8))):
    shape = data.images.shape[1:]
    before = sum(phase.steps for phase in runs.phases(config, shape))
    for evaluations in range(1, before + 1):
      made = image_task.of(config, data, evaluations)
      assert made.training.steps == -(-before // evaluations) * evaluations
      assert made.training.every == made.training.steps // evaluations
      # A single run of as many images is as long.
      assert len(made.images_seen) == evaluations
      longer = config.copy_and_resolve_references()
      longer.images = made.images_seen[-1]
      phases = runs.phases(longer, shape)
      assert sum(phase.steps for phase in phases) == made.training.steps
      assert dispatch.images_seen(phases, made.training.steps) == longer.images
    for evaluations in (0, before + 1):
      with pytest.raises(
        ValueError, match=f'{evaluations} evaluations .* run of {before}'
      ):
        image_task.of(config, data, evaluations)


def ring(changes=()):
  """The plain run of a tiny protocol."""
  config = mode_task.remedied(mode_collapse.get_config('ring'), 'gan')
  config.generator.widths, config.prior.size = (6,), 3
  config.batch_size, config.measure.samples, config.steps = 12, 20, 10
  config.update_from_flattened_dict(dict(changes))
  return config


def test_a_protocol_is_a_task_too():
  config = ring({'critic_steps': 2})
  problem = mode_problems.problem(config)
  made = mode_task.of(config, problem, 4)
  assert made.name == 'ring: ring, 8 modes'
  assert (made.training.steps, made.training.every) == (12, 3)
  assert made.images_seen == (72, 144, 216, 288)
  recorded = jax.eval_shape(
    population.whole(made.training), made.key(3), {}, made.data
  )[1][0]
  assert recorded['modes'].occupancy.shape == (4, 8)
  np.testing.assert_array_equal(
    jax.random.key_data(made.key(3)),
    jax.random.key_data(jax.random.fold_in(jax.random.key(0), 3)),
  )
  with pytest.raises(
    ValueError, match='11 evaluations were .* run of 10 steps'
  ):
    mode_task.of(config, problem, 11)


def test_what_is_measured_has_the_columns_and_arrays_of_its_task():
  config = ring()
  made = mode_task.of(config, mode_problems.problem(config), 2)
  state = made.training.init(made.key(0), {}, made.data)
  record = made.evaluate(state, {}, made.data)
  measured = made.measure(0, state['state'], {}, record)
  assert measured.values.keys() == made.columns.keys()
  assert made.columns['captured']['direction'] == 'maximize'
  assert made.columns['reverse_kl']['direction'] == 'minimize'
  assert measured.values['captured'] == record['modes'].captured
  assert measured.picture.shape == (200, 200, 3)
  assert made.arrays(record)['occupancy'].sum() == made.number == 20


def test_streamed_images_are_refused_in_a_sentence():
  with pytest.raises(ValueError, match="data.loader is 'stream', but the runs"):
    image_task.of(dense({'data.loader': 'stream'}), NOISE, 1)


UNREAD = (
  'prior.size',
  'batch_size',
  'loss',
  'images',
  'lookahead.rate',
  'skip_below',
  'regularizers.discriminator.r1.weight',
  'regularizers.discriminator.dragan.spread',
  'data.mirror',
)


def traceable(config, fields):
  return task.traceable(image_task.of(config, NOISE, 1), config, fields)


def test_numbers_that_a_run_reads_are_traceable():
  read = (*RATES, 'optimizers.discriminator.b1', 'ema_decay')
  assert traceable(dense(), (*read, *UNREAD)) == set(read)
  # Off, they are not read; on, they are.
  config = dense({R1: 5.0, 'skip_below': 0.3, 'ema.half_life': 900.0})
  fields = R1, 'skip_below', 'ema.half_life', 'ema.ramp'
  assert traceable(config, fields) == set(fields)


def test_numbers_of_the_data_are_not_traceable():
  config = ring()
  made = mode_task.of(config, mode_problems.problem(config), 1)
  fields = 'data.std', 'data.radius', 'measure.within', 'steps', RATES[0]
  assert task.traceable(made, config, fields) == {RATES[0]}


def test_a_number_that_must_be_known_is_not_traceable():
  config = dense()

  def init(key, numbers, data):
    return data * sum(numbers.values())

  def step(state, numbers, data):
    numbers = {'ema_decay': 0.5} | numbers
    return (state + 1 if numbers['ema_decay'] > 0 else state), {}

  made = image_task.of(config, NOISE, 1)._replace(
    data=jnp.zeros(()),
    training=population.Training(init, step, lambda *state: (), 1, 1),
  )
  found = task.traceable(made, config, ('ema_decay', RATES[0]))
  assert found == {RATES[0]}


def test_the_step_after_which_a_run_diverged_is_noted():
  config = dense({'images': 48})
  made = image_task.of(config, NOISE, 2)
  rates = jnp.array([1e-3, 1e30])
  found = population.train(
    made.training,
    jnp.stack([made.key(1)] * 2),
    {RATES[0]: rates, RATES[1]: rates},
    made.data,
    mapping='vmap',
    devices=jax.devices()[:1],
  )
  assert found.states['steps'].tolist() == [12, 12]
  healthy, broken = found.states['diverged'].tolist()
  assert healthy == -1
  for player in RATES:
    config.update_from_flattened_dict({player: 1e30})
  config.seed = 1
  finite = [
    bool(np.isfinite(list(metrics.values())).all())
    for _, metrics in alone(config, NOISE)
  ]
  assert finite[:broken] == [True] * broken
  assert not finite[broken]
  # The evaluations are those of the run itself.
  assert found.records[0]['samples'].shape == (2, 2, 36, 4, 4, 1)


def test_an_evaluation_of_several_dispatches_is_watched_too():
  training = population.Training(
    init=lambda key, numbers, data: jnp.zeros(()),
    # Not finite, for once, after the third step.
    step=lambda state, numbers, data: (
      state + 1,
      {'loss': jnp.where(state == 2, jnp.nan, 0.0), 'other': state},
    ),
    evaluate=lambda state, numbers, data: state,
    steps=6,
    every=2,
    host_evaluate=lambda state, numbers, data: jnp.float32(-float(state)),
  )
  watched = task.watched(training)
  keys = jax.random.split(jax.random.key(0), 1)
  for mapping, sign in (('steps', -1), ('map', 1)):
    found = population.train(watched, keys, mapping=mapping)
    assert found.states['diverged'].tolist() == [2]
    np.testing.assert_array_equal(
      found.records[0], sign * np.array([[2, 4, 6]])
    )
  assert (
    task.watched(training._replace(host_evaluate=None)).host_evaluate is None
  )
