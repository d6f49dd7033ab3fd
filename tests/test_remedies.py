"""Spectral normalisation against numpy's singular values and their gradient."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import remedies
from ganjax.networks import dcgan, mlp

KEY = jax.random.key(0)

# The network, its function that takes examples, and the examples' shape.
NETWORKS = {
  'dense discriminator': (mlp.discriminator(widths=(12,)), 'apply', (2, 5)),
  'conv discriminator': (
    dcgan.discriminator(16, channels=1, width=3),
    'apply',
    (2, 16, 16, 1),
  ),
  'conv generator': (
    dcgan.generator(16, channels=1, width=3),
    'synthesis',
    (2, 4),
  ),
}


def kernels(params):
  return {
    jax.tree_util.keystr(path): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    if path[-1].key == 'kernel'
  }


@pytest.fixture(scope='module', params=NETWORKS)
def settled(request):
  """A normalised network after many passes; it returns the params it sees."""
  network, function, shape = NETWORKS[request.param]
  echo = remedies.spectral(
    network._replace(
      **{function: lambda params, buffers, *_: (params, buffers)}
    )
  )
  run, examples = getattr(echo, function), jax.random.normal(KEY, shape)

  @jax.jit
  def settle(key):
    params, buffers = echo.init(key, examples)
    trained, _ = jax.lax.scan(
      lambda buffers, _: (run(params, buffers, examples, None, True)[1], None),
      buffers,
      length=2000,
    )
    seen, evaluated = run(params, trained, examples, None, False)
    return {
      'params': params,
      'before': buffers,
      'trained': trained,
      'seen': seen,
      'evaluated': evaluated,
    }

  return SimpleNamespace(
    network=network,
    function=function,
    examples=examples,
    run=run,
    **settle(KEY),
  )


def test_kernels_are_divided_by_their_largest_singular_value(settled):
  seen = kernels(settled.seen)
  assert len(seen) >= 2
  for name, kernel in kernels(settled.params).items():
    matrix = np.asarray(kernel).reshape(-1, kernel.shape[-1])
    value = np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(seen[name], kernel / value, rtol=1e-3)


def test_what_is_not_a_kernel_is_left_alone(settled):
  raw = jax.tree_util.tree_leaves_with_path(settled.params)
  for (path, leaf), seen in zip(
    raw, jax.tree.leaves(settled.seen), strict=True
  ):
    assert path[-1].key == 'kernel' or (leaf == seen).all()


def test_only_training_moves_the_vectors(settled):
  jax.tree.map(
    np.testing.assert_array_equal, settled.trained, settled.evaluated
  )
  for name, vector in settled.trained['spectral'].items():
    moved = vector - settled.before['spectral'][name]
    assert vector.size == 1 or np.abs(moved).max() > 1e-3


def test_the_gradient_is_that_of_the_divided_kernel(settled):
  rng = np.random.default_rng(0)
  weights = {
    name: rng.normal(size=kernel.shape)
    for name, kernel in kernels(settled.params).items()
  }

  def by_iteration(params):
    seen, _ = settled.run(params, settled.trained, settled.examples, None, True)
    return kernels(seen)

  def by_decomposition(params):
    return {
      name: kernel
      / jnp.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), ord=2)
      for name, kernel in kernels(params).items()
    }

  def slopes(divided):
    def inner(params):
      return sum(
        jnp.vdot(weights[name], kernel)
        for name, kernel in divided(params).items()
      )

    return kernels(jax.grad(inner)(settled.params))

  ours, theirs = jax.jit(
    lambda: (slopes(by_iteration), slopes(by_decomposition))
  )()
  for name, slope in theirs.items():
    np.testing.assert_allclose(
      ours[name], slope, rtol=1e-2, atol=1e-2 * jnp.abs(slope).max()
    )


def test_the_network_runs_with_the_divided_kernels(settled):
  wrapped = remedies.spectral(settled.network)
  assert type(wrapped) is type(settled.network)
  ours, expected = jax.jit(
    lambda examples: [
      getattr(network, settled.function)(
        params, buffers, examples, None, False
      )[0]
      for network, params, buffers in (
        (wrapped, settled.params, settled.trained),
        (settled.network, settled.seen, settled.trained['network']),
      )
    ]
  )(settled.examples)
  np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
