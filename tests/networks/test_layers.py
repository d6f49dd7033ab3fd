"""Layers against NumPy: batch normalisation and statistics of the batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.networks.layers import (
  BatchNorm,
  MinibatchDiscrimination,
  MinibatchStd,
)

KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).normal(3, 2, (8, 2, 2, 3)).astype('f4')
SCALE, BIAS = np.float32([1, 2, -1]), np.float32([0, 1, 5])
VARIABLES = {
  'params': {'scale': SCALE, 'bias': BIAS},
  'batch_stats': {
    'mean': np.float32([1, 2, 3]),
    'variance': np.float32([4, 1, 9]),
  },
}


def normalize(images):
  """Images normalised by their own statistics, as numpy does it."""
  axes = tuple(range(images.ndim - 1))
  mean, variance = images.mean(axes), images.var(axes)
  return SCALE * (images - mean) / np.sqrt(variance + 1e-5) + BIAS


def train(norm, images):
  return norm.apply(VARIABLES, images, True, mutable=['batch_stats'])


def test_batch_norm_trains_on_the_batch_and_remembers_it():
  outputs, changed = train(BatchNorm(momentum=0.75), IMAGES)
  np.testing.assert_allclose(outputs, normalize(IMAGES), atol=1e-4)
  for name, batch in (
    ('mean', IMAGES.mean((0, 1, 2))),
    ('variance', IMAGES.var((0, 1, 2))),
  ):
    expected = 0.75 * VARIABLES['batch_stats'][name] + 0.25 * batch
    np.testing.assert_allclose(
      changed['batch_stats'][name], expected, rtol=1e-5
    )


def test_batch_norm_evaluates_by_what_it_remembers():
  outputs = BatchNorm().apply(VARIABLES, IMAGES, False)
  mean, variance = VARIABLES['batch_stats'].values()
  np.testing.assert_allclose(
    outputs,
    SCALE * (IMAGES - mean) / np.sqrt(variance + 1e-5) + BIAS,
    atol=1e-4,
  )


def test_ghost_batches_are_normalised_apart():
  outputs, changed = train(BatchNorm(groups=2), IMAGES)
  np.testing.assert_allclose(
    outputs,
    np.concatenate([normalize(IMAGES[:4]), normalize(IMAGES[4:])]),
    atol=1e-4,
  )
  # What is remembered is the mean of the groups' variances, not the whole's.
  parts = np.mean([IMAGES[:4].var((0, 1, 2)), IMAGES[4:].var((0, 1, 2))], 0)
  np.testing.assert_allclose(
    changed['batch_stats']['variance'],
    0.9 * VARIABLES['batch_stats']['variance'] + 0.1 * parts,
    rtol=1e-5,
  )


def test_ghost_batches_must_divide_the_batch():
  with pytest.raises(ValueError, match='A batch of 8 cannot be .* in 3 equal'):
    train(BatchNorm(groups=3), IMAGES)


def test_a_named_axis_shares_the_statistics_of_the_whole_batch():
  whole, remembered = train(BatchNorm(), IMAGES)
  parts, apart = jax.vmap(
    lambda images: train(BatchNorm(axis_name='devices'), images),
    axis_name='devices',
  )(IMAGES.reshape(4, 2, 2, 2, 3))
  np.testing.assert_allclose(parts.reshape(whole.shape), whole, atol=1e-5)
  for one, other in zip(
    jax.tree.leaves(apart), jax.tree.leaves(remembered), strict=True
  ):
    np.testing.assert_allclose(one, np.stack([other] * 4), rtol=1e-5)


def test_batch_norm_in_bfloat16_has_float32_statistics():
  images = jnp.asarray(IMAGES, jnp.bfloat16)
  outputs, changed = train(BatchNorm(dtype=jnp.bfloat16), images)
  assert outputs.dtype == jnp.bfloat16
  np.testing.assert_allclose(
    changed['batch_stats']['mean'],
    0.9 * VARIABLES['batch_stats']['mean']
    + 0.1 * np.asarray(images, 'f4').mean((0, 1, 2)),
    rtol=1e-5,
  )


def test_batch_norm_of_a_large_mean_is_that_of_its_deviations():
  # Of E[x^2] - E[x]^2, which is 1e-4 of 10^4, float32 leaves nothing.
  random = np.random.default_rng(0)
  images = np.float32(100 + 0.01 * random.normal(size=(64, 4, 4, 3)))
  away = images.astype('f8') - images.mean((0, 1, 2), dtype='f8')
  expected = SCALE * away / np.sqrt((away**2).mean((0, 1, 2)) + 1e-5) + BIAS
  outputs, changed = train(BatchNorm(momentum=0.0), images)
  np.testing.assert_allclose(outputs, expected, atol=2e-2)
  np.testing.assert_allclose(
    changed['batch_stats']['variance'], (away**2).mean((0, 1, 2)), rtol=1e-3
  )


def test_derivatives_of_batch_norm_are_those_of_the_definition():
  # First and second, through the mean and the variance.
  def ours(images):
    return (train(BatchNorm(), images)[0] ** 3).sum()

  def defined(images):
    mean = images.mean((0, 1, 2))
    variance = ((images - mean) ** 2).mean((0, 1, 2))
    outputs = (images - mean) / jnp.sqrt(variance + 1e-5)
    return ((SCALE * outputs + BIAS) ** 3).sum()

  def derivatives(function):
    first = jax.grad(function)
    along = jnp.linspace(-1, 1, IMAGES.size).reshape(IMAGES.shape)
    return first(IMAGES), jax.jvp(first, (jnp.asarray(IMAGES),), (along,))[1]

  for found, expected in zip(*map(derivatives, (ours, defined)), strict=True):
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)


def test_batch_norm_of_a_constant_channel_is_finite():
  images = np.full((7, 3, 3, 3), 1000.1, np.float32)
  outputs, changed = train(BatchNorm(), images)
  assert np.isfinite(outputs).all()
  assert (changed['batch_stats']['variance'] >= 0).all()


def test_batch_norm_leaves_the_buffers_that_it_is_given_alone():
  before = jax.tree.map(np.copy, VARIABLES)
  train(BatchNorm(), IMAGES)
  jax.tree.map(np.testing.assert_array_equal, VARIABLES, before)


def deviation(group):
  """What MinibatchStd appends to each of a group's examples, by numpy."""
  return np.sqrt(group.var(0) + 1e-8).mean()


