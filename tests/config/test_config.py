import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base, dcgan, dense, flowers_matched, msg, progressive
from ganjax import averages, files, parallel, priors
from ganjax.arrays import Batch
from ganjax.config import datasets, games, regularizers, runs
from ganjax.data import images
from ganjax.lookup import choose, functions
from ganjax.training import dispatch

SHAPE = (4, 4, 1)


@pytest.fixture
def config():
  config = base.get_config()
  config.network = 'mlp'
  config.generator = {'widths': (4,), 'norm': 'none'}
  config.discriminator = {
    'widths': (4,),
    'statistics': base.statistics(),
  }
  config.prior.size = 3
  config.batch_size = 4
  return config


def one_step(config, shape=SHAPE):
  """The state and the metrics after one step of a config."""
  batch = jnp.linspace(-1, 1, 4 * np.prod(shape)).reshape(4, *shape)
  batches = config.critic_steps + config.generator_batches
  batch = Batch(jnp.repeat(batch, batches, 0))
  [phase] = runs.phases(config, shape)
  assert phase.rows == len(batch.images)
  # Not jitted: operation by operation, most of it is compiled already.
  state, metrics = phase.step(runs.start(config, shape)(), batch)
  for path, leaf in jax.tree_util.tree_leaves_with_path(state.params):
    assert np.isfinite(leaf).all(), path
    assert leaf.dtype == jnp.float32
  assert np.isfinite(list(metrics.values())).all(), metrics
  return state, metrics


def test_a_wrong_name_is_answered_by_the_nearest():
  table = {'hinge': 1, 'minimax': 2}
  assert choose('loss', table, 'hinge') == 1
  with pytest.raises(ValueError) as near:
    choose('loss', table, 'hing')
  assert str(near.value) == (
    "There is no loss 'hing'; did you mean 'hinge'? choose from hinge, minimax."
  )
  with pytest.raises(ValueError) as far:
    choose('loss', table, 'x')
  assert str(far.value) == "There is no loss 'x'; choose from hinge, minimax."


@pytest.mark.parametrize('name', games.loss_names())
def test_every_loss_makes_a_step(name, config):
  config.loss = name
  config.label_smoothing = 0.0 if 'relativistic' in name else 0.1
  one_step(config)


@pytest.mark.parametrize('name', functions(priors))
def test_every_prior_is_drawn_from(name, config):
  config.prior.name = name
  latents = games.schedule(config, SHAPE)(0).prior(jax.random.key(0), 5)
  assert latents.shape == (5, 3)


@pytest.mark.parametrize('every', [1, 2])
def test_every_regularizer_makes_a_step(every, config):
  """All at once: they do not see one another."""
  sections = config.regularizers
  names = {*sections.generator, *sections.discriminator}
  assert names == set(regularizers.names())
  plain, _ = one_step(config)
  for section in sections.values():
    for term in section.values():
      term.weight = 0.5
      term.every = every
  penalised, metrics = one_step(config)
  found = {name for name in metrics if name.startswith('regularizer/')}
  assert found == {f'regularizer/{name}' for name in names}
  # LeCam asks nothing while reals are rated below fakes, and diversity pays.
  rest = found - {'regularizer/lecam', 'regularizer/zcr_diversity'}
  assert all(metrics[name] > 0 for name in rest), metrics
  assert metrics['regularizer/zcr_diversity'] < 0
  assert any(
    (one != other).any()
    for one, other in zip(
      jax.tree.leaves(plain.params.discriminator),
      jax.tree.leaves(penalised.params.discriminator),
      strict=True,
    )
  )


def test_a_weight_is_a_factor_of_the_bare_term(config):
  r1 = config.regularizers.discriminator.r1
  values = []
  for weight in 1.0, 3.0:
    r1.weight = weight
    game = games.schedule(config, SHAPE)(0)
    params, buffers = game.init(jax.random.key(0))
    reals = Batch(jnp.ones((4, *SHAPE)))
    key = jax.random.key(1)
    _, (_, metrics) = game.discriminator(params, buffers, reals, key)
    values.append(metrics['regularizer/r1'])
  np.testing.assert_allclose(values[1], 3 * values[0], rtol=1e-6)


