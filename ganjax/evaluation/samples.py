"""Samples that are measured: drawn in parts, with their features and logits."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from ganjax import pictures
from ganjax.data import images
from ganjax.evaluation import features

_PART = 256  # images that are drawn at once
TRACKED = 36  # latents whose images are compared from checkpoint to checkpoint


class Samples(NamedTuple):
  """Images of the data or of a generator, and what a network makes of them.

  Attributes:
    images: uint8 `[N, H, W, C]`.
    features: `() -> [N, D]`, which computes them at the first call.
    logits: `() -> [N, K]`, of the classes that the network tells apart.
    labels: int32 `[N]`, the classes of the images; None where they have none.
  """

  images: np.ndarray
  features: Callable
  logits: Callable
  labels: np.ndarray | None = None


def of(pixels, extractor, labels=None):
  """Returns the `Samples` of images.

  Args:
    pixels: uint8 `[N, H, W, C]`.
    extractor: a `features.Features`.
    labels: int32 `[N]`, or None.
  """
  rows = functools.cache(lambda: features.in_batches(extractor.apply, pixels))
  return Samples(
    pixels, rows, lambda: np.asarray(extractor.logits(rows())), labels
  )


def of_class(own, label):
  """Returns those of `Samples` that have a label; all where that is None."""
  if label is None:
    return own
  rows = np.flatnonzero(own.labels == label)
  return Samples(
    own.images[rows],
    lambda: own.features()[rows],
    lambda: own.logits()[rows],
    own.labels[rows],
  )


def sampler(generate):
  """Returns `(given, prior, number, seed, side, labels=None) -> images`.

  The images are uint8 `[number, side, side, C]`, as picture files hold them,
  of the same latents for the same seed. It compiles once, whatever is given.

  Args:
    generate: `(given, latents, key, labels) -> images` in [-1, 1], or a tree of
      them, of which the largest are taken; `given` is any tree of arrays, and
      labels are None where there are none.
  """

  @jax.jit
  def part(given, latents, key, labels):
    drawn = generate(given, latents, key, labels)
    return images.quantize(pictures.finest(drawn))

  def sample(given, prior, number, seed, side, labels=None):
    key, noise_key = jax.random.split(jax.random.key(seed))
    latents = np.asarray(prior(key, number))
    # The last part is filled up, to compile only once.
    rows = np.arange(number + -number % _PART) % number
    drawn = [
      np.asarray(
        part(
          given,
          latents[own],
          noise_key,
          None if labels is None else labels[own],
        )
      )
      for own in rows.reshape(-1, _PART)
    ]
    return pictures.enlarged(np.concatenate(drawn)[:number], side)

  return sample


def tracked(generate, prior, seed, side, labels=None):
  """Returns the images of `TRACKED` latents by resolution, `{R: [N, R, R, C]}`.

  The latents are the same for the same seed, so that the images of one
  checkpoint can be compared with those of another.

  Args:
    generate: `(latents, key, labels) -> images` in [-1, 1], or a tree of them.
    prior: `(key, number) -> latents`.
    seed: of the latents.
    side: of the data, in pixels, to which a single array of images is
      enlarged, for its resolution may grow during training.
    labels: int32 `[TRACKED]`, or None.
  """
  key, noise_key = jax.random.split(jax.random.key(seed))
  drawn = jax.jit(generate)(prior(key, TRACKED), noise_key, labels)
  leaves = jax.tree.leaves(drawn)
  if len(leaves) == 1:
    leaves = [pictures.enlarged(leaves[0], side)]
  return {leaf.shape[1]: np.asarray(leaf) for leaf in leaves}


def subset(array, number, seed):
  """Returns at most `number` rows of an array, drawn by the seed, in order."""
  if len(array) <= number:
    return array
  rows = np.random.default_rng(seed).choice(len(array), number, replace=False)
  return array[np.sort(rows)]
