"""Stacked MNIST: three random digits as the channels of one image, 1000 modes.

Metz et al., "Unrolled Generative Adversarial Networks", 2017, arXiv:1611.02163,
section 3.3.1. Published numbers differ in where the digits come from (60,000 or
all 70,000), in whether stacks are drawn as they are needed or once for all, and
in their range; so each is the caller's to say:

- `draw` makes new stacks from a key; `fixed` reads a `table` of them.
- Both return uint8: `unit` or `images.scale` takes them to [0, 1] or [-1, 1].
- Digits are an argument everywhere: closed over by a compiled function, all of
  them would be a constant of it.
"""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.data import images
from ganjax.data import order as orders


def digits(directory, split='train', cache=None):
  """Returns MNIST's digits, uint8 [M, 28, 28], and their labels, int32 [M].

  Args:
    directory: the data_dir of TensorFlow Datasets.
    split: 'train' for 60,000 digits (PacGAN's comparison with unrolled GANs),
      'train+test' for 70,000 (its comparison with VEEGAN), 'test' for 10,000.
    cache: as in `images.load`.

  Raises:
    FileNotFoundError: as `images.load`.
  """
  data = images.load('mnist', directory, split, 28, channels=1, cache=cache)
  return np.asarray(data.images)[..., 0], data.labels


def padded(digits, side=32):
  """Returns the digits [M, side, side], with equal borders of 0 around them.

  Args:
    digits: uint8 [M, H, H].
    side: in pixels, at least H and even where H is.

  Raises:
    ValueError: if there are no such borders.
  """
  border, odd = divmod(side - digits.shape[1], 2)
  if border < 0 or odd:
    raise ValueError(
      f'Digits of {digits.shape[1]} pixels cannot be centred on {side}; choose '
      'a side that is larger by an even number.'
    )
  around = (border, border)
  return np.pad(digits, ((0, 0), around, around))


def unit(stacks):
  """Returns uint8 images as float32 in [0, 1], not ganjax's usual range.

  PacGAN's comparison with VEEGAN trains on them with a generator that ends in
  tanh, and its classifier sees the images as they leave the generator.
  """
  return stacks.astype('float32') / 255


def stack(digits, rows):
  """Returns images uint8 [N, H, W, 3], each of the three digits in its row.

  Args:
    digits: uint8 [M, H, W].
    rows: integers [N, 3] in [0, M).
  """
  return jnp.moveaxis(digits[rows], 1, -1)


def draw(digits, key, number):
  """Returns new stacks, uint8 [number, H, W, 3], each digit equally likely.

  Args:
    digits: uint8 [M, H, W].
    key: what the stacks are a function of.
    number: of stacks, static.
  """
  return stack(digits, table(key, number, len(digits)))


def table(key, size, number):
  """Returns which digits make `size` stacks, int32 [size, 3].

  Args:
    key: what the stacks are a function of.
    size: of the set, static (PacGAN's comparison with VEEGAN: 128,000).
    number: of digits to draw from, with replacement.
  """
  return jax.random.randint(key, (size, 3), 0, number)


def repacked(key, table, packing):
  """Returns rows drawn from the table, with replacement: [packing * size, 3].

  PacGAN's sets for a discriminator that judges `packing` images together: as
  many packs as there are stacks, and so not every stack among them.

  Args:
    key: what the draw is a function of.
    table: integers [size, 3].
    packing: stacks in a pack, static.
  """
  chosen = jax.random.randint(key, (packing * len(table),), 0, len(table))
  return jnp.asarray(table)[chosen]


def sequential(key, first, number, size):
  """Returns the next examples in the set's own order, int32 [number].

  Takes the place of `order.indices`, for protocols that never reshuffle.

  Args:
    key: has no effect.
    first: position of the first example in the run, integer in [0, 2^32); may
      be traced.
    number: how many positions, static.
    size: how many examples there are, static, below 2^31.
  """
  positions = jnp.asarray(first, jnp.uint32) + jnp.arange(
    number, dtype=jnp.uint32
  )
  return (positions % np.uint32(size)).astype(jnp.int32)


def fixed(digits, table, key, first, number, order=orders.indices):
  """Returns the next stacks of a fixed set, uint8 [number, H, W, 3].

  Args:
    digits: uint8 [M, H, W].
    table: integers [size, 3] in [0, M), of `table` or `repacked`.
    key: of the order.
    first: position of the first stack in the run; may be traced.
    number: of stacks, static.
    order: `(key, first, number, size) -> rows of the table`: a new order in
      each epoch, or `sequential`.
  """
  rows = order(key, first, number, len(table))
  return stack(digits, jnp.asarray(table)[rows])