def test_no_weight_leaves_a_penalty_out_unless_it_is_traced(config):
  reals, key = Batch(jnp.ones((4, *SHAPE))), jax.random.key(1)

  def metrics(weight):
    changed = config.copy_and_resolve_references()
    with changed.ignore_type():
      changed.regularizers.discriminator.r1.weight = weight
    game = games.schedule(changed, SHAPE)(0)
    params, buffers = game.init(jax.random.key(0))
    return game.discriminator(params, buffers, reals, key)[1][1]

  assert 'regularizer/r1' not in metrics(0.0)
  weights = jnp.array([0.0, 1.0, 2.0])
  penalties = jax.vmap(metrics)(weights)['regularizer/r1']
  np.testing.assert_allclose(penalties, weights * penalties[1], rtol=1e-6)
  assert penalties[1] > 0


def test_a_population_of_rates_and_smoothings_can_be_mapped(config):
  """Traced numbers give what the same numbers give by themselves."""
  batch = Batch(jnp.ones((4, *SHAPE)))

  def trained(rate, smoothing):
    changed = config.copy_and_resolve_references()
    with changed.ignore_type():
      changed.optimizers.discriminator.learning_rate = rate
      changed.label_smoothing = smoothing
      changed.skip_below = smoothing - 1
    [phase] = runs.phases(changed, SHAPE)
    state, metrics = phase.step(runs.start(changed, SHAPE)(), batch)
    return state.params, metrics

  rates, smoothings = jnp.array([1e-3, 1e-2]), jnp.array([0.0, 0.2])
  together = jax.jit(jax.vmap(trained))(rates, smoothings)
  for number in range(2):
    alone = trained(float(rates[number]), float(smoothings[number]))
    jax.tree.map(
      lambda many, one, number=number: np.testing.assert_allclose(
        many[number], one, rtol=1e-4, atol=1e-5
      ),
      together,
      alone,
    )


@pytest.mark.parametrize('name', games.optimizer_names())
def test_every_optimizer_takes_the_rate_of_its_player(name, config):
  for player in config.optimizers.values():
    player.name = name
  config.optimizers.generator.learning_rate = 0.0
  before = runs.start(config, SHAPE)()
  after, _ = one_step(config)
  for player, moves in ('generator', False), ('discriminator', True):
    pair = (getattr(state.params, player) for state in (before, after))
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), *pair)
    assert any(jax.tree.leaves(moved)) is moves


@pytest.mark.parametrize('name', games.update_rule_names())
def test_every_rule_makes_a_step(name, config):
  config.update_rule = name
  state, metrics = one_step(config)
  assert state.step == 1
  assert {'gradient/generator', 'gradient/discriminator'} <= set(metrics)
  config.critic_steps = 2
  if name == 'alternating':
    one_step(config)
  else:
    with pytest.raises(
      ValueError, match=f"update rule '{name}' .* critic_steps .2."
    ):
      one_step(config)
    config.critic_steps, config.skip_below = 1, 0.3
    with pytest.raises(ValueError, match=r'skip_below \(0.3\)'):
      one_step(config)


def test_unrolling_a_loss_that_is_no_saddle_says_what_is_descended(
  config, recwarn
):
  config.loss, config.unroll = 'minimax', 1
  one_step(config)
  assert not recwarn
  config.loss = 'non_saturating'
  with pytest.warns(
    UserWarning, match="'non_saturating' is not zero-sum.*is 1"
  ):
    one_step(config)
  config.unroll = 0
  recwarn.clear()
  one_step(config)
  assert not recwarn


