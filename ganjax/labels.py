"""Labels of classes: those of fakes in training, and those of samples.

Labels are int32 `[N]`, the numbers of classes from 0 on. `gan` makes a game
conditional by a function `(key, labels of the reals) -> labels of the fakes`. A
config can choose every public function here that returns one, by its name.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Draw = Callable[[jax.Array, jax.Array], jax.Array]


def paired() -> Draw:
  """Returns the function to the labels of the reals that fakes stand beside.

  Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline",
  2024, arXiv:2501.05441: a relativistic loss compares a real with a fake of its
  own class.
  """
  return lambda key, labels: labels


def shuffled() -> Draw:
  """Returns the function to the labels of the reals in a random order.

  The classes of fakes are then as frequent as those of the data, and do not
  depend on the real beside them (Karras et al., 2020, arXiv:1912.04958, draw
  labels from all data in their code, and not only from the batch).
  """
  return jax.random.permutation


def uniform(classes: int) -> Draw:
  """Returns the function to labels that are equally likely, drawn each alone.

  Miyato and Koyama, "cGANs with Projection Discriminator", 2018,
  arXiv:1802.05637; Brock, Donahue and Simonyan, "Large Scale GAN Training for
  High Fidelity Natural Image Synthesis", 2019, arXiv:1809.11096.

  Args:
    classes: how many there are, at least 1.
  """
  return lambda key, labels: jax.random.randint(key, labels.shape, 0, classes)


def in_turn(number: int, classes: int) -> jax.Array | None:
  """Returns labels int32 `[number]` of which label i is i modulo classes.

  Args:
    number: of the labels.
    classes: how many there are; 0, of an unconditional game, has no labels, and
      returns None.
  """
  return jnp.arange(number, dtype=jnp.int32) % classes if classes else None
