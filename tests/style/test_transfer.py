"""The optimisation of pictures, on an encoder of two small layers."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax.style import (
  initial,
  objective,
  optimizers,
  sizes,
  statistics,
  tiling,
  transfer,
  variation,
)

RANDOM = np.random.default_rng(0)
KEY = jax.random.key(0)


class Encoder(NamedTuple):
  """The fields of `ganjax.style.encoders.Encoder` that are looked at."""

  name: str
  params: Any
  apply: Callable
  layers: tuple
  smallest: int = 4


def toy():
  """Two convolutions with a mean of 2x2 pixels in between."""
  shapes = (3, 3, 3, 4), (3, 3, 4, 5)
  params = [
    RANDOM.normal(size=shape).astype(np.float32) / 5 for shape in shapes
  ]

  def apply(params, pictures, layers):
    found, x = {}, pictures - 0.5
    for layer, kernel in zip(('one', 'two'), params, strict=True):
      if found:
        x = jax.lax.reduce_window(
          x,
          np.zeros((), x.dtype),
          jax.lax.add,
          (1, 2, 2, 1),
          (1, 2, 2, 1),
          'VALID',
        )
      x = jax.lax.conv_general_dilated(
        x.astype(kernel.dtype),
        kernel,
        (1, 1),
        'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      )
      x = found[layer] = jax.nn.softplus(x)
    return {layer: found[layer] for layer in layers}

  return Encoder('toy', params, apply, ('one', 'two'))


ENCODER = toy()
TERMS = (
  objective.content_term(('two',)),
  objective.style_term({'one': 0.7, 'two': 0.3}),
  objective.variation_term(),
)
WEIGHTS = {'content': 0.1, 'style': 1.0, 'variation': 0.05}
METHOD = transfer.Method(TERMS, WEIGHTS)


def draw(*shape):
  return RANDOM.uniform(size=shape).astype(np.float32)


CONTENT = draw(2, 8, 12, 3)
STYLES = (
  objective.Exemplar(draw(1, 10, 9, 3) ** 2),
  objective.Exemplar(draw(1, 8, 8, 3) / 2, 3.0),
)


@functools.cache
def program(optimizer, number=1):
  step = transfer.stepper(ENCODER, TERMS, optimizer)
  return jax.jit(transfer.several(step, number))


ADAM = optimizers.adam(0.05, bounds=optimizers.UNIT)
LBFGS = optimizers.lbfgs(memory=5, bounds=optimizers.UNIT)
AIMS = jax.jit(functools.partial(objective.targets, ENCODER, TERMS))(
  ENCODER.params, CONTENT, STYLES
)


def run(optimizer, numbers, content=CONTENT, aims=AIMS, decay=0.9):
  state, seen = transfer.init(optimizer, content), []
  for number in numbers:
    state, values = program(optimizer, number)(
      state, ENCODER.params, aims, WEIGHTS, decay
    )
    seen.append(values)
  return state, seen


# The objective.


def test_losses_are_their_definitions():
  found = objective.losses(ENCODER, TERMS, ENCODER.params, CONTENT[::-1], AIMS)
  own, wanted = (
    ENCODER.apply(ENCODER.params, pictures, ENCODER.layers)
    for pictures in (CONTENT[::-1], CONTENT)
  )
  np.testing.assert_allclose(
    found['content'],
    statistics.relative_error(own['two'], wanted['two']),
    rtol=1e-5,
  )
  grams = [
    {
      layer: np.asarray(statistics.gram(features))
      for layer, features in ENCODER.apply(
        ENCODER.params, exemplar.picture, ENCODER.layers
      ).items()
    }
    for exemplar in STYLES
  ]
  expected = 0
  for layer, share in {'one': 0.7, 'two': 0.3}.items():
    mixed = grams[0][layer] / 4 + grams[1][layer] * 3 / 4
    difference = np.asarray(statistics.gram(own[layer])) - mixed
    expected += share * (difference**2).sum((1, 2)) / (mixed**2).sum()
  np.testing.assert_allclose(found['style'], expected, rtol=1e-4)
  np.testing.assert_allclose(
    found['variation'], variation.nine_point(CONTENT[::-1]), rtol=1e-6
  )


def test_each_half_is_like_its_own_style():
  ones = np.ones((1, 8, 12), np.float32)
  left = ones * (np.arange(12) < 6)
  terms = (objective.style_term((objective.PIXELS,)),)
  styles = [
    exemplar._replace(mask=mask)
    for exemplar, mask in zip(STYLES, (left, 1 - left), strict=True)
  ]

  def values(pictures, styles):
    aims = objective.targets(ENCODER, terms, (), CONTENT, styles)
    return objective.losses(ENCODER, terms, (), pictures, aims)['style']

  alone = [
    values(half, [exemplar])
    for half, exemplar in zip(
      (CONTENT[:, :, :6], CONTENT[:, :, 6:]), STYLES, strict=True
    )
  ]
  np.testing.assert_allclose(
    values(CONTENT, styles), alone[0] / 4 + alone[1] * 3 / 4, rtol=1e-5
  )
  np.testing.assert_allclose(
    values(CONTENT, [STYLES[0]._replace(mask=ones)]),
    values(CONTENT, STYLES[:1]),
    rtol=1e-5,
  )


def test_what_is_missing_is_told():
  terms = (objective.style_term(('three',)),)
  with pytest.raises(ValueError, match="toy has no layer 'three'; choose from"):
    objective.targets(ENCODER, terms, ENCODER.params, CONTENT, STYLES)
  with pytest.raises(ValueError, match='has no picture to resemble'):
    objective.targets(ENCODER, TERMS, ENCODER.params, CONTENT, ())


# Steps.


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
  first = transfer.stepper(ENCODER, TERMS, optimizer)
  state = transfer.init(optimizer, CONTENT)
  _, before = jax.jit(first)(state, ENCODER.params, AIMS, WEIGHTS, 0.9)
  both, [after] = run(optimizer, [10])
  assert jnp.all(after['loss'] < 0.8 * before['loss'])
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


# Tiles and half precision.


@pytest.mark.parametrize('shape', [(32, 48), (37, 21), (10, 50)])
def test_tiles_have_the_features_and_gradients_of_the_whole(shape):
  pictures = draw(2, *shape, 3)
  cut = tiling.tiled(ENCODER, core=16, halo=4)

  @functools.partial(jax.jit, static_argnums=0)
  def found(apply):
    def total(pictures):
      features = apply(ENCODER.params, pictures, ENCODER.layers)
      grams = [statistics.gram(values) for values in features.values()]
      return sum(jnp.sin(gram).sum() for gram in grams), features

    return jax.grad(total, has_aux=True)(pictures)

  for a, b in zip(
    jax.tree.leaves(found(cut.apply)),
    jax.tree.leaves(found(ENCODER.apply)),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_tiles_lie_on_the_grid():
  cut = tiling.tiled(ENCODER, core=15, halo=4)
  with pytest.raises(ValueError, match='multiples of 2, the grid'):
    cut.apply(ENCODER.params, CONTENT, ENCODER.layers)


def test_bfloat16_has_nearly_the_same_losses():
  narrow = tiling.cast(ENCODER)
  assert narrow.name == 'toy, bfloat16'
  exact, rough = (
    objective.losses(ENCODER, TERMS, params, CONTENT[::-1], AIMS)
    for params in (ENCODER.params, narrow.params)
  )
  for name, value in exact.items():
    assert rough[name].dtype == jnp.float32
    np.testing.assert_allclose(rough[name], value, rtol=0.05)


# Scales.


def test_sides_grow_by_the_root_of_two():
  assert sizes.sides(512) == (128, 181, 256, 362, 512)
  assert sizes.sides(100, 128) == (100,)
  assert sizes.sides(64, 16, 2) == (16, 32, 64)
  assert sizes.shape(857, 1280, 512) == (343, 512)
  with pytest.raises(ValueError, match='ratio of 1'):
    sizes.sides(512, 128, 1)


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


def test_starts_are_what_they_say():
  for start in initial.noise, initial.style_stats:
    pictures = start(KEY, CONTENT, STYLES)
    assert pictures.shape == CONTENT.shape
    assert jnp.all((pictures >= 0) & (pictures <= 1))
  large = jnp.zeros((1, 200, 200, 3))
  flat = (objective.Exemplar(jnp.full((1, 4, 4, 3), 0.4)),)
  np.testing.assert_allclose(
    initial.style_stats(KEY, large, flat), 0.4, atol=1e-3
  )
  soft = tuple(
    objective.Exemplar(0.4 + 0.1 * e.picture, e.weight) for e in STYLES
  )
  pixels = [np.asarray(e.picture).reshape(-1, 3) for e in soft]
  mean = pixels[0].mean(0) / 4 + pixels[1].mean(0) * 3 / 4
  found = initial.style_stats(KEY, large, soft)
  np.testing.assert_allclose(found.mean((0, 1, 2)), mean, atol=1e-3)
  found = initial.colors(KEY, CONTENT, soft[:1])
  np.testing.assert_allclose(
    found.mean((1, 2)), pixels[0].mean(0)[None].repeat(2, 0), atol=1e-3
  )
  start = initial.picture(CONTENT[:1])
  np.testing.assert_array_equal(start(KEY, CONTENT, STYLES)[1], CONTENT[0])
  assert start(KEY, large, STYLES).shape == large.shape


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
