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
    reconstructions: `() -> reconstruction.Reconstructions`, by the generator
      that drew the images; None where none did.
    judge: `(pixels, labels, seed) -> share` of images that the discriminator
      beside that generator takes for real; None where there is none.
  """

  images: np.ndarray
  features: Callable
  logits: Callable
  labels: np.ndarray | None = None
  reconstructions: Callable | None = None
  judge: Callable | None = None


def of(pixels, extractor, labels=None, reconstructions=None, judge=None):
  """Returns the `Samples` of images.

  Args:
    pixels: uint8 `[N, H, W, C]`.
    extractor: a `features.Features`.
    labels: int32 `[N]`, or None.
    reconstructions: as in `Samples`; it is called once at most.
    judge: as in `Samples`.
  """
  rows = functools.cache(lambda: features.in_batches(extractor.apply, pixels))
  return Samples(
    pixels,
    rows,
    lambda: np.asarray(extractor.logits(rows())),
    labels,
    reconstructions and functools.cache(reconstructions),
    judge,
  )


def of_class(own, label):
  """Returns those of `Samples` that have a label; all where that is None."""
  if label is None:
    return own
  part = _of_rows(own, own.labels == label)
  if own.reconstructions is None:
    return part

  def reconstructions():
    found = own.reconstructions()
    rows = found.labels == label
    return found._replace(errors=found.errors[rows], labels=found.labels[rows])

  return part._replace(reconstructions=reconstructions)


def first(own, number):
  """Returns the first of `Samples`, to compare them with as many others."""
  return _of_rows(own, slice(number))


def _of_rows(own, rows):
  return own._replace(
    images=own.images[rows],
    features=lambda: own.features()[rows],
    logits=lambda: own.logits()[rows],
    labels=None if own.labels is None else own.labels[rows],
  )


def by_image(generate):
  """Returns `(latents, keys [N], labels) -> images`, each with its own key.

  An image is then the same whatever is drawn beside it, so that samples can be
  drawn in parts of any size. With one key for each part, the images of all
  parts would have the same noise.

  Args:
    generate: `(latents, key, labels) -> images`, or a tree of them, with one
      key for all; labels are None where there are none. Statistics of the batch
      would be those of a single image.
  """

  def one(latents, key, labels):
    latents, labels = jax.tree.map(lambda leaf: leaf[None], (latents, labels))
    return jax.tree.map(lambda leaf: leaf[0], generate(latents, key, labels))

  return jax.vmap(one)


def keys(key, number):
  """Returns the key of each of a number of images, `[number]`, by its index."""
  return jax.vmap(jax.random.fold_in, (None, 0))(key, np.arange(number))


def sampler(generate):
  """Returns `(given, prior, number, seed, side, labels, source) -> images`.

  The images are uint8 `[number, side, side, C]`, as picture files hold them,
  of the same latents and noise for the same seed. It compiles once, whatever is
  given, and raises as `pictures.check_finite`, in whose words `source` says
  what is sampled.

  Args:
    generate: `(given, latents, key, labels) -> images` in [-1, 1], or a tree of
      them, of which the largest are taken; `given` is any tree of arrays, and
      labels are None where there are none.
  """

  @jax.jit
  def part(given, latents, keys, labels):
    own = by_image(functools.partial(generate, given))
    drawn = pictures.finest(own(latents, keys, labels))
    return images.quantize(drawn), pictures.finite(drawn)

  def sample(
    given, prior, number, seed, side, labels=None, source='the generator'
  ):
    key, noise_key = jax.random.split(jax.random.key(seed))
    latents = np.asarray(prior(key, number))
    own_keys = keys(noise_key, number)
    # The last part is filled up, to compile only once.
    rows = np.arange(number + -number % _PART) % number
    parts = [
      jax.device_get(
        part(
          given,
          latents[own],
          own_keys[own],
          None if labels is None else labels[own],
        )
      )
      for own in rows.reshape(-1, _PART)
    ]
    drawn, finite = (
      np.concatenate(own)[:number] for own in zip(*parts, strict=True)
    )
    pictures.check_finite(finite, source)
    return pictures.enlarged(drawn, side)

  return sample


def tracked(generate, prior, seed, side, labels=None, source='the generator'):
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
    source: what is sampled, in the words of `pictures.check_finite`.

  Raises:
    FloatingPointError: as `pictures.check_finite`.
  """
  key, noise_key = jax.random.split(jax.random.key(seed))
  drawn = jax.jit(generate)(prior(key, TRACKED), noise_key, labels)
  leaves = jax.tree.leaves(drawn)
  pictures.check_finite(pictures.finite(drawn), source)
  if len(leaves) == 1:
    leaves = [pictures.enlarged(leaves[0], side)]
  return {leaf.shape[1]: np.asarray(leaf) for leaf in leaves}


def subset(array, number, seed):
  """Returns at most `number` rows of an array, drawn by the seed, in order."""
  if len(array) <= number:
    return array
  rows = np.random.default_rng(seed).choice(len(array), number, replace=False)
  return array[np.sort(rows)]
