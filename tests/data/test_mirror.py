"""Mirroring: coins that are fair, alone, and a function of key and position."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.data import images, order

KEY = jax.random.key(7)
coins = jax.jit(order.coins, static_argnums=2)
SIZE = 2**16


@pytest.fixture(scope='module')
def tossed():
  """Coins of several keys and stretches of a run, [8, SIZE]."""
  found = [
    coins(jax.random.key(seed), first, SIZE)
    for seed in (0, 1, 2**31 + 1, 12345)
    for first in (0, np.uint32(3_000_000_000))
  ]
  assert found[0].dtype == bool
  return np.asarray(found)


def chi_square(counts):
  expected = counts.sum() / len(counts)
  return np.sum((counts - expected) ** 2) / expected


def test_a_coin_is_fair_and_independent_of_its_neighbours(tossed):
  for run in tossed:
    # Eight in a row are one of 256 numbers: 255 degrees, 1 in 10,000.
    eights = np.packbits(run)
    assert chi_square(np.bincount(eights, minlength=256)) < 347
    for lag in 2 ** np.arange(14):
      same = np.mean(run[lag:] == run[:-lag])
      assert abs(same - 0.5) < 4.5 * 0.5 / np.sqrt(SIZE - lag), lag


def test_coins_of_other_keys_and_times_are_others(tossed):
  same = np.mean(tossed[:, None] == tossed[None], axis=-1)
  apart = same[~np.eye(len(tossed), dtype=bool)]
  assert np.abs(apart - 0.5).max() < 4.5 * 0.5 / np.sqrt(SIZE)


def test_the_coins_of_a_position_differ_with_every_bit_of_the_key():
  @jax.jit
  @jax.vmap
  def first(seed):
    return order.coins(jax.random.key(seed), 5, 8)

  tossed = np.asarray(first(np.arange(8192)))
  eights = np.packbits(tossed, axis=1)[:, 0]
  assert chi_square(np.bincount(eights, minlength=256)) < 347


@pytest.mark.parametrize('size', [10, 64, 1000])
def test_each_example_is_mirrored_in_half_of_its_epochs(size):
  epochs = SIZE // size
  number = epochs * size
  shown = order.indices(KEY, 0, number, size)
  mirrored = np.zeros((epochs, size), bool)
  rows = np.arange(number) // size
  mirrored[rows, np.asarray(shown)] = coins(KEY, 0, number)
  counts = mirrored.sum(0)
  # Sum of squares of `size` standard normal deviates.
  excess = np.sum((counts - epochs / 2) ** 2) / (epochs / 4)
  assert abs(excess - size) < 4.5 * np.sqrt(2 * size)
  # From one epoch to the next it changes in half of the cases.
  changed = np.mean(mirrored[1:] != mirrored[:-1])
  assert abs(changed - 0.5) < 4.5 * 0.5 / np.sqrt(number)


def test_a_batch_of_coins_is_its_positions_one_by_one():
  batch = coins(KEY, 6, 32)
  single = [bool(coins(KEY, p, 1)[0]) for p in range(6, 38)]
  assert batch.tolist() == single == order.coins(KEY, 6, 32).tolist()
  # A run that resumes goes on; after 2^32 positions it begins again.
  late = np.uint32(2**32 - 10)
  around = coins(KEY, late, 20).tolist()
  assert around[10:] == coins(KEY, 0, 10).tolist()
  assert around[4:] == coins(KEY, late + np.uint32(4), 16).tolist()


@pytest.mark.parametrize('impl', ['threefry2x32', 'rbg'])
def test_coins_map_over_keys(impl):
  keys = jax.random.split(jax.random.key(0, impl=impl), 3)
  mapped = jax.jit(jax.vmap(lambda key: order.coins(key, 5, 64)))(keys)
  np.testing.assert_array_equal(mapped, [coins(key, 5, 64) for key in keys])
  assert len(np.unique(mapped, axis=0)) == 3


def test_what_is_mirrored_has_its_left_on_the_right():
  pixels = np.arange(3 * 2 * 4 * 3, dtype=np.uint8).reshape(3, 2, 4, 3)
  tossed = np.array([True, False, True])
  found = images.mirrored(pixels, tossed)
  assert found.dtype == np.uint8
  np.testing.assert_array_equal(found[1], pixels[1])
  for n in (0, 2):
    np.testing.assert_array_equal(found[n], np.fliplr(pixels[n]))
  traced = jax.jit(images.mirrored)(jnp.asarray(pixels), jnp.asarray(tossed))
  assert traced.dtype == jnp.uint8
  np.testing.assert_array_equal(traced, found)