@pytest.mark.parametrize('shape', [(8, 12), (8, 2, 2, 3)])
@pytest.mark.parametrize(('group', 'size'), [(4, 4), (2, 2), (None, 8), (9, 8)])
def test_minibatch_std_is_the_mean_deviation_of_the_group(shape, group, size):
  features = IMAGES.reshape(shape)
  outputs = MinibatchStd(group).apply({}, features)
  np.testing.assert_array_equal(outputs[..., :-1], features)
  for start in range(0, 8, size):
    rows = slice(start, start + size)
    np.testing.assert_allclose(
      outputs[rows, ..., -1],
      np.full((size, *shape[1:-1]), deviation(features[rows])),
      rtol=1e-5,
    )


def test_minibatch_std_of_a_collapsed_batch_has_finite_derivatives():
  def extra(features):
    return MinibatchStd().apply({}, features)[:, -1].sum()

  np.testing.assert_allclose(extra(jnp.ones((4, 3))), 4e-4, rtol=1e-5)
  twice = jax.jit(jax.grad(lambda x: (jax.grad(extra)(x) ** 2).sum()))
  gradients = twice(jnp.ones((4, 3)))
  assert np.isfinite(gradients).all()


def test_minibatch_std_refuses_a_group_that_does_not_divide_the_batch():
  with pytest.raises(ValueError, match='A batch of 8 cannot be .* groups of 3'):
    MinibatchStd(3).apply({}, IMAGES)


def closeness(features, kernel):
  """The sums over the other examples of minibatch discrimination, by numpy."""
  rows, (kernels, size) = len(features), (4, 3)
  compared = np.einsum('nf,fk->nk', features, kernel)
  compared = compared.reshape(rows, kernels, size)
  sums = np.zeros((rows, kernels))
  for i in range(rows):
    for j in set(range(rows)) - {i}:
      sums[i] += np.exp(-np.abs(compared[i] - compared[j]).sum(-1))
  return sums


def test_minibatch_discrimination_sums_over_the_other_examples():
  layer = MinibatchDiscrimination(kernels=4, size=3)
  features = IMAGES.reshape(8, 12) / 8
  kernel = np.random.default_rng(1).normal(size=(12, 12)).astype('f4') / 2
  (drawn,) = jax.tree.leaves(layer.init(KEY, features))
  assert drawn.shape == kernel.shape
  variables = {'params': {'Dense_0': {'kernel': kernel}}}

  @jax.jit
  def both(features):
    outputs = layer.apply(variables, features)
    return outputs, jax.grad(
      lambda features: layer.apply(variables, features)[:, 12:].sum()
    )(features)

  outputs, gradients = both(features)
  np.testing.assert_array_equal(outputs[:, :12], features)
  np.testing.assert_allclose(
    outputs[:, 12:], closeness(features, kernel), rtol=1e-4
  )
  h = 1e-5
  for i, j in ((0, 0), (3, 7)):
    there = np.zeros((8, 12))
    there[i, j] = h
    ends = (closeness(features + s * there, kernel).sum() for s in (1, -1))
    np.testing.assert_allclose(
      gradients[i, j], np.subtract(*ends) / (2 * h), rtol=1e-3
    )


def test_minibatch_discrimination_begins_with_columns_of_norm_1():
  params = MinibatchDiscrimination().init(KEY, jnp.zeros((2, 400)))
  (kernel,) = jax.tree.leaves(params)
  assert kernel.shape == (400, 500)
  norms = np.linalg.norm(kernel, axis=0)
  np.testing.assert_allclose(norms, 1, atol=0.2)


def test_minibatch_discrimination_does_not_hold_all_pairs_at_once():
  layer = MinibatchDiscrimination()
  features = jax.ShapeDtypeStruct((512, 128), jnp.float32)
  params = jax.eval_shape(layer.init, KEY, features)
  gradients = jax.grad(lambda *both: layer.apply(*both).sum(), (0, 1))
  memory = (
    jax.jit(gradients).lower(params, features).compile().memory_analysis()
  )
  # Of all kernels, the differences alone would be 524 MB.
  assert memory.temp_size_in_bytes < 60e6
