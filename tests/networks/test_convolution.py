"""The three faces against one another, their definition and lax's own."""

import functools
import os
import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ganjax.networks.convolution import convolution, correlation, transposed

# kernel, stride, padding, height, width, channels in, channels out
CASES = {
  'dcgan': (4, 2, 1, 8, 8, 3, 5),
  'products': (4, 2, 1, 8, 4, 32, 33),
  'products, odd tiles': (4, 2, 1, 12, 12, 33, 32),
  'not a multiple of 4': (4, 2, 1, 6, 10, 32, 32),
  'rest': (4, 2, 1, 7, 9, 32, 32),
  'same': (3, 1, 1, 5, 6, 4, 3),
  'same, products': (3, 1, 1, 7, 6, 32, 33),
  'tiles, products': (2, 1, 1, 5, 6, 33, 32),
  'halved': (3, 2, 1, 8, 8, 2, 3),
  'seed': (4, 1, 0, 4, 4, 6, 2),
  'gaps': (2, 3, 0, 9, 7, 2, 2),
  'same, rest': (3, 1, 1, 5, 6, 15, 17),
  'halved, rest': (3, 2, 1, 8, 8, 15, 17),
  'gaps, rest': (2, 3, 0, 9, 7, 33, 34),
  'few features': (3, 1, 1, 5, 6, 33, 2),
  'few features, no border': (3, 1, 0, 5, 6, 33, 2),
  'a pixel': (1, 1, 0, 5, 6, 3, 4),
  'a pixel of two': (1, 2, 0, 5, 6, 3, 4),
}


@pytest.fixture
def x64():
  with jax.enable_x64(True):
    yield


