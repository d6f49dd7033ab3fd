"""The optimisation of pictures, on an encoder of two small layers."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax.style import initial, objective, optimizers, transfer
from tests.style.toy import AIMS, CONTENT, ENCODER, STYLES, TERMS, WEIGHTS

KEY = jax.random.key(0)
METHOD = transfer.Method(TERMS, WEIGHTS)


@functools.cache
def program(optimizer, number=1):
  step = transfer.stepper(ENCODER, TERMS, optimizer)
  return jax.jit(transfer.several(step, number))


ADAM = optimizers.adam(0.05, bounds=optimizers.UNIT)
LBFGS = optimizers.lbfgs(memory=5, bounds=optimizers.UNIT)


def run(optimizer, numbers, content=CONTENT, aims=AIMS, decay=0.9):
  state, seen = transfer.init(optimizer, content), []
  for number in numbers:
    state, values = program(optimizer, number)(
      state, ENCODER.params, aims, WEIGHTS, decay
    )
    seen.append(values)
  return state, seen


def test_adam_is_optax_step_by_step():
  optimizer = optimizers.adam(0.05)
  inner, pictures = optax.adam(0.05, 0.9, 0.99), jnp.asarray(CONTENT)
  opt_state = inner.init(pictures)

  @jax.jit
  def gradient(pictures):
    def total(pictures):
      values = objective.losses(ENCODER, TERMS, ENCODER.params, pictures, AIMS)
      return sum(WEIGHTS[name] * v for name, v in values.items()).sum()

    return jax.grad(total)(pictures)

  seen = []
  for _ in range(4):
    updates, opt_state = inner.update(gradient(pictures), opt_state)
    pictures = optax.apply_updates(pictures, updates)
    seen.append(pictures)
  state, _ = run(optimizer, [1, 1, 1, 1], decay=0.7)
  np.testing.assert_allclose(state.params, pictures, atol=1e-5)
  # The average, and the correction of its bias.
  powers = 0.7 ** np.arange(3, -1, -1)
  expected = sum(p * x for p, x in zip(powers, seen, strict=True))
  np.testing.assert_allclose(state.average, expected / powers.sum(), atol=1e-5)


@pytest.mark.parametrize('optimizer', [ADAM, LBFGS], ids=['adam', 'lbfgs'])
def test_chunks_of_5_and_5_equal_one_of_10_to_the_bit(optimizer):
  (whole, [last]), (parts, [_, other]) = (
    run(optimizer, numbers) for numbers in ([10], [5, 5])
  )
  for a, b in zip(
    jax.tree.leaves((whole, last)), jax.tree.leaves((parts, other)), strict=True
  ):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('optimizer', [ADAM, LBFGS], ids=['adam', 'lbfgs'])
def test_two_pictures_are_two_runs_and_the_loss_falls(optimizer):
  losses = objective.losses(ENCODER, TERMS, ENCODER.params, CONTENT, AIMS)
  before = sum(WEIGHTS[name] * values for name, values in losses.items())
  both, [after] = run(optimizer, [10])
  assert jnp.all(after['loss'] < 0.8 * before)
  for row in range(2):
    own = CONTENT[row : row + 1]
    aims = objective.targets(ENCODER, TERMS, ENCODER.params, own, STYLES)
    alone, [values] = run(optimizer, [10], own, aims)
    np.testing.assert_allclose(alone.average[0], both.average[row], atol=2e-3)
    np.testing.assert_allclose(values['loss'][0], after['loss'][row], rtol=0.02)


def test_no_large_constant_is_compiled_in():
  step = transfer.stepper(ENCODER, TERMS, ADAM)
  state = transfer.init(ADAM, CONTENT)
  traced = jax.make_jaxpr(step)(state, ENCODER.params, AIMS, WEIGHTS, 0.9)
  assert all(np.size(constant) < 10 for constant in traced.consts)


def test_no_evaluation_is_inside_a_loop_or_a_condition():
  # There a convolution is several times slower on a CPU.
  step = transfer.stepper(ENCODER, TERMS, LBFGS)
  state = transfer.init(LBFGS, CONTENT)
  traced = jax.make_jaxpr(step)(state, ENCODER.params, AIMS, WEIGHTS, 0.9)

  assert 'conv_general_dilated' in str(traced)
  for equation in traced.jaxpr.eqns:
    if str(equation.primitive) in ('scan', 'while', 'cond'):
      assert 'conv_general_dilated' not in str(equation)


def test_what_is_resized_keeps_its_meaning():
  size = (11, 17)
  state, _ = run(ADAM, [5])
  flat = state.replace(
    average=jnp.full_like(state.average, 0.3),
    opt_state=jax.tree.map(
      lambda leaf: jnp.full_like(leaf, 5), state.opt_state
    ),
  )
  larger = transfer.resized(ADAM, flat, size)
  assert larger.params.shape == (2, *size, 3)
  np.testing.assert_allclose(larger.params, 0.3, rtol=1e-5)
  for leaf in jax.tree.leaves(larger.opt_state):
    assert leaf.shape in ((), (2, *size, 3))
    np.testing.assert_allclose(leaf, 5, rtol=1e-5)
  real = transfer.resized(ADAM, state, size)
  assert jnp.all(real.opt_state[0].nu >= 0)
  assert real.step == 0
  begun = transfer.resized(LBFGS, run(LBFGS, [5])[0], size)
  assert begun.opt_state.steps.shape == (2, 5, *size, 3)
  assert not jnp.any(begun.opt_state.rhos)


def test_reports_and_the_pure_function_agree():
  sides, steps = (8, 12), (3, 4)
  arguments = CONTENT, STYLES, sides, steps
  found = list(transfer.run(KEY, ENCODER, METHOD, *arguments, every=2))
  assert [(r.size, r.step, r.steps) for r in found] == [
    ((5, 8), 2, 7),
    ((5, 8), 3, 7),
    ((8, 12), 5, 7),
    ((8, 12), 7, 7),
  ]
  assert all(
    set(report.losses) == {'loss', 'content', 'style', 'variation'}
    and report.losses['style'].shape == (2,)
    for report in found
  )

  @jax.jit
  def pure(params, content, styles):
    encoder = ENCODER._replace(params=params)
    return transfer.transfer(
      KEY, encoder, METHOD, content, styles, sides, steps
    )

  pictures = pure(ENCODER.params, CONTENT, STYLES)
  np.testing.assert_allclose(found[-1].pictures, pictures, atol=1e-4)
  # The caller's pictures were not donated.
  assert np.isfinite(jnp.asarray(CONTENT)).all()


def test_a_picture_that_is_too_small_or_diverges_is_told():
  with pytest.raises(ValueError, match='toy needs at least 4 on each side'):
    next(transfer.run(KEY, ENCODER, METHOD, CONTENT, STYLES, [4], [1]))
  wild = METHOD._replace(weights=WEIGHTS | {'style': jnp.nan})
  with pytest.raises(FloatingPointError, match='Lower the learning rate'):
    next(transfer.run(KEY, ENCODER, wild, CONTENT, STYLES, [8], [1]))


def test_scalars_may_be_swept():
  def loss(learning_rate, weight, decay):
    method = transfer.Method(
      TERMS,
      WEIGHTS | {'style': weight},
      optimizers.adam(learning_rate),
      initial.noise,
      decay,
    )
    return transfer.transfer(
      KEY, ENCODER, method, CONTENT, STYLES, (8,), (2,)
    ).mean()

  rates = jnp.array([0.01, 0.1])
  swept = jax.jit(jax.vmap(loss))(rates, jnp.ones(2), jnp.zeros(2))
  assert swept[0] != swept[1]


@pytest.mark.parametrize(('loss', 'pixel'), [(np.nan, 0.5), (1.0, np.nan)])
def test_a_loss_or_a_picture_that_is_not_finite_is_an_error(loss, pixel):
  # The loss of a step is that before its update, which may break the picture.
  state = types.SimpleNamespace(average=jnp.full((1, 2, 2, 3), pixel))
  with pytest.raises(FloatingPointError, match='within 3 of 9 steps'):
    transfer._progress(state, {'loss': jnp.full(1, loss)}, 3, 9)


def test_a_style_that_is_too_small_is_enlarged_and_named():
  styles = [STYLES[0]._replace(mask=None)] * 2
  small = styles[1]._replace(picture=styles[1].picture[:, :2, :3])
  arguments = KEY, ENCODER, METHOD, CONTENT
  with pytest.warns(UserWarning, match='^Style 2 has 3x2 pixels and is enlar'):
    [progress] = transfer.run(*arguments, [styles[0], small], [12], [1])
  assert np.isfinite(progress.losses['loss']).all()


def test_a_content_that_would_be_too_small_is_told_which_size_works():
  wide = np.zeros((1, 10, 40, 3), np.float32)
  arguments = KEY, ENCODER, METHOD, wide, STYLES[:1]
  with pytest.raises(ValueError, match='The content would have 12x3 .* 16'):
    next(transfer.run(*arguments, [12], [1]))
  assert next(transfer.run(*arguments, [16], [1])).size == (4, 16)
