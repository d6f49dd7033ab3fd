"""Growth: which stage, for how long, how far faded; and a run that grows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import progressive
from ganjax import growth, parallel
from ganjax.arrays import Batch
from ganjax.config import runs
from ganjax.training import checkpoint, dispatch


def plan(images, **changes):
  wanted = {'first': 0, 'last': 2, 'fade': 60, 'hold': 100} | changes
  return growth.plan(images=images, **({'rows': lambda stage: 10} | wanted))


def test_stages_are_the_powers_of_two_from_4_pixels_on():
  for stage in range(9):
    side = growth.resolution(stage)
    assert (side, growth.stage_of(side)) == (2 ** (stage + 2), stage)
  for side in 0, 1, 2, 3, 5, 48:
    with pytest.raises(ValueError, match=f'Images of {side} pixels belong to'):
      growth.stage_of(side)


def test_a_stage_fades_in_and_is_held_but_for_the_first_and_the_last():
  assert plan(1_000) == (
    growth.Period(0, 0, 10),
    growth.Period(1, 6, 10),
    # What is left of 1,000 after 100 + 160 + 60.
    growth.Period(2, 6, 68),
  )


def test_the_published_schedule_of_1024_pixels_leaves_2400_kimg_to_the_end():
  periods = plan(
    12_000_000, last=8, fade=600_000, hold=600_000, rows=lambda stage: 1
  )
  assert [period.stage for period in periods] == list(range(9))
  # 600 at 4 pixels, 1200 at each of the seven stages from 8 to 512, then 600
  # to fade in the last.
  assert periods[-1].hold == 12_000_000 - 600_000 - 7 * 1_200_000 - 600_000


@pytest.mark.parametrize(
  ('images', 'ends'), [(90, (0, 0, 9)), (130, (1, 3, 0)), (200, (1, 6, 4))]
)
def test_a_short_run_ends_at_an_earlier_stage(images, ends):
  assert plan(images)[-1] == growth.Period(*ends)


def test_steps_show_at_least_the_images_of_a_period():
  for period in plan(1_000, rows=lambda stage: 7 - 2 * stage):
    rows = 7 - 2 * period.stage
    assert 0 <= rows * period.fade - 60 * (period.fade > 0) < rows


def test_nothing_grows_from_the_last_stage():
  assert plan(500, first=2) == (growth.Period(2, 0, 50),)


def test_alpha_rises_on_a_line_and_stays():
  alphas = jax.vmap(lambda step: growth.alpha(step, 100, 4))(np.arange(98, 107))
  np.testing.assert_allclose(alphas, [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1])
  assert growth.alpha(100, 100, 0) == 1


def test_a_beginning_beyond_the_end_is_refused_by_name():
  with pytest.raises(ValueError, match='begin with 32 pixels and end with 16'):
    plan(100, first=3)
  with pytest.raises(ValueError, match='fades in over -1'):
    plan(100, fade=-1)


SHAPE = (8, 8, 1)


@pytest.fixture(scope='module')
def config():
  """From 4 to 8 pixels: two steps, then three of fading in and three held."""
  config = progressive.get_config()
  config.images = 64
  config.batch_size = 4
  for player in config.generator, config.discriminator:
    player.update(base=16, max_channels=4)
  config.prior.size = 4
  # Second derivatives, which say nothing of growth, compile for long.
  config.loss = 'non_saturating'
  config.regularizers.discriminator.wgan_gp.weight = 0.0
  config.data.mirror = True
  config.growth.update(
    hold=16, fade=24, batch_size=(8,), rate=(1.0, 0.5), first=4
  )
  return config


@pytest.fixture(scope='module')
def grown(config):
  """`state -> states after each step, compilations`, to the end of the run."""
  mesh = parallel.mesh(1)
  pixels = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), np.uint8)
  loader = dispatch.from_device(Batch(pixels), mesh)
  phases = runs.phases(config, SHAPE)

  def go_on(state):
    states, compiled = {}, []
    for _, now, _, step in dispatch.dispatches(
      phases, state, loader, mesh, 1, lambda *words: compiled.append(words)
    ):
      # The next dispatch takes the state's buffers.
      states[step] = jax.tree.map(jnp.copy, now)
    return states, compiled

  start = jax.jit(runs.start(config, SHAPE))
  return go_on, go_on(start())


def test_a_stage_is_two_phases_of_one_program(config, grown):
  phases = runs.phases(config, SHAPE)
  assert [phase.steps for phase in phases] == [2, 3, 3]
  assert [phase.title for phase in phases] == [
    '4 pixels',
    '8 pixels',
    '8 pixels',
  ]
  _, (states, compiled) = grown
  assert list(states) == [*range(1, 9)]
  assert len(compiled) == 2


def test_optimisers_begin_anew_at_the_start_and_the_end_of_a_fade(grown):
  _, (states, _) = grown
  counts = [
    {
      int(leaf)
      for leaf in jax.tree.leaves(states[step].opt_state)
      if leaf.dtype == jnp.int32
    }
    for step in range(1, 9)
  ]
  assert counts == [{1}, {2}, {1}, {2}, {3}, {1}, {2}, {3}]


def test_what_a_stage_has_no_use_for_rests(grown):
  _, (states, _) = grown
  first, second, last = (states[step].params.generator for step in (1, 2, 8))
  np.testing.assert_array_equal(
    *(params['block1']['Conv_0']['kernel'] for params in (first, second))
  )
  assert (
    first['block0']['Conv_0']['kernel'] != second['block0']['Conv_0']['kernel']
  ).all()
  assert (
    second['block1']['Conv_0']['kernel'] != last['block1']['Conv_0']['kernel']
  ).all()


def test_adam_takes_no_leap_when_idle_parameters_are_woken(config, grown):
  _, (states, _) = grown
  rate = config.optimizers.generator.learning_rate * config.growth.rate[1]
  before, after = (states[step].params for step in (2, 3))
  leaps = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), before, after)
  assert max(jax.tree.leaves(leaps)) <= rate * 1.001


def test_killed_within_a_fade_a_run_goes_on_to_the_same_bits(
  config, grown, tmp_path
):
  go_on, (states, _) = grown
  manager = checkpoint.manager(tmp_path, 1)
  checkpoint.save(manager, 4, states[4], {})
  start = runs.start(config, SHAPE)
  restored = checkpoint.restore(manager, jax.eval_shape(start))
  checkpoint.close(manager)
  resumed, _ = go_on(restored)
  assert list(resumed) == [5, 6, 7, 8]
  for step, state in resumed.items():
    for left, right in zip(
      jax.tree.leaves(state), jax.tree.leaves(states[step]), strict=True
    ):
      if jnp.issubdtype(left.dtype, jax.dtypes.prng_key):
        left, right = map(jax.random.key_data, (left, right))
      assert np.asarray(left).tobytes() == np.asarray(right).tobytes()


def test_a_game_is_that_of_the_stage_that_a_step_is_at(config):
  start = runs.start(config, SHAPE)
  params, buffers = jax.eval_shape(
    lambda: (start().params.generator, start().buffers)
  )
  sides = [
    jax.eval_shape(
      runs.game(config, SHAPE, step).sample,
      params,
      buffers,
      jax.ShapeDtypeStruct((5, 4), jnp.float32),
    ).shape[1]
    for step in (0, 2, 3, 8)
  ]
  # After the last step of a stage, its own images.
  assert sides == [4, 4, 8, 8]


def test_a_run_without_growth_begins_with_the_last_stage(config):
  whole = config.copy_and_resolve_references()
  whole.growth.first = 0
  (phase,) = runs.phases(whole, SHAPE)
  assert (phase.title, phase.steps) == ('8 pixels', 8)


def test_a_plan_goes_on_as_a_longer_one_unless_it_ends_in_a_fade():
  def plan(images):
    return growth.plan(0, 2, images, fade=20, hold=40, rows=lambda stage: 10)

  longest = plan(1000)
  ends_in_a_fade = {50, 110}
  for images in range(10, 300, 10):
    expected = images not in ends_in_a_fade
    assert growth.continues(plan(images), longest) == expected, images
