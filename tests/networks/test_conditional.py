"""Networks that take labels: oracles in which the labels cannot matter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from ganjax import labels, losses, priors, remedies
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import conditional, dcgan, mlp, stylegan
from ganjax.players import Discriminator, Generator

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


def test_a_class_beside_the_image_is_so_many_constant_channels():
  seen = []
  own = conditional.beside_images(
    Discriminator(
      init=lambda key, images: (images.shape, {}),
      apply=lambda params, buffers, images, key, train: (
        seen.append(images),
        buffers,
      ),
    ),
    CLASSES,
  )
  images = jax.random.normal(KEY, (4, 3, 3, 1))
  shape, _ = own.init(KEY, images, LABELS)
  assert shape == (4, 3, 3, 1 + CLASSES)
  own.apply({}, {}, images, None, True, LABELS)
  np.testing.assert_array_equal(seen[-1][..., :1], images)
  expected = np.eye(CLASSES)[np.asarray(LABELS)][:, None, None]
  np.testing.assert_array_equal(
    seen[-1][..., 1:], np.broadcast_to(expected, (4, 3, 3, CLASSES))
  )
  # A pack of two classes has a half of each.
  packed = remedies.pack(own, 2)
  packed.apply({}, {}, images, None, True, LABELS)
  np.testing.assert_array_equal(
    seen[-1][:, 0, 0, 2:], [[0.5, 0.5, 0], [0, 0.5, 0.5]]
  )


def test_learned_vectors_beside_latents_have_no_effect_at_first():
  plain = mlp.generator((2,), widths=(8,))
  own = conditional.embedded(plain, CLASSES)
  params, buffers = own.init(KEY, LATENTS, LABELS)

  def images(params, labels):
    given = params, buffers, LATENTS, None, True, labels
    return own.synthesis(*given[:2], own.mapping(*given)[0], *given[3:])[0]

  longer = jnp.pad(LATENTS, ((0, 0), (0, CLASSES)))
  alone, _ = plain.synthesis(params['network'], buffers, longer, None, True)
  for labels_ in (LABELS, LABELS[::-1]):
    np.testing.assert_array_equal(images(params, labels_), alone)
  # They are learned all the same, those of the classes that are there.
  slope = jax.grad(lambda params: images(params, LABELS % 2).sum())(params)
  moved = np.abs(slope['classes']['table']).max(1)
  assert (moved[:2] > 0).all()
  assert moved[2] == 0
  params = shaken(params)
  np.testing.assert_allclose(
    images(permuted(params), jnp.asarray(ORDER)[LABELS]),
    images(params, LABELS),
    atol=1e-6,
  )


def test_the_strength_is_a_factor_of_what_labels_add(critic):
  own, params, plain = critic
  params = shaken(params)

  def logits(network, params, *labels):
    return network.apply(params, {}, IMAGES, None, True, *labels)[0]

  def at(strength):
    return logits(conditional.scaled(own, CLASSES, strength), params, LABELS)

  alone = logits(plain, params['network'])
  np.testing.assert_array_equal(at(0.0), alone)
  np.testing.assert_array_equal(at(1.0), logits(own, params, LABELS))
  np.testing.assert_allclose(
    at(0.25), alone + (at(1.0) - alone) / 4, rtol=1e-5, atol=1e-6
  )
  packed = remedies.pack(conditional.scaled(own, CLASSES, 0.0), 2)
  params, _ = packed.init(KEY, IMAGES, LABELS)
  np.testing.assert_array_equal(
    logits(packed, params, LABELS),
    plain.apply(params['network'], {}, IMAGES.reshape(2, 4), None, True)[0],
  )


def test_a_generator_of_no_strength_does_not_know_the_class(generator):
  _, params = generator
  params = shaken(params)
  own = dcgan.generator(16, 1, width=4, classes=CLASSES)
  _, buffers = jax.eval_shape(own.init, KEY, LATENTS, LABELS)
  buffers = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), buffers)

  @jax.jit
  def images(strength, labels):
    network = conditional.scaled(own, CLASSES, strength)
    given = params, buffers, LATENTS, None, True, labels
    return network.synthesis(*given)[0]

  found = images(0.0, LABELS), images(0.0, LABELS[::-1])
  np.testing.assert_array_equal(*found)
  assert np.abs(images(0.5, LABELS) - found[0]).max() > 1e-3


def test_tables_that_begin_at_0_are_those_of_the_classes_alone(critic):
  own, params, _ = critic
  zeroed, _ = conditional.zeroed(own).init(KEY, IMAGES, LABELS)
  assert not zeroed['classes']['kernel'].any()
  jax.tree.map(
    np.testing.assert_array_equal, zeroed['network'], params['network']
  )
  bare = conditional.zeroed(
    conditional.concatenated(mlp.generator((2,), widths=(8,)), CLASSES)
  )
  with pytest.raises(
    ValueError, match='This generator has no table of classes'
  ):
    bare.init(KEY, LATENTS, LABELS)


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


# The optimal discriminator of Gaussian classes. Reals of class y are
# N(mu_y, S), and fakes N(0, T) whatever their class: the optimal logits are
# log p(x | y) - log q(x), of which only a linear function of x depends on y.
MEANS = np.array([[1.0, 0.5], [-0.8, 0.9], [0.2, -1.1]])
COVARIANCE = np.array([[0.8, 0.3], [0.3, 0.5]])
SPREAD = np.array([[1.5, 0.0], [0.4, 1.2]])  # T is its product with itself


def gaussian_game():
  """The game whose fakes ignore their labels, and whose critic is quadratic.

  Its own logits are a product with (x1^2, x1 x2, x2^2), and its features h are
  (x, 1), so that the linear function of x is that of the class vectors alone.
  """
  generator = Generator(
    init=lambda key, latents, labels: ({}, {}),
    mapping=lambda params, buffers, z, key, train, labels: (z, buffers),
    synthesis=lambda params, buffers, z, key, train, labels: (
      z @ SPREAD.T,
      buffers,
    ),
  )

  def with_features(params, buffers, points, key, train):
    x, y, one = points[:, 0], points[:, 1], jnp.ones(len(points))
    squares = jnp.stack([x * x, x * y, y * y], -1)
    return (squares @ params, jnp.stack([x, y, one], -1)), buffers

  discriminator = Discriminator(
    init=lambda key, points: (jnp.zeros(3), {}),
    apply=None,
    with_features=with_features,
  )
  return gan(
    generator,
    conditional.projected(discriminator, CLASSES),
    losses.non_saturating,
    priors.normal(2),
    fake_labels=labels.uniform(CLASSES),
  )


def test_class_vectors_of_gaussian_classes_reach_their_closed_form():
  number = 40_000
  classes = jnp.arange(number, dtype=jnp.int32) % CLASSES
  noise = jax.random.normal(KEY, (number, 2))
  points = MEANS[classes] + noise @ np.linalg.cholesky(COVARIANCE).T
  batch = Batch(jnp.asarray(points, jnp.float32), classes)
  game = gaussian_game()
  params, buffers = game.init(KEY)
  flat, restored = ravel_pytree(params.discriminator)

  # One key: the fakes and their labels are the same at each step.
  def value(flat):
    own = params._replace(discriminator=restored(flat))
    return game.discriminator(own, buffers, batch, KEY)[0]

  gradient = jax.jit(jax.grad(value))
  # Not jax.hessian: without the emitters of fusions, which tests turn off, XLA
  # compiles a scatter of several tangents wrongly.
  hessian = jax.jit(jax.jacrev(jax.grad(value)))
  for _ in range(8):
    curvature = hessian(flat)
    flat -= np.linalg.solve(curvature, gradient(flat))
  assert np.abs(gradient(flat)).max() < 1e-5
  inverse = np.linalg.inv(COVARIANCE)
  bias = -0.5 * np.einsum('cd,de,ce->c', MEANS, inverse, MEANS)
  optimal = np.c_[MEANS @ inverse, bias]
  # A maximum of likelihood: its errors are those of the sample.
  covariance = np.linalg.inv(number * curvature)
  found = np.asarray(restored(flat)['classes']['kernel'])
  for one, other in (0, 1), (1, 2), (2, 0):
    expected = optimal[one] - optimal[other]
    for coordinate in range(3):
      own = np.zeros((CLASSES, 3))
      own[[one, other], coordinate] = 1, -1
      contrast, _ = ravel_pytree(
        {'classes': {'kernel': own}, 'network': np.zeros(3)}
      )
      error = np.sqrt(contrast @ covariance @ contrast)
      difference = found[one, coordinate] - found[other, coordinate]
      assert error < 0.07
      assert abs(difference - expected[coordinate]) < 4 * error
