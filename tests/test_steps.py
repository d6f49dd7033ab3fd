"""Update rules by hand, and against the theory of the bilinear game."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import losses, priors, regularizers, remedies, steps
from ganjax.arrays import Batch
from ganjax.data import order
from ganjax.game import Fake, Game, gan
from ganjax.networks import mlp
from ganjax.networks.layers import BatchNorm
from ganjax.players import Pair
from ganjax.turns import lazily, stateless

KEY = jax.random.key(0)


@pytest.fixture
def x64():
  with jax.enable_x64(True):
    yield


def of_values(generator, discriminator):
  """The game of two functions `(theta, phi, images, key) -> value`."""

  def objective(player, value):
    def turn(params, buffers, batch, key):
      own = value(*params, batch.images, key)
      return own, (buffers, {f'loss/{player}': own})

    return turn

  return Game(
    init=lambda key: (Pair(jnp.ones(()), jnp.ones(())), Pair({}, {})),
    generator=objective('generator', generator),
    discriminator=objective('discriminator', discriminator),
    prior=lambda key, number: jax.random.normal(key, (number, 1)),
    sample=lambda params, buffers, latents, key, labels: params * latents,
    fake_labels=lambda key, labels: labels,
  )


BILINEAR = of_values(
  lambda theta, phi, images, key: theta * phi,
  lambda theta, phi, images, key: -theta * phi,
)
QUADRATIC = of_values(
  lambda theta, phi, images, key: theta * (phi + images.mean()),
  lambda theta, phi, images, key: jnp.mean((phi - theta - images) ** 2) / 2,
)
DRIFTING = of_values(
  lambda theta, phi, images, key: theta * jax.random.normal(key),
  lambda theta, phi, images, key: phi * jax.random.normal(key),
)


def sgd(h):
  return Pair(optax.sgd(h), optax.sgd(h))


def trajectory(rule, game, h, number):
  """Both players' parameters before each step: theta and phi, `[number]`."""
  step = rule(game, sgd(h))
  _, params = jax.lax.scan(
    lambda state, _: (step(state, Batch(jnp.zeros((1, 1))))[0], state.params),
    steps.init(game, sgd(h), KEY),
    length=number,
  )
  return params


@pytest.mark.parametrize(
  ('rule', 'factor'),
  [
    (steps.simultaneous, lambda h: np.sqrt(1 + h**2)),
    (steps.extragradient, lambda h: abs(1 + 1j * h - h**2)),
  ],
)
def test_bilinear_game_turns_by_a_constant_factor(x64, rule, factor):
  h = 0.2
  radius = np.hypot(*trajectory(rule, BILINEAR, h, 200))
  np.testing.assert_allclose(
    radius, np.sqrt(2) * factor(h) ** np.arange(200), rtol=1e-12
  )


def test_extragradient_moves_momentum_at_both_gradients(x64):
  h, keep, here = 0.2, 0.9, np.array([1.0, 1.0])
  field = np.array(
    [[0, 1], [-1, 0]]
  )  # theta minimises theta phi, phi maximises
  momentum = field @ here
  momentum = keep * momentum + field @ (here - h * momentum)
  optimizers = Pair(*[optax.sgd(h, momentum=keep)] * 2)
  state = steps.init(BILINEAR, optimizers, KEY)
  step = jax.jit(steps.extragradient(BILINEAR, optimizers))
  after, _ = step(state, Batch(jnp.zeros(1)))
  np.testing.assert_allclose(after.params, here - h * momentum, rtol=1e-12)


def test_alternating_bilinear_game_stays_on_an_ellipse(x64):
  h = 0.2
  theta, phi = trajectory(steps.alternating, BILINEAR, h, 500)
  # The sign is that of an update of the discriminator first.
  conserved = theta**2 + phi**2 + h * theta * phi
  np.testing.assert_allclose(conserved, 2 + h, rtol=1e-12)


