"""The order of the examples of a run: a pure function of key and position.

A permutation of `size` examples that is computed one element at a time needs
no memory, no state to save and no thread to wait for: a run that resumes asks
for its next position. The permutation is a keyed Feistel network on the bits
of the position, with cycle walking (John Black and Phillip Rogaway, "Ciphers
with Arbitrary Finite Domains", CT-RSA 2002, section 4). A coin for each
position, by which an example is mirrored, needs as little.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

# Folded into a run's key, as the numbers of its steps are: none is so large.
_DATA = 2**32 - 1
_STRIDE = 0x9E3779B9  # 2^32 / golden ratio: keeps counters apart


def data_key(key: jax.Array) -> jax.Array:
  """Returns the key for the order, or the draws, of the data of a run.

  Args:
    key: of the run, a scalar typed key.
  """
  return jax.random.fold_in(key, _DATA)


def _mix(x):
  """Returns uint32 scrambled one to one (Austin Appleby, MurmurHash3)."""
  x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
  return x ^ (x >> 16)


def _secret(words):
  """Returns uint32 [1], the words of a key, uint32 [W], hashed into one."""
  secret = np.zeros(1, np.uint32)
  for at in range(len(words)):
    secret = _mix((secret + np.uint32(_STRIDE)) ^ words[at : at + 1])
  return secret


def _positions(first, number):
  """Returns uint32 [number], counted modulo 2^32."""
  first = jnp.asarray(first, jnp.uint32)
  return first + jnp.arange(number, dtype=jnp.uint32)


def coins(key: jax.Array, first: ArrayLike, number: int) -> jax.Array:
  """Returns a fair coin for each of `number` positions, bool [number].

  Coins of one key depend neither on one another nor on `indices`: an example
  gets new ones in each epoch.

  Args:
    key: a scalar typed key.
    first: position of the first coin in the run, integer in [0, 2^32); may be
      traced. Positions are counted modulo 2^32.
    number: how many positions, static.
  """
  # Two secrets: the coins of another key are then no rearrangement of these.
  before = _mix(~_secret(jax.random.key_data(key)))
  after = _mix(before + np.uint32(_STRIDE))
  hashed = _mix(_mix(_positions(first, number) ^ before) + after)
  return hashed >= np.uint32(2**31)


def indices(
  key: jax.Array, first: ArrayLike, number: int, size: int
) -> jax.Array:
  """Returns which examples stand at `number` positions, int32 [number].

  Position p belongs to epoch p // size; each epoch has each example once,
  in an order of its own. A batch may straddle epochs.

  Args:
    key: a scalar typed key. Its words are hashed here rather than passed to
      `jax.random`, whose rbg keys give other numbers under vmap.
    first: position of the first element in the run, integer in [0, 2^32);
      may be traced. Positions are counted modulo 2^32.
    number: how many positions, static.
    size: how many examples there are, static, in [1, 2^31).

  Raises:
    ValueError: `size` is out of its range.
  """
  _check(size)
  start, encrypt = _cipher(
    jax.random.key_data(key), _positions(first, number), size
  )

  # Cycle walking: an element that leaves [0, size) is encrypted again. It
  # started inside, so its cycle leads it back.
  def walk(state):
    x, outside = state
    x = jnp.where(outside, encrypt(x), x)
    return x, x >= size

  chosen, _ = jax.lax.while_loop(
    lambda state: jnp.any(state[1]), walk, (start, start < size)
  )
  return chosen.astype(jnp.int32)


def indices_on_host(
  words: np.ndarray, first: int, number: int, size: int
) -> np.ndarray:
  """Returns what `indices` does, by NumPy: int32 [number].

  A process that only reads data needs no device for it.

  Args:
    words: those of the key, uint32 [W], as of `jax.random.key_data`.
    first: as in `indices`, and any natural number, taken modulo 2^32.
    number: as in `indices`.
    size: as in `indices`.

  Raises:
    ValueError: as `indices`.
  """
  _check(size)
  positions = np.uint32(first % 2**32) + np.arange(number, dtype=np.uint32)
  x, encrypt = _cipher(np.asarray(words), positions, size)
  x = encrypt(x)
  while (outside := x >= size).any():
    x = np.where(outside, encrypt(x), x)
  return x.astype(np.int32)


def _check(size):
  if not 1 <= size < 2**31:
    raise ValueError(
      f'size is {size}: an order needs from 1 to 2^31 - 1 examples.'
    )


def _cipher(words, position, size):
  """Returns where positions start in their epochs, and how these are permuted.

  Both are of NumPy or of JAX, as the words and positions are.

  Args:
    words: of a key, uint32 [W].
    position: uint32 [N].
    size: as in `indices`.

  Returns:
    uint32 [N] below `size`, and a function from uint32 [N] to uint32 [N], a
    permutation of the least domain of whole bits that holds `size`.
  """
  epoch = position // np.uint32(size)
  secret = _mix(_secret(words) ^ _mix(epoch + np.uint32(_STRIDE)))

  # Halves of unequal width keep the domain below 2 * size, so that a walk
  # takes under two steps on average.
  bits = (size - 1).bit_length()
  low, high = bits // 2, bits - bits // 2
  low_mask, high_mask = np.uint32(2**low - 1), np.uint32(2**high - 1)

  # The fewer the elements, the slower rounds mix: with 12, one order of five
  # elements is several percent likelier than another.
  rounds = 12 if bits > 8 else 24
  strides = np.uint32(_STRIDE) * np.arange(1, rounds + 1, dtype=np.uint32)
  round_keys = _mix(secret + strides[:, None])

  def encrypt(x):
    left, right = x >> low, x & low_mask
    for number in range(0, rounds, 2):
      left ^= _mix(round_keys[number] ^ right) & high_mask
      right ^= _mix(round_keys[number + 1] ^ left) & low_mask
    return left << low | right

  return position % np.uint32(size), encrypt