def test_the_average_has_a_half_life_in_images(config):
  config.ema.half_life = 1e6
  after = [one_step(config)[0]]
  config.ema.half_life = None
  after += [one_step(config)[0]]
  # Nothing was seen before the first step, so that the first keeps nothing.
  for state, same in zip(after, (True, False), strict=True):
    pair = state.ema_params, state.params.generator
    equal = jax.tree.map(lambda a, b: bool(jnp.allclose(a, b)), *pair)
    assert all(jax.tree.leaves(equal)) is same


def test_the_half_life_counts_the_images_of_all_stages(tiny, monkeypatch):
  counts = []

  def half_life(images, ramp, rows, images_seen):
    assert (images, ramp) == (700.0, 0.1)
    counts.append((rows, images_seen))
    return lambda step: 0.5

  monkeypatch.setattr(averages, 'half_life', half_life)
  config = tiny(
    progressive.get_config(),
    {
      'ema.half_life': 700.0,
      'ema.ramp': 0.1,
      'images': 200,
      'growth.fade': 24,
      'growth.hold': 36,
      'growth.batch_size': (12, 6, 4),
    },
  )
  phases = runs.phases(config, (16, 16, 1))
  assert [rows for rows, _ in counts] == [12, 6, 4]
  first = 0
  for phase in phases:
    [count] = {count for rows, count in counts if rows == phase.rows}
    for step in (first, first + phase.steps - 1):
      assert count(step) == dispatch.images_seen(phases, step)
    first += phase.steps


def test_images_seen_are_those_of_the_discriminator(config):
  config.generator_batches, config.critic_steps, config.images = 1, 2, 80
  [phase] = runs.phases(config, SHAPE)
  assert (phase.rows, phase.counted, phase.steps) == (12, 8, 10)
  assert dispatch.images_seen([phase], 3) == 24
  assert dispatch.rows_taken([phase], 3) == 36
  config.update_rule, config.critic_steps = 'simultaneous', 1
  with pytest.raises(ValueError, match=r'no generator_batches \(1\)'):
    one_step(config)


def test_spectral_normalisation_is_each_player_s_own(config):
  config.spectral.discriminator = True
  state, _ = one_step(config)
  assert 'spectral' in state.buffers.discriminator['network']
  assert 'spectral' not in state.buffers.generator['network']


@pytest.mark.parametrize('module', [dcgan, dense], ids=['dcgan', 'dense'])
def test_bfloat16_computes_and_float32_is_kept(module, tiny):
  config = tiny(module.get_config(), {'dtype': 'bfloat16', 'batch_size': 4})
  [phase] = runs.phases(config, (16, 16, 1))
  start = runs.start(config, (16, 16, 1))
  batch = Batch(jnp.zeros((4, 16, 16, 1)))
  jaxpr, (state, metrics) = jax.make_jaxpr(phase.step, return_shape=True)(
    jax.eval_shape(start), batch
  )
  assert 'bf16[' in str(jaxpr)
  for leaf in jax.tree.leaves((state.params, state.opt_state, metrics)):
    assert leaf.dtype in (jnp.float32, jnp.int32)


def test_bfloat16_makes_a_step(config):
  exact, _ = one_step(config)
  config.dtype = 'bfloat16'
  coarse, _ = one_step(config)
  jax.tree.map(
    lambda one, other: np.testing.assert_allclose(one, other, atol=1e-2),
    coarse.params,
    exact.params,
  )


def test_the_number_of_steps_covers_the_images(config):
  config.images, config.critic_steps = 1001, 5
  [phase] = runs.phases(config, SHAPE)
  assert phase.rows == 20
  assert phase.steps == 51


def test_small_data_lie_on_the_device_and_large_on_the_host(
  config, monkeypatch
):
  data = images.ImageSet(np.zeros((20, *SHAPE), np.uint8), None, 'zeros')
  mesh, loaders = parallel.mesh(1), []
  for bytes_limit in (4 * data.images.nbytes, 4 * data.images.nbytes - 4):
    monkeypatch.setattr(datasets, '_memory', lambda limit=bytes_limit: limit)
    loader = runs.run(config, data, mesh).loader
    with_feed = loader.feed(jax.random.key(0), 0, 4, 2)
    loaders.append(next(with_feed).images.shape)
    with_feed.close()
  assert loaders == [(20, *SHAPE), (2, 4, *SHAPE)]


