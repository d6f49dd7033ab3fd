"""Auxiliary heads: what each player minimises, and what cannot matter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import auxiliary, labels, losses, priors, remedies
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import conditional, mlp
from ganjax.players import Discriminator, Generator, Pair

KEY = jax.random.key(0)
CLASSES, SIZE = 3, 4
LABELS = jnp.int32([0, 1, 2, 1, 0, 2])
OTHERS = jnp.int32([2, 2, 1, 0, 1, 0])
ORDER = np.array([2, 0, 1])  # class c is now called ORDER[c]
POINTS = jax.random.normal(jax.random.key(1), (6, 2))
KINDS = {
  'acgan': auxiliary.acgan(),
  'acgan of both': auxiliary.acgan(0.7, fakes=True),
  'tacgan': auxiliary.tacgan(),
  'adcgan': auxiliary.adcgan(2.0),
  'contragan': auxiliary.contragan(size=SIZE),
  'reacgan': auxiliary.reacgan(size=SIZE),
}


def entropy(rows, targets):
  """The cross-entropies of rows of logits, in float64."""
  rows = np.float64(rows)
  own = rows[np.arange(len(rows)), targets]
  return np.log(np.exp(rows).sum(1)) - own


def classified(*names):
  """Outputs of classifiers, and their logits in float64."""
  return {
    name: jax.random.normal(jax.random.key(number), (6, CLASSES))
    for number, name in enumerate(names)
  }


def test_the_auxiliary_classifier_learns_reals_and_teaches_the_generator():
  outputs = classified('classes')
  expected = entropy(outputs['classes'], LABELS)
  for kind, weight, of_fakes in (
    (auxiliary.acgan(), 1, 0),
    (auxiliary.acgan(0.7, fakes=True), 0.7, 0.7),
  ):
    for found, factor in (
      (kind.real, weight),
      (kind.fake, of_fakes),
      (kind.generator, weight),
    ):
      np.testing.assert_allclose(
        found(outputs, LABELS), factor * expected, rtol=1e-5
      )


def test_the_twin_learns_the_fakes_and_is_what_the_generator_plays_against():
  outputs, kind = classified('classes', 'twin'), auxiliary.tacgan()
  own, twin = (entropy(outputs[name], LABELS) for name in outputs)
  np.testing.assert_allclose(kind.real(outputs, LABELS), own, rtol=1e-5)
  np.testing.assert_allclose(kind.fake(outputs, LABELS), twin, rtol=1e-5)
  np.testing.assert_allclose(
    kind.generator(outputs, LABELS), own - twin, atol=1e-5
  )


def test_twins_that_agree_leave_the_generator_alone():
  outputs, kind = classified('classes'), auxiliary.tacgan()
  gradient = jax.grad(
    lambda own: kind.generator({'classes': own, 'twin': own}, LABELS).sum()
  )(outputs['classes'])
  np.testing.assert_allclose(gradient, 0, atol=1e-7)


def test_the_discriminative_classifier_has_two_classes_for_each():
  kind = auxiliary.adcgan()
  logits = jax.random.normal(KEY, (6, 2 * CLASSES))
  outputs = {'classes': logits}
  real, fake = (entropy(logits, 2 * LABELS + k) for k in (0, 1))
  np.testing.assert_allclose(kind.real(outputs, LABELS), real, rtol=1e-5)
  np.testing.assert_allclose(kind.fake(outputs, LABELS), fake, rtol=1e-5)
  # The logarithms of the sum cancel: what is left is a difference of logits.
  numbers = np.arange(6), 2 * np.asarray(LABELS)
  left = logits[numbers[0], numbers[1] + 1] - logits[numbers]
  np.testing.assert_allclose(
    kind.generator(outputs, LABELS), left, rtol=1e-5, atol=1e-6
  )


def test_embeddings_are_learned_from_reals_alone():
  outputs = {
    'embeddings': jax.random.normal(KEY, (6, SIZE)),
    'proxies': jax.random.normal(jax.random.key(3), (CLASSES, SIZE)),
  }
  for name, weight, loss in (
    ('contragan', 1, auxiliary.conditional_contrastive),
    ('reacgan', 0.5, auxiliary.data_to_data_cross_entropy),
  ):
    kind = KINDS[name]
    expected = weight * loss(*outputs.values(), LABELS)
    np.testing.assert_allclose(kind.real(outputs, LABELS), expected)
    np.testing.assert_allclose(kind.generator(outputs, LABELS), expected)
    np.testing.assert_array_equal(kind.fake(outputs, LABELS), np.zeros(6))


@pytest.mark.parametrize('name', KINDS)
def test_heads_begin_with_outputs_of_the_size_of_their_features(name):
  features = jax.random.normal(KEY, (400, 64))
  kind = KINDS[name]
  # Many classes, for logits of one class depend on one vector.
  outputs = kind.outputs(kind.init(KEY, 50, 64), features)
  outputs.pop('proxies', None)
  for own in outputs.values():
    np.testing.assert_allclose(own.std(), 1, rtol=0.15)


def headed(name, wrap=lambda network: network):
  """A discriminator with the heads of a kind, and the one without."""
  plain = mlp.discriminator(widths=(8,))
  return wrap(conditional.with_heads(plain, KINDS[name], CLASSES)), plain


def played(name, strength=1.0, wrap=lambda network: network):
  """The game of a kind, whose fakes have the classes of the reals."""
  added = auxiliary.terms(KINDS[name], strength)
  discriminator, _ = headed(name, wrap)
  return gan(
    conditional.concatenated(mlp.generator((2,), widths=(8,)), CLASSES),
    discriminator,
    losses.non_saturating,
    priors.normal(2),
    Pair(*({'aux': term} for term in added)),
    labels.paired(),
  )


def permuted(tree):
  """The tree with the rows of its tables in another order of the classes."""

  def permute(path, leaf):
    words = jax.tree_util.keystr(path)
    tables = "'classes'" in words or "'twin'" in words
    return jnp.zeros_like(leaf).at[ORDER].set(leaf) if tables else leaf

  return jax.tree_util.tree_map_with_path(permute, tree)


@pytest.mark.parametrize('name', KINDS)
def test_classes_and_their_tables_may_change_places(name):
  kind, (judge, _) = KINDS[name], headed(name)
  params, _ = judge.init(KEY, POINTS, LABELS)

  def values(params, own):
    (_, shown), _ = judge.with_features(params, {}, POINTS, None, True, own)
    return [
      role(shown.outputs, own)
      for role in (kind.real, kind.fake, kind.generator)
    ]

  found = values(permuted(params), jnp.asarray(ORDER)[LABELS])
  expected = values(params, LABELS)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
  # It is not that labels do not matter.
  moved = values(params, jnp.asarray(ORDER)[LABELS])
  assert np.abs(np.subtract(moved, expected)).max() > 1e-3


@pytest.mark.parametrize('name', KINDS)
def test_logits_are_the_unconditional_ones_to_the_bit(name):
  judge, plain = headed(name)
  params, buffers = judge.init(KEY, POINTS, LABELS)
  alone, _ = plain.apply(params['network'], buffers, POINTS, None, True)
  for own in (LABELS, OTHERS):
    found, _ = judge.apply(params, buffers, POINTS, None, True, own)
    np.testing.assert_array_equal(found, alone)
    (found, shown), _ = judge.with_features(
      params, buffers, POINTS, None, True, own
    )
    np.testing.assert_array_equal(found, alone)
    assert shown.features.shape == (6, 8)


@pytest.mark.parametrize('name', ['acgan of both', 'tacgan', 'reacgan'])
def test_both_players_minimise_their_terms_at_their_own_labels(name):
  game, kind = played(name, 0.25), KINDS[name]
  judge, _ = headed(name)
  params, buffers = game.init(KEY)
  batch = Batch(POINTS, LABELS)
  fakes = game.fake(params, buffers, jnp.ones((6, 2)), KEY, OTHERS)

  def outputs(own, images, classes):
    (_, shown), _ = judge.with_features(own, {}, images, None, True, classes)
    return shown.outputs

  def expected(own):
    shown = outputs(own, fakes.images, OTHERS)
    real = kind.real(outputs(own, POINTS, LABELS), LABELS)
    critic = 0.25 * (real + kind.fake(shown, OTHERS)).mean()
    return critic, 0.25 * kind.generator(shown, OTHERS).mean()

  def term(player, own):
    both = params._replace(discriminator=own)
    value, (_, metrics) = getattr(game, player)(
      both, buffers, batch, KEY, fakes
    )
    assert value.shape == ()
    return metrics['regularizer/aux']

  own = params.discriminator
  for number, player in enumerate(('discriminator', 'generator')):
    found, slope = jax.value_and_grad(lambda own, of=player: term(of, own))(own)
    value, gradient = jax.value_and_grad(
      lambda own, number=number: expected(own)[number]
    )(own)
    np.testing.assert_allclose(found, value, rtol=1e-5)
    jax.tree.map(
      lambda one, other: np.testing.assert_allclose(
        one, other, rtol=1e-4, atol=1e-6
      ),
      slope,
      gradient,
    )


def test_the_generator_learns_through_the_heads():
  game = played('acgan')
  params, buffers = game.init(KEY)
  batch = Batch(POINTS, LABELS)

  def term(own):
    both = params._replace(generator=own)
    _, (_, metrics) = game.generator(both, buffers, batch, KEY)
    return metrics['regularizer/aux']

  slopes = jax.tree.leaves(jax.grad(term)(params.generator))
  assert all(np.abs(own).max() > 0 for own in slopes)


def test_heads_are_divided_by_their_own_spectral_norms():
  # A table of two rows for each class is one matrix of all rows.
  judge, _ = headed('adcgan', remedies.spectral)
  params, buffers = judge.init(KEY, POINTS, LABELS)
  for _ in range(300):  # the power iteration converges
    (_, shown), buffers = judge.with_features(
      params, buffers, POINTS, None, True, LABELS
    )
  rows = np.reshape(params['heads']['classes']['kernel'], (2 * CLASSES, 8))
  (_, shown), _ = judge.with_features(
    params, buffers, POINTS, None, False, LABELS
  )
  np.testing.assert_allclose(
    shown.outputs['classes'],
    shown.features @ (rows / np.linalg.norm(rows, 2)).T,
    rtol=1e-3,
    atol=1e-5,
  )


WRAPPERS = {
  'spectral': remedies.spectral,
  'instance noise': lambda network: remedies.instance_noise(network, 0.1),
  'augmented': lambda network: remedies.augmented(
    network, lambda images, key, p: images + p, 0.5
  ),
}


@pytest.mark.parametrize('wrap', WRAPPERS.values(), ids=WRAPPERS)
def test_heads_pass_through_every_wrapper_of_a_discriminator(wrap):
  game = played('tacgan', wrap=wrap)

  def values(key):
    params, buffers = game.init(key)
    batch = Batch(POINTS, LABELS)
    return [
      getattr(game, player)(params, buffers, batch, key)[1][1]
      for player in ('generator', 'discriminator')
    ]

  # Traced and not compiled.
  for metrics in jax.eval_shape(values, KEY):
    assert 'regularizer/aux' in metrics


def test_what_has_no_single_class_is_refused_in_a_sentence():
  game = played('acgan', wrap=lambda network: remedies.pack(network, 2))
  params, buffers = game.init(KEY)
  with pytest.raises(ValueError, match='3 packs of 6 images, .* set pack to 1'):
    game.discriminator(params, buffers, Batch(POINTS, LABELS), KEY)


def test_a_game_without_labels_or_heads_is_refused_in_a_sentence():
  generator = mlp.generator((2,), widths=(8,))
  added = auxiliary.terms(KINDS['acgan'])
  common = losses.non_saturating, priors.normal(2)
  terms = Pair({}, {'aux': added.discriminator})
  judge, plain = headed('acgan')
  game = gan(generator, judge, *common, terms)
  params, buffers = game.init(KEY)
  with pytest.raises(
    ValueError, match='this game is unconditional; give `gan`'
  ):
    game.discriminator(params, buffers, Batch(POINTS), KEY)

  def alone(*given):
    return plain.apply(*given[:-1])

  headless = gan(
    Generator(
      init=lambda key, latents, own: ({}, {}),
      mapping=lambda params, buffers, z, key, train, own: (z, buffers),
      synthesis=lambda params, buffers, z, key, train, own: (z, buffers),
    ),
    Discriminator(
      init=lambda key, images, own: plain.init(key, images),
      apply=alone,
      with_features=lambda *given: plain.with_features(*given[:-1]),
    ),
    *common,
    terms,
    labels.paired(),
  )
  params, buffers = headless.init(KEY)
  with pytest.raises(ValueError, match='no auxiliary heads to .*with_heads'):
    headless.discriminator(params, buffers, Batch(POINTS, LABELS), KEY)
  blind = conditional.with_heads(
    Discriminator(plain.init, plain.apply), KINDS['acgan'], CLASSES
  )
  with pytest.raises(ValueError, match='no features, .* auxiliary heads take'):
    blind.init(KEY, POINTS, LABELS)