@pytest.mark.parametrize('critic_steps', [1, 3])
def test_critic_steps_are_moves_on_strided_shares(x64, critic_steps):
  h, theta, phi = 0.1, 1.0, 1.0
  batch = np.random.default_rng(0).normal(size=2 * critic_steps)
  shares = [batch[turn::critic_steps] for turn in range(critic_steps)]
  for share in shares:
    phi -= h * (phi - theta - share.mean())
  theta -= h * (phi + shares[-1].mean())
  step = steps.alternating(QUADRATIC, sgd(h), critic_steps=critic_steps)
  state, _ = jax.jit(step)(steps.init(QUADRATIC, sgd(h), KEY), Batch(batch))
  np.testing.assert_allclose(state.params, (theta, phi), rtol=1e-12)


@pytest.mark.parametrize('rule', [steps.alternating, steps.simultaneous])
def test_metrics_have_the_norms_of_the_gradients(x64, rule):
  h, theta, phi, images = 0.1, 1.0, 1.0, np.array([0.5, 2.0])
  state = steps.init(QUADRATIC, sgd(h), KEY)
  _, metrics = jax.jit(rule(QUADRATIC, sgd(h)))(state, Batch(images))
  by_phi = phi - theta - images.mean()
  facing = phi - h * by_phi if rule is steps.alternating else phi
  np.testing.assert_allclose(metrics['gradient/discriminator'], abs(by_phi))
  np.testing.assert_allclose(
    metrics['gradient/generator'], facing + images.mean()
  )


@pytest.mark.parametrize(
  ('critic_steps', 'generator_batches', 'last'),
  [(1, 1, [1, 1, 1]), (2, 1, [2, 2, 2]), (1, 2, [1, 2, 1]), (2, 0, [1, 1, 1])],
)
def test_the_generator_may_have_reals_of_its_own(
  x64, critic_steps, generator_batches, last
):
  h, theta, phi = 0.1, 1.0, 1.0
  number = critic_steps + generator_batches
  batch = np.random.default_rng(0).normal(size=2 * number)
  shares = [batch[turn::number] for turn in range(number)]
  for share in shares[:critic_steps]:
    phi -= h * (phi - theta - share.mean())
  for turn in last:
    theta -= h * (phi + shares[turn].mean())
  step = steps.alternating(
    QUADRATIC,
    sgd(h),
    critic_steps=critic_steps,
    generator_steps=3,
    generator_batches=generator_batches,
  )
  state, _ = jax.jit(step)(steps.init(QUADRATIC, sgd(h), KEY), Batch(batch))
  np.testing.assert_allclose(state.params, (theta, phi), rtol=1e-12)


@pytest.mark.parametrize('shared', [False, True])
def test_latents_are_those_of_the_discriminator_if_they_are_shared(x64, shared):
  """D gains phi E[theta z], and G loses it: moves tell the mean latents."""

  def fake(params, buffers, latents, key, labels):
    return Fake(latents, labels, latents, params.generator * latents, buffers)

  def objective(sign):
    def value(params, buffers, batch, key, fake):
      return sign * params.discriminator * fake.images.mean(), (buffers, {})

    return value

  game = BILINEAR._replace(
    fake=fake, generator=objective(1), discriminator=objective(-1)
  )
  h, state = 0.1, steps.init(game, sgd(0.1), KEY)

  def after(number):
    step = steps.alternating(
      game, sgd(h), generator_steps=number, shared_latents=shared
    )
    return jax.jit(step)(state, Batch(jnp.zeros((5, 1))))[0].params

  (theta, phi), (theta_after_two, _) = after(1), after(2)
  means = (phi - 1) / h, (1 - theta) / (h * phi)
  last = (theta - theta_after_two) / (h * phi)
  if shared:
    np.testing.assert_allclose(means[1], means[0], rtol=1e-9)
    np.testing.assert_allclose(last, means[0], rtol=1e-9)
  else:
    assert np.unique(np.round([*means, last], 6)).size == 3


def test_shared_fakes_are_computed_once():
  width, number = 96, 64
  game = gan(
    mlp.generator((4, 4, 1), (width, width)),
    mlp.discriminator((width,)),
    losses.non_saturating,
    priors.normal(width),
  )
  state = jax.eval_shape(lambda: steps.init(game, sgd(0.1), KEY))
  batch = Batch(jax.ShapeDtypeStruct((number, 4, 4, 1), jnp.float32))

  def operations(shared):
    step = steps.alternating(game, sgd(0.1), shared_latents=shared)
    compiled = jax.jit(step).lower(state, batch).compile()
    return compiled.cost_analysis()['flops']

  forward = 2 * number * width * (width + width + 16)
  # The latents are drawn once, too.
  saved = operations(False) - operations(True)
  assert forward <= saved < 1.4 * forward