@pytest.mark.parametrize('loss', ['relativistic', 'relativistic_average'])
def test_losses_without_labels_take_no_smoothing(config, loss):
  config.loss, config.label_smoothing = loss, 0.1
  with pytest.raises(ValueError, match='label_smoothing is 0.1; set it to 0'):
    games.schedule(config, SHAPE)


# What makes growth and multi-scale gradients, and the networks of their papers.
OWN = {
  'network',
  'connections',
  'generator.gain',
  'discriminator.gain',
  'discriminator.combine',
  'discriminator.everywhere',
  'generator.activation',
  'generator.norm',
  'generator.output',
  'discriminator.activation',
  'discriminator.norm',
  *(f'growth.{name}' for name in ('first', 'fade', 'hold', 'batch_size')),
  'growth.rate',
}


def differing(one, other):
  """The fields in which two configs differ, with those of one of them alone."""
  one, other = (files.flat(config.to_dict()) for config in (one, other))
  return {
    name
    for name in {*one, *other}
    if name not in one or name not in other or one[name] != other[name]
  }


def test_matched_flowers_differ_in_what_makes_the_methods_alone():
  multi_scale, growing = map(flowers_matched.get_config, ('msg', 'progressive'))
  assert differing(multi_scale, growing) == OWN
  # What only MSG-GAN has a field for is what growing has without one.
  assert multi_scale.generator.gain == multi_scale.discriminator.gain == 1
  assert not multi_scale.discriminator.everywhere
  assert multi_scale.connections == 'all'
  # And what only growing has: one batch size and rate for all stages.
  assert growing.growth.batch_size == ()
  assert growing.growth.rate == (1.0,)
  # Neither the data nor the length are other than in the papers' presets.
  for own, module in ((multi_scale, msg), (growing, progressive)):
    changed = differing(own, module.get_config('flowers32'))
    assert not {name for name in changed if name.startswith('data.')}
    assert 'images' not in changed


def test_flowers_as_published_also_differ_in_optimiser_and_prior():
  # As the README and docs/high_resolution.md say of their figure.
  found = differing(
    *(module.get_config('flowers32') for module in (msg, progressive))
  )
  assert found - OWN == {
    'prior.name',
    *(
      f'optimizers.{player}.{name}'
      for player in ('generator', 'discriminator')
      for name in ('name', 'learning_rate', 'eps_root')
    ),
  }


def test_the_rates_of_matched_flowers_include_those_of_both_papers():
  settings = []
  flowers_matched.sweep(settings.append)
  assert all(len({*setting.values()}) == 1 for setting in settings)
  rates = {next(iter(setting.values())) for setting in settings}
  assert len(rates) == 3
  for module in (msg, progressive):
    config = module.get_config('flowers32')
    assert config.optimizers.generator.learning_rate in rates


@pytest.mark.parametrize(
  ('module', 'changes', 'advice'),
  [
    (
      msg,
      {},
      'choose a batch_size below 16, or generator.remat=true, or '
      'discriminator.remat=true, or dtype=bfloat16 (on an accelerator)',
    ),
    (msg, {'dtype': 'bfloat16', 'generator.remat': True}, 'discriminator'),
    (dcgan, {'dtype': 'bfloat16'}, 'choose a batch_size below 32'),
  ],
)
def test_what_needs_less_memory_is_what_the_config_has(module, changes, advice):
  config = module.get_config()
  config.update_from_flattened_dict(changes)
  data = images.load('digits', resolution=config.data.resolution)
  found = runs.run(config, data, parallel.mesh(1)).memory_advice
  assert found.startswith('choose a batch_size below') and advice in found
  assert ('generator.remat' in found) == (advice.count('remat') == 2)
