"""Networks that take labels: oracles in which the labels cannot matter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import remedies
from ganjax.networks import conditional, dcgan, mlp, stylegan

KEY = jax.random.key(0)
CLASSES, ORDER = 3, np.array([2, 0, 1])
LABELS = jnp.int32([0, 1, 2, 1])
LATENTS = jax.random.normal(KEY, (4, 5))
IMAGES = jax.random.normal(jax.random.key(1), (4, 2))


def permuted(tree):
  """The tree with the rows of its tables in another order of the classes."""

  def permute(path, leaf):
    words = jax.tree_util.keystr(path)
    if 'class' not in words:
      return leaf
    return jnp.zeros_like(leaf).at[ORDER].set(leaf)

  return jax.tree_util.tree_map_with_path(permute, tree)


def shaken(tree):
  """The tree with other values, so that no table is all zeros."""
  leaves, structure = jax.tree.flatten(tree)
  return jax.tree.unflatten(
    structure,
    [
      leaf
      + 0.1 * jax.random.normal(jax.random.fold_in(KEY, number), leaf.shape)
      for number, leaf in enumerate(leaves)
    ],
  )


@pytest.fixture(scope='module')
def generator():
  """A DCGAN's `(params, labels, classes) -> images`, and its parameters."""
  own = dcgan.generator(16, 1, width=4, classes=CLASSES)
  params, buffers = jax.jit(own.init)(KEY, LATENTS, LABELS)

  @jax.jit
  def images(params, labels):
    return own.synthesis(params, buffers, LATENTS, None, True, labels)[0]

  return images, params


def test_classes_and_their_tables_may_change_places(generator):
  images, params = generator
  params = shaken(params)
  # Class c is now called ORDER[c].
  found = images(permuted(params), jnp.asarray(ORDER)[LABELS])
  np.testing.assert_allclose(found, images(params, LABELS), atol=1e-6)
  assert np.abs(found - images(params, LABELS[::-1])).max() > 1e-3


def test_tables_of_zeros_are_the_unconditional_network_to_the_bit(generator):
  images, params = generator
  plain = dcgan.generator(16, 1, width=4)
  without, buffers = jax.jit(plain.init)(KEY, LATENTS)
  tables = {'class_scale', 'class_bias'}
  norms = {
    name: {key: leaf for key, leaf in own.items() if key not in tables}
    for name, own in params.items()
  }
  jax.tree.map(np.testing.assert_array_equal, norms, without)
  np.testing.assert_array_equal(
    images(params, LABELS),
    jax.jit(plain.synthesis, static_argnums=4)(
      without, buffers, LATENTS, None, True
    )[0],
  )


@pytest.fixture(scope='module')
def critic():
  """A conditional discriminator, its parameters, and what it was made from."""
  plain = mlp.discriminator(widths=(8,))
  own = conditional.projected(plain, CLASSES)
  return own, own.init(KEY, IMAGES, LABELS)[0], plain


def test_a_projection_adds_the_product_of_features_and_class(critic):
  own, params, plain = critic
  params = shaken(params)
  ((logits, features), _), (found, _) = (
    plain.with_features(params['network'], {}, IMAGES, None, True),
    own.apply(params, {}, IMAGES, None, True, LABELS),
  )
  vectors = np.asarray(params['classes']['kernel'])[LABELS]
  expected = logits + np.einsum('nd,nd->n', features, vectors)
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  moved = own.apply(
    permuted(params), {}, IMAGES, None, True, jnp.asarray(ORDER)[LABELS]
  )
  np.testing.assert_allclose(moved[0], found, rtol=1e-6)


def test_a_projection_on_zeros_is_the_network_alone_to_the_bit(critic):
  own, params, plain = critic
  params = params | {'classes': jax.tree.map(jnp.zeros_like, params['classes'])}
  np.testing.assert_array_equal(
    own.apply(params, {}, IMAGES, None, True, LABELS)[0],
    plain.apply(params['network'], {}, IMAGES, None, True)[0],
  )


def test_spectral_normalisation_bounds_the_projection_as_one_matrix(critic):
  own, params, _ = critic
  bounded = remedies.spectral(own)
  params, buffers = bounded.init(KEY, IMAGES, LABELS)
  params = shaken(params)
  for _ in range(200):  # the power iteration converges
    _, buffers = bounded.apply(params, buffers, IMAGES, None, True, LABELS)
  divided = jax.tree.map(
    lambda leaf: leaf / np.linalg.norm(leaf, 2) if leaf.ndim == 2 else leaf,
    params,
  )
  np.testing.assert_allclose(
    bounded.apply(params, buffers, IMAGES, None, False, LABELS)[0],
    own.apply(divided, {}, IMAGES, None, False, LABELS)[0],
    rtol=1e-4,
  )


def test_the_class_of_a_pack_is_the_mean_of_its_labels(critic):
  _, _, plain = critic
  packed = remedies.pack(conditional.projected(plain, CLASSES), 2)
  params, buffers = packed.init(KEY, IMAGES, LABELS)
  params = shaken(params)
  logits, _ = packed.apply(params, buffers, IMAGES, None, True, LABELS)
  alone, features = plain.with_features(
    params['network'], {}, IMAGES.reshape(2, 4), None, True
  )[0]
  kernel = np.asarray(params['classes']['kernel'])
  vectors = (kernel[LABELS[::2]] + kernel[LABELS[1::2]]) / 2
  np.testing.assert_allclose(
    logits, alone + (features * vectors).sum(1), rtol=1e-5
  )


def test_labels_beside_latents_have_their_size():
  beside = conditional.with_classes(LATENTS, LABELS, CLASSES)
  assert beside.shape == (4, 5 + CLASSES)
  np.testing.assert_array_equal(beside[:, :5], LATENTS)
  # Of mean square 1, as that of the latents.
  np.testing.assert_allclose(np.mean(beside[:, 5:] ** 2, 1), 1, rtol=1e-6)
  np.testing.assert_array_equal(beside[:, 5:].argmax(1), LABELS)


def test_mixed_styles_keep_the_class():
  own = stylegan.generator(
    8, 1, style=4, depth=1, mixing=1.0, base=8, max_channels=4, classes=CLASSES
  )
  params, buffers = own.init(KEY, LATENTS, LABELS)
  # A mapping of the labels alone, up to the norm of the latents.
  params['mapping']['dense0']['kernel'] = (
    params['mapping']['dense0']['kernel'].at[:5].set(0)
  )
  styles, _ = own.mapping(params, buffers, LATENTS, KEY, True, LABELS)
  directions = styles / np.linalg.norm(styles, axis=-1, keepdims=True)
  expected = np.broadcast_to(directions[:, :1], directions.shape)
  np.testing.assert_allclose(directions, expected, atol=1e-6)
  assert np.abs(directions[0] - directions[1]).max() > 0.1