def test_skip_below_stops_exactly_under_the_threshold():
  game = of_values(
    lambda theta, phi, images, key: theta, lambda theta, phi, images, key: phi
  )
  optimizers = Pair(optax.sgd(0.5), optax.sgd(0.5, momentum=0.9))
  state = steps.init(game, optimizers, KEY)

  def move(threshold):
    step = steps.alternating(
      game, optimizers, critic_steps=2, skip_below=threshold
    )
    return step(state, Batch(jnp.zeros(2)))

  # The losses are 1 and then, after an update, 1 / 2.
  after, metrics = jax.jit(jax.vmap(move))(jnp.array([0.5, 0.75, 1.0, 1.001]))
  np.testing.assert_allclose(after.params.discriminator, [-0.45, 0.5, 0.5, 1])
  np.testing.assert_array_equal(metrics['skipped'], [0, 1, 1, 1])
  momentum = jax.tree.leaves(after.opt_state.discriminator)[0]
  np.testing.assert_allclose(momentum, [1.9, 1, 1, 0])
  np.testing.assert_array_equal(after.params.generator, 0.5)


def test_moving_average_warms_up(x64):
  decay, number = 0.9, 120
  game = of_values(
    lambda theta, phi, images, key: theta,
    lambda theta, phi, images, key: 0 * phi,
  )
  state, _ = steps.run(
    steps.alternating(game, sgd(0.1), ema_decay=decay),
    steps.init(game, sgd(0.1), KEY),
    lambda key, step: Batch(jnp.zeros(1)),
    number,
  )
  average = 1.0
  for t in range(number):
    keep = min(decay, (1 + t) / (10 + t))
    average = keep * average + (1 - keep) * (1 - 0.1 * (t + 1))
  np.testing.assert_allclose(state.ema_params, average, rtol=1e-12)
  assert state.step == number


def test_the_same_state_makes_the_same_step_and_the_next_another():
  step = jax.jit(steps.alternating(DRIFTING, sgd(1.0), critic_steps=2))
  state = steps.init(DRIFTING, sgd(1.0), KEY)
  batch = Batch(jnp.zeros(2))
  once, twice = step(state, batch)[0], step(state, batch)[0]
  np.testing.assert_array_equal(once.params, twice.params)
  moves = np.subtract(step(once, batch)[0].params, once.params)
  assert np.abs(moves - np.subtract(once.params, state.params)).min() > 1e-3


def test_run_is_a_loop_of_steps(x64):
  step = jax.jit(steps.alternating(QUADRATIC, sgd(0.1)))
  state = start = steps.init(QUADRATIC, sgd(0.1), KEY)

  def batches(key, step):
    return Batch(jax.random.normal(jax.random.fold_in(key, step), (4,)))

  values = []
  for _ in range(3):
    batch = batches(order.data_key(state.key), state.step)
    state, metrics = step(state, batch)
    values.append(metrics['loss/discriminator'])
  after, metrics = steps.run(step, start, batches, 3)
  np.testing.assert_allclose(after.params, state.params, rtol=1e-12)
  np.testing.assert_allclose(metrics['loss/discriminator'], values, rtol=1e-12)


def test_view_shows_the_average_on_the_same_latents():
  state = steps.init(BILINEAR, sgd(0.1), KEY)
  images = steps.sample(BILINEAR)
  before = images(state, 5)
  state = state.replace(
    step=jnp.int32(9), ema_params=3 * state.ema_params, params=Pair(None, None)
  )
  np.testing.assert_allclose(images(state, 5), 3 * before, rtol=1e-6)
  assert np.unique(before).size == 5