def draw(case, dtype, batch=2):
  k, stride, padding, height, width, c, f = CASES[case]
  h, w = ((n + 2 * padding - k) // stride + 1 for n in (height, width))
  shapes = (batch, height, width, c), (k, k, c, f), (batch, h, w, f)
  random = np.random.default_rng(0)
  x, kernel, y = (jnp.asarray(random.normal(size=s), dtype) for s in shapes)
  return x, kernel, y, stride, padding


def define(x, kernel, stride, padding):
  """The definition: windows, gathered, times the kernel."""
  k = kernel.shape[0]
  x = jnp.pad(x, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
  rows, columns = (
    stride * np.arange((n - k) // stride + 1)[:, None] + np.arange(k)
    for n in x.shape[1:3]
  )
  windows = x[:, rows][:, :, :, columns]
  return jnp.einsum('nhiwjc,ijcf->nhwf', windows, kernel)


def faces(x, kernel, y, stride, padding):
  """Returns (face, arguments) and the same of the definition, for each face."""
  height, width = x.shape[1:3]
  size = kernel.shape[:2]

  def of_images(y, kernel):
    return jax.vjp(lambda x: define(x, kernel, stride, padding), x)[1](y)[0]

  def of_kernel(x, y):
    return jax.vjp(lambda w: define(x, w, stride, padding), kernel)[1](y)[0]

  return {
    'convolution': (
      lambda x, w: convolution(x, w, stride, padding),
      lambda x, w: define(x, w, stride, padding),
      (x, kernel),
    ),
    'transposed': (
      lambda y, w: transposed(y, w, stride, padding, (height, width)),
      of_images,
      (y, kernel),
    ),
    'correlation': (
      lambda x, y: correlation(x, y, stride, padding, size),
      of_kernel,
      (x, y),
    ),
  }


def derivatives(face):
  """Returns the gradients and the gradients of gradients as one function."""

  def gradients(*arguments):
    # Neither the sine nor the square is linear: no derivative vanishes.
    return jax.grad(lambda *a: jnp.sin(face(*a)).sum(), (0, 1))(*arguments)

  def bend(*arguments):
    found = gradients(*arguments)
    norm = sum(jnp.square(slope).sum() for slope in found)
    return norm / arguments[0].size, found

  return jax.grad(bend, (0, 1), has_aux=True)


def assert_close(actual, expected, tolerance):
  for a, b in zip(
    jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True
  ):
    assert a.dtype == b.dtype and a.shape == b.shape
    scale = float(jnp.abs(b).max())
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize('case', CASES)
def test_faces_equal_the_definition_and_are_one_form(x64, case):
  x, kernel, y, stride, padding = draw(case, jnp.float64)
  pairs = faces(x, kernel, y, stride, padding).values()

  @jax.jit
  def compute():
    return [[f(*arguments) for f in pair] for *pair, arguments in pairs]

  values = compute()
  for actual, expected in values:
    assert_close(actual, expected, 1e-10)
  (features, _), (images, _), (taps, _) = values
  form = jnp.vdot(features, y)
  np.testing.assert_allclose(jnp.vdot(images, x), form, rtol=1e-10)
  np.testing.assert_allclose(jnp.vdot(taps, kernel), form, rtol=1e-10)


@pytest.mark.parametrize('case', ['products', 'halved', 'same, products'])
def test_derivatives_equal_those_of_the_definition(x64, case):
  pairs = faces(*draw(case, jnp.float64, batch=1)).values()

  @jax.jit
  def compute():
    return [[derivatives(f)(*a) for f in pair] for *pair, a in pairs]

  for actual, expected in compute():
    assert_close(actual, expected, 1e-10)


def test_float32():
  pairs = faces(*draw('products', jnp.float32)).values()
  compute = jax.jit(lambda: [[f(*a) for f in pair] for *pair, a in pairs])
  for actual, expected in compute():
    assert_close(actual, expected, 1e-5)


def test_third_derivative(x64):
  x, kernel, _, stride, padding = draw('dcgan', jnp.float64, batch=1)

  def third(function):
    def along(x, order):
      if order == 0:
        return jnp.sin(function(x, kernel, stride, padding) / 9).sum()
      return jnp.sin(jax.grad(along)(x, order - 1)).sum()

    return jax.jit(jax.grad(lambda x: along(x, 2)))(x)

  assert_close(third(convolution), third(define), 1e-10)


@pytest.mark.parametrize('case', ['products', 'same'])
def test_transposed_is_conv_transpose_at_its_own_size(case):
  _, kernel, y, stride, padding = draw(case, jnp.float32)
  k = kernel.shape[0]
  expected = lax.conv_transpose(
    y,
    kernel,
    (stride, stride),
    [(k - 1 - padding, k - 1 - padding)] * 2,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    transpose_kernel=True,
  )
  actual = transposed(y, kernel, stride=stride, padding=padding)
  assert_close(actual, expected, 1e-5)


def test_bfloat16_is_kept_and_accumulated_in_float32():
  x, kernel, y, *rest = draw('products', jnp.bfloat16, batch=32)
  wide = (a.astype(jnp.float32) for a in (x, kernel, y))
  exact = faces(*wide, *rest)
  for name, (ours, _, arguments) in faces(x, kernel, y, *rest).items():
    actual = jax.jit(ours)(*arguments)
    assert actual.dtype == jnp.bfloat16
    _, definition, arguments = exact[name]
    expected = jax.jit(definition)(*arguments)
    # One rounding of the result, half a unit in the eighth bit, and no more.
    error = np.abs(np.asarray(actual, np.float32) - expected)
    assert np.all(error <= np.abs(expected) / 256 + 1e-4)


@pytest.mark.parametrize('case', ['products', 'same'])
def test_vmap_equals_loop(case):
  @jax.jit
  def compute():
    values = []
    for ours, _, arguments in faces(*draw(case, jnp.float32)).values():
      pairs = [jnp.stack([a, 1 - a, a / 2]) for a in arguments]
      loop = lax.map(lambda pair, face=ours: face(*pair), pairs)
      values.append((jax.vmap(ours)(*pairs), loop))
    return values

  for actual, expected in compute():
    assert_close(actual, expected, 1e-5)


def penalty(kernel, x):
  face = functools.partial(convolution, stride=2, padding=1)
  slope = jax.grad(lambda x: jnp.sin(face(x, kernel)).sum())(x)
  return jnp.square(slope).sum(), transposed(face(x, kernel), kernel, 2, 1)


SHARDED = """
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from tests.networks.test_convolution import draw, penalty
x, kernel, *_ = draw('products', 'float32', batch=8)
mesh = jax.sharding.Mesh(np.array(jax.devices('cpu')), ('data',))
split = NamedSharding(mesh, PartitionSpec('data'))
whole = NamedSharding(mesh, PartitionSpec())
step = jax.value_and_grad(penalty, has_aux=True)
jitted = jax.jit(step, in_shardings=(whole, split))
sharded = jitted.lower(kernel, x).compile()
text = sharded.as_text()
assert mesh.size == 4 and 'all-reduce' in text, text
assert 'all-gather' not in text and 'all-to-all' not in text, text
kernel, x = jax.device_put((kernel, x), (whole, split))
(value, images), slope = sharded(kernel, x)
kernel, x = jax.device_put((kernel, x), jax.devices('cpu')[0])
assert images.sharding.spec[0] == 'data', images.sharding
for a, b in zip(((value, images), slope), jax.jit(step)(kernel, x)):
  for a, b in zip(jax.tree.leaves(a), jax.tree.leaves(b)):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())
print('sharded')
"""


def test_sharded_batch_stays_sharded():
  flags = f'{os.environ["XLA_FLAGS"]} --xla_force_host_platform_device_count=4'
  done = subprocess.run(
    [sys.executable, '-c', SHARDED],
    env={**os.environ, 'XLA_FLAGS': flags, 'JAX_PLATFORMS': 'cpu'},
    cwd=pathlib.Path(__file__).resolve().parents[2],
    capture_output=True,
    text=True,
  )
  assert done.stdout.endswith('sharded\n'), done.stderr


def test_choice_follows_the_platform():
  x, kernel, *_ = draw('products', jnp.float32)
  face = jax.jit(lambda x, w: convolution(x, w, 2, 1)).trace(x, kernel)
  assert (
    'stablehlo.convolution'
    not in face.lower(lowering_platforms=('cpu',)).as_text()
  )
  assert (
    'stablehlo.convolution'
    in face.lower(lowering_platforms=('cuda',)).as_text()
  )


@pytest.mark.parametrize(
  'case', ['same, rest', 'halved, rest', 'gaps, rest', 'rest']
)
def test_on_a_cpu_all_derivatives_have_the_layout_that_is_fast(case):
  x, kernel, _, stride, padding = draw(case, jnp.float32)

  def total(x, kernel):
    return jnp.tanh(convolution(x, kernel, stride, padding)).sum()

  def penalty(x, kernel):
    return (jax.grad(total)(x, kernel) ** 2).sum()

  traced = jax.jit(jax.grad(penalty, argnums=(0, 1))).trace(x, kernel)
  text = traced.lower(lowering_platforms=('cpu',)).as_text()
  layouts = re.findall(r'dim_numbers = (\[.*?\]x\[.*?\]->\[.*?\])', text)
  assert len(layouts) >= 4
  assert set(layouts) == {'[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]'}
  assert 'reverse = [true' not in text
