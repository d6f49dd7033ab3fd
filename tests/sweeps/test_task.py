"""Trials: a member of a population is the run that a config makes by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base, mode_collapse, progressive
from ganjax import parallel, pictures
from ganjax.config import runs
from ganjax.data import images
from ganjax.sweeps import mode_task, task
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


def together(
  subject, config, evaluations, seeds, numbers=None, mapping='steps'
):
  """The population of runs with these seeds."""
  return population.train(
    subject.training(config, evaluations),
    jnp.stack([subject.key(seed) for seed in seeds]),
    numbers or {},
    subject.data,
    mapping=mapping,
    devices=jax.devices()[:1],
    chunk=len(seeds),
  )


def member(tree, row):
  return jax.tree.map(lambda leaf: leaf[row], tree)


@pytest.mark.parametrize('mirror', [False, True])
def test_a_member_is_the_run_of_its_seed_to_the_bit(mirror):
  config = dense({'data.mirror': mirror, 'critic_steps': 2})
  subject = task.of_images(config, NOISE)
  found = together(subject, config, 3, (0, 5))
  recorded, means = found.records
  [phase] = runs.phases(config, (4, 4, 1))
  for row, seed in enumerate((0, 5)):
    config.seed = seed
    run = list(alone(config, NOISE))
    assert len(run) == 3
    assert_equal(member(found.states, row), run[-1][0])
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
  """The subject and the config of a run that grows, and the run alone."""
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
  return task.of_images(config, data), config, run


def test_a_run_that_grows_is_its_phases_one_after_another(grown):
  subject, config, run = grown
  found = together(subject, config, 12, (4,), mapping='map')
  recorded, means = member(found.records, 0)
  assert_equal(member(found.states, 0), run[-1][0], rtol=1e-4, atol=1e-5)
  for evaluation, (_, metrics, shown) in enumerate(run):
    own = {name: values[evaluation] for name, values in means.items()}
    assert_equal(own, metrics, rtol=1e-3, atol=1e-4)
    if shown is not None:
      # A pixel may be rounded to the next.
      np.testing.assert_allclose(
        np.int32(recorded['samples'][evaluation]), np.int32(shown), atol=1
      )
  assert subject.images_seen(config, 3) == (3 + 3 + 2 * 2, 10 + 8, 18 + 8)


def test_phases_that_the_host_chooses_are_the_single_run_to_the_bit(grown):
  subject, config, run = grown
  training = task.watched(subject.training(config, 12))
  data = jnp.asarray(subject.data)
  watch = jax.jit(training.init)(subject.key(4), {}, data)
  for state, metrics, shown in run:
    watch, found = training.host_step(watch, {}, data)
    assert_equal((watch['state'], found), (state, metrics))
    if shown is not None:
      drawn = training.host_evaluate(watch, {}, data)['samples']
      np.testing.assert_allclose(np.int32(drawn), np.int32(shown), atol=1)
  assert (int(watch['steps']), int(watch['broken'])) == (12, -1)
  # What does not grow has no need of it.
  plain = task.of_images(dense(), NOISE).training(dense(), 1)
  assert plain.host_step is plain.host_evaluate is None


def test_traced_numbers_give_what_they_give_alone():
  config = dense({R1: 1.0})
  subject = task.of_images(config, NOISE)
  rates = (1e-3, 3e-2), (1e-2, 2e-3)
  cells = [(*pair, seed) for pair in rates for seed in (1, 2)]
  first, second, seeds = zip(*cells, strict=True)
  numbers = {RATES[0]: jnp.array(first), RATES[1]: jnp.array(second)}
  found = together(subject, config, 2, seeds, numbers, mapping='vmap')
  for row, (generator, discriminator, seed) in enumerate(cells):
    own = dense({R1: 1.0, RATES[0]: generator, RATES[1]: discriminator})
    own.seed = seed
    *_, (state, _) = alone(own, NOISE)
    assert_equal(member(found.states, row), state, rtol=1e-3, atol=1e-5)


def test_looks_that_do_not_divide_a_run_make_it_a_little_longer():
  for config, data in ((dense(), NOISE), (growing(), dataset(8))):
    subject, shape = task.of_images(config, data), data.images.shape[1:]
    before = sum(phase.steps for phase in runs.phases(config, shape))
    for evaluations in range(1, before + 1):
      training = subject.training(config, evaluations)
      assert training.steps == -(-before // evaluations) * evaluations
      assert training.every == training.steps // evaluations
      # The config says what a single run needs to be as long.
      fitted = subject.fitted(config, evaluations)
      phases = runs.phases(fitted, shape)
      assert sum(phase.steps for phase in phases) == training.steps
      assert subject.fitted(fitted, evaluations) == fitted
      shown = subject.images_seen(config, evaluations)
      assert len(shown) == evaluations
      assert shown[-1] == dispatch.images_seen(phases, training.steps)
    for evaluations in (0, before + 1):
      with pytest.raises(
        ValueError, match=f'{evaluations} evaluations .* run of {before}'
      ):
        subject.training(config, evaluations)


def ring(changes=()):
  """The plain run of a tiny protocol."""
  config = mode_task.remedied(mode_collapse.get_config('ring'), 'gan')
  config.generator.widths, config.prior.size = (6,), 3
  config.batch_size, config.measure.samples, config.steps = 12, 20, 10
  config.update_from_flattened_dict(dict(changes))
  return config


def test_a_protocol_is_a_subject_too():
  config = ring({'critic_steps': 2})
  subject = task.of_problem(config, mode_task.problem(config))
  assert subject.name == 'ring: ring, 8 modes'
  training = subject.training(config, 4)
  assert (training.steps, training.every) == (12, 3)
  assert subject.images_seen(config, 4) == (72, 144, 216, 288)
  looked = jax.eval_shape(
    population.whole(training), subject.key(3), {}, subject.data
  )[1][0]
  assert looked['modes'].occupancy.shape == (4, 8)
  np.testing.assert_array_equal(
    jax.random.key_data(subject.key(3)),
    jax.random.key_data(jax.random.fold_in(jax.random.key(0), 3)),
  )
  with pytest.raises(
    ValueError, match='11 evaluations were .* run of 10 steps'
  ):
    subject.training(config, 11)


def test_streamed_images_are_refused_in_a_sentence():
  with pytest.raises(ValueError, match="data.loader is 'stream', but the runs"):
    task.of_images(dense({'data.loader': 'stream'}), NOISE)


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


def test_numbers_that_a_run_reads_are_traceable():
  read = (*RATES, 'optimizers.discriminator.b1', 'ema_decay')
  config = dense()
  subject = task.of_images(config, NOISE)
  assert task.traceable(subject, config, (*read, *UNREAD)) == set(read)
  # Off, they are not read; on, they are.
  own = dense({R1: 5.0, 'skip_below': 0.3})
  fields = R1, 'skip_below'
  assert task.traceable(subject, own, fields) == set(fields)


def test_numbers_of_the_data_are_not_traceable():
  config = ring()
  subject = task.of_problem(config, mode_task.problem(config))
  fields = 'data.std', 'data.radius', 'measure.within', 'steps', RATES[0]
  assert task.traceable(subject, config, fields) == {RATES[0]}


def test_a_number_that_must_be_known_is_not_traceable():
  config = dense()

  def training(config, evaluations):
    def init(key, numbers, data):
      return data * sum(numbers.values())

    def step(state, numbers, data):
      numbers = {'ema_decay': 0.5} | numbers
      return (state + 1 if numbers['ema_decay'] > 0 else state), {}

    return population.Training(init, step, lambda *state: (), 1, 1)

  subject = task.Subject(
    data=jnp.zeros(()),
    fitted=lambda config, evaluations: config,
    training=training,
    images_seen=lambda config, evaluations: (1,),
    key=jax.random.key,
    name='zero',
  )
  found = task.traceable(subject, config, ('ema_decay', RATES[0]))
  assert found == {RATES[0]}


def test_the_step_that_breaks_a_run_is_noted():
  config = dense({'images': 48})
  subject = task.of_images(config, NOISE)
  training = task.watched(subject.training(config, 2))
  rates = jnp.array([1e-3, 1e30])
  found = population.train(
    training,
    jnp.stack([subject.key(1)] * 2),
    {RATES[0]: rates, RATES[1]: rates},
    subject.data,
    mapping='vmap',
    devices=jax.devices()[:1],
  )
  assert found.states['steps'].tolist() == [12, 12]
  healthy, broken = found.states['broken'].tolist()
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


def test_a_look_of_several_dispatches_is_watched_too():
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
    assert found.states['broken'].tolist() == [2]
    np.testing.assert_array_equal(
      found.records[0], sign * np.array([[2, 4, 6]])
    )
  assert (
    task.watched(training._replace(host_evaluate=None)).host_evaluate is None
  )