@pytest.mark.parametrize(('b1', 'b2'), [(0.0, 0.99), (0.5, 0.999)])
def test_restart_tames_the_first_move_of_idle_parameters(x64, b1, b2):
  game = of_values(
    lambda theta, phi, images, key: theta * images.mean(),
    lambda theta, phi, images, key: 0 * phi,
  )
  adam = optax.adam(0.1, b1=b1, b2=b2)
  optimizers = Pair(adam, adam)
  step = jax.jit(steps.alternating(game, optimizers))
  idle, _ = steps.run(
    step,
    steps.init(game, optimizers, KEY),
    lambda key, step: Batch(jnp.zeros(1)),
    20_000,
  )
  assert idle.params.generator == 1

  def first_move(state):
    return 1 - step(state, Batch(jnp.ones(1)))[0].params.generator

  np.testing.assert_allclose(
    first_move(idle), 0.1 * (1 - b1) / np.sqrt(1 - b2), rtol=1e-6
  )
  fresh = steps.restart(optimizers, idle)
  np.testing.assert_allclose(first_move(fresh), 0.1, rtol=1e-6)
  assert fresh.step == idle.step


@pytest.mark.parametrize(
  'rule', [steps.alternating, steps.simultaneous, steps.extragradient]
)
def test_a_named_axis_averages_gradients(x64, rule):
  state = steps.init(QUADRATIC, sgd(0.1), KEY)
  batch = Batch(jnp.array([1.0, 2.0, -5.0, 3.0]))
  whole, metrics = jax.jit(rule(QUADRATIC, sgd(0.1)))(state, batch)
  parts, apart = jax.jit(
    jax.vmap(
      rule(QUADRATIC, sgd(0.1), axis_name='devices'),
      in_axes=(None, 0),
      axis_name='devices',
    )
  )(state, Batch(batch.images.reshape(2, 2)))
  for row in range(2):
    np.testing.assert_allclose(
      [leaf[row] for leaf in parts.params], whole.params, rtol=1e-12
    )
    np.testing.assert_allclose(
      apart['loss/discriminator'][row], metrics['loss/discriminator']
    )


def test_a_named_axis_draws_for_each_device():
  # The average of the devices' draws is none of one device's.
  state = steps.init(DRIFTING, sgd(1.0), KEY)
  parts, _ = jax.jit(
    jax.vmap(
      steps.simultaneous(DRIFTING, sgd(1.0), axis_name='devices'),
      in_axes=(None, 0),
      axis_name='devices',
    )
  )(state, Batch(jnp.zeros((2, 1))))
  alone, _ = jax.jit(steps.simultaneous(DRIFTING, sgd(1.0)))(
    state, Batch(jnp.zeros(1))
  )
  assert parts.params.generator[0] == parts.params.generator[1]
  assert parts.params.generator[0] != alone.params.generator


def test_the_first_state_may_be_donated():
  step = jax.jit(steps.alternating(BILINEAR, sgd(0.1)), donate_argnums=0)
  state, _ = step(steps.init(BILINEAR, sgd(0.1), KEY), Batch(jnp.zeros(1)))
  assert state.params.generator != state.ema_params


def test_a_state_keeps_its_type_and_is_traced_once():
  def penalty(turn):
    return regularizers.r1(turn.critic, turn.real)

  game = gan(
    mlp.generator((2,), widths=(8,), norm=BatchNorm),
    remedies.spectral(mlp.discriminator(widths=(8,))),
    losses.non_saturating,
    priors.normal(2),
    Pair({}, {'r1': lazily(stateless(penalty), 2)}),
  )
  optimizers = Pair(optax.adam(1e-3), optax.adam(1e-3))
  traces = []

  def traced(state, batch):
    traces.append(state)
    return steps.alternating(game, optimizers)(state, batch)

  step = jax.jit(traced, donate_argnums=0)
  state = jax.jit(lambda key: steps.init(game, optimizers, key))(KEY)
  types = jax.tree.map(jax.typeof, state)
  for _ in range(5):
    state, metrics = step(state, Batch(jnp.ones((4, 2))))
    assert jax.tree.map(jax.typeof, state) == types
  assert len(traces) == 1
  assert state.step == 5
  assert all(np.isfinite(value) for value in metrics.values())


def test_a_batch_that_the_critic_steps_do_not_divide_is_refused():
  with pytest.raises(ValueError, match='7 rows cannot be divided among 2'):
    steps._share(Batch(jnp.zeros((7, 3))), 0, 2)
