"""How many images a second are evaluated: their features, and their FID.

The features are those of `ganjax.evaluation.features.Classifier` at 32 pixels,
whose weights are not trained here: that changes no work. A round takes all
features of 10,000 images in batches, and their Frechet distance to those of
10,000 others, which are known. PyTorch's side has the same network, weights and
batches, and takes the root of the product of covariances by SciPy, as the usual
implementations do.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import classifier_torch, flops, limits, rounds
from ganjax.evaluation import classifier, features
from ganjax.metrics import fid

_SIDE, _CLASSES, _BATCH = 32, 10, 256


def measured(task):
  """Returns the row of an evaluation.

  Args:
    task: a `task.Task`.

  Raises:
    ValueError: if the distances of both sides differ by more than 1%.
  """
  number = 300 if task.tiny else 10_000
  images, params = scene(number), weights()
  apply = features_of(params)
  reals = features.in_batches(apply, scene(number, 1), _BATCH)
  ours = functools.partial(distance, apply, reals, images)
  batch = jnp.zeros((_BATCH, *images.shape[1:]))
  counted = flops.of(jax.make_jaxpr(apply)(batch)) * -(-number // _BATCH)
  own = rounds.Side(ours, 1, {}, limits.usual(), counted)
  makers, agreement = {'ganjax': lambda: own}, {}
  if task.torch_too:
    peer = classifier_torch.distance(params, reals, images, _BATCH)
    makers['torch, SciPy'] = lambda: rounds.Side(peer, 1, {})
    far = abs(peer() / ours() - 1)
    # SciPy's root of a matrix is inexact where features are constant.
    if not far <= 1e-2:
      raise ValueError(
        f"PyTorch's distance differs from ours by {far:.2g} of it, and may by "
        '1e-2: there is nothing to compare.'
      )
    agreement = {'distance': far}
  found = rounds.compare(task, makers, number, each='set')
  return found | {'agreement': agreement}


def scene(number, seed=0):
  """Returns images `[N, 32, 32, 3]`, uint8 and smooth, so that FID is small.

  Args:
    number: of images.
    seed: of what is drawn.
  """
  drawn = np.random.default_rng(seed)
  small = drawn.integers(0, 256, (number, 8, 8, 3), np.uint8)
  return small.repeat(4, 1).repeat(4, 2)


def weights():
  """Returns the parameters of the classifier, as they are drawn."""
  network = features.Classifier(_CLASSES)
  blank = jnp.zeros((1, _SIDE, _SIDE, 3))
  return jax.jit(network.init)(jax.random.key(0), blank)['params']


def features_of(params):
  """Returns images in [-1, 1] -> features `[N, 128]`, as in an evaluation."""
  return lambda images: classifier.outputs(params, images)[1]


def distance(apply, reals, images):
  """Returns the FID of images, whose features are taken now.

  Args:
    apply: as `features_of` returns it.
    reals: features `[N, D]`.
    images: uint8.
  """
  return fid.fid(reals, features.in_batches(apply, images, _BATCH))
