"""A small classifier, trained once and cached, for features and for modes.

The features of an ImageNet network are not informative on digits and other
small images; those of a classifier of the data are: its penultimate layer for
distances, its logits for counting modes. Its weights define the measure, so
its name has their hash, the data and the accuracy.
"""

import hashlib
import pathlib
import re
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util

from ganjax import files, npz
from ganjax.evaluation import features


class Trained(NamedTuple):
  """The parameters of a trained classifier, and a name that identifies them."""

  name: str
  params: dict


def train(
  images,
  labels,
  classes,
  key,
  epochs,
  *,
  batch=128,
  learning_rate=2e-3,
  report=None,
):
  """Returns the parameters of a `features.Classifier` of labelled images.

  Adam with a cosine decay to 0 minimises the cross-entropy; each image is
  shifted at random by up to a fourteenth of its side, its edge repeated. Each
  step is a compiled call: on a CPU a convolution within a scan is many times
  slower.

  Args:
    images: [M, H, W, C] uint8.
    labels: [M] integers in [0, classes).
    classes: the number of classes.
    key: of the initial weights, the order and the shifts.
    epochs: passes through the images; those that do not fill a batch are left
      out of a pass.
    batch: images per step; all, where there are fewer.
    learning_rate: the initial one.
    report: called as `report(step, total, loss)` from step 0 on, whose loss is
      NaN; others are arrays that have perhaps not been computed yet. Or None.

  Raises:
    ValueError: if the images are not uint8 [M, H, W, C], or the labels are not
      M integers in [0, classes).
  """
  images, labels = _labelled(images, labels, classes)
  network = features.Classifier(classes)
  key_params, key_order, key_shift = jax.random.split(key, 3)
  blank = jnp.zeros((1, *images.shape[1:]))
  params = jax.jit(network.init)(key_params, blank)['params']
  batch = min(batch, len(images))
  per_epoch = len(images) // batch
  total = epochs * per_epoch
  optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, total))
  opt_state = optimizer.init(params)

  @jax.jit
  def descend(params, opt_state, images, labels, key):
    shifted = _shifted(images, key).astype(jnp.float32) / 127.5 - 1

    def cross_entropy(params):
      logits, _ = network.apply({'params': params}, shifted)
      return optax.softmax_cross_entropy_with_integer_labels(
        logits, labels
      ).mean()

    loss, gradients = jax.value_and_grad(cross_entropy)(params)
    updates, opt_state = optimizer.update(gradients, opt_state)
    return optax.apply_updates(params, updates), opt_state, loss

  report = report or (lambda step, total, loss: None)
  report(0, total, np.nan)
  for step in range(total):
    epoch, at = divmod(step, per_epoch)
    if at == 0:
      key_epoch = jax.random.fold_in(key_order, epoch)
      order = np.asarray(jax.random.permutation(key_epoch, len(images)))
    rows = order[at * batch : (at + 1) * batch]
    params, opt_state, loss = descend(
      params,
      opt_state,
      images[rows],
      labels[rows],
      jax.random.fold_in(key_shift, step),
    )
    report(step + 1, total, loss)
  return params


def outputs(params, images):
  """Returns logits [N, classes] and penultimate activations [N, 128].

  Args:
    params: as `train` returns.
    images: [N, H, W, C] float32 in [-1, 1], of the shape trained on.

  Raises:
    ValueError: if the images' shape does not fit the parameters.
  """
  classes = params['logits']['bias'].size
  network = features.Classifier(classes)
  needed = jax.eval_shape(network.init, jax.random.key(0), images)['params']
  if jax.tree.map(jnp.shape, params) != jax.tree.map(jnp.shape, needed):
    channels = params['stem']['kernel'].shape[2] // 4
    raise ValueError(
      f'The classifier cannot take images of the shape {images.shape}; '
      f'expected [N, H, W, {channels}] of the size it was trained on: resize '
      'them, or train another on images of this shape.'
    )
  # TF32 and bfloat16 would make the measure depend on the device.
  with jax.default_matmul_precision('highest'):
    return network.apply({'params': params}, images)


def by_channel(params, images):
  """Returns the logits [N, C, classes] of each channel by itself.

  Stacked MNIST is measured by them, with a classifier of single digits.

  Args:
    params: as `train` returns for images of one channel.
    images: [N, H, W, C] float32 in [-1, 1], with H and W as trained on.

  Raises:
    ValueError: as `outputs`.
  """
  alone = jnp.moveaxis(images, -1, 1)
  logits, _ = outputs(params, alone.reshape(-1, *images.shape[1:3], 1))
  return logits.reshape(*alone.shape[:2], -1)


def accuracy(params, images, labels) -> float:
  """Returns the fraction of images whose largest logit is that of the label.

  Args:
    params: as `train` returns.
    images: [N, H, W, C] uint8, or float32 in [-1, 1].
    labels: [N] integers.
  """
  logits = features.in_batches(lambda x: outputs(params, x)[0], images)
  return float(np.mean(logits.argmax(-1) == np.asarray(labels)))


def trained_for(
  images,
  labels,
  cache_directory,
  name,
  *,
  epochs=5,
  seed=0,
  test=None,
  report=None,
) -> Trained:
  """Returns a classifier of images, trained at the first call, then loaded.

  A tenth of the images, drawn by the seed, is held out for the accuracy in the
  name, such as 'classifier-128 (mnist/train, 99.2 % held out, sha 1a2b3c4d)';
  the hash is of the weights. With `test`, all images are trained on, and the
  name has the accuracy on those, such as '99.46 % on mnist/test'. The name of
  the file has a hash of the images, labels and settings, so that other data
  have another file; a damaged one is made anew, with a warning.

  Args:
    images: [M, H, W, C] uint8, M >= 10.
    labels: [M] integers from 0 on; the largest is that of the last class.
    cache_directory: of the .npz file; it is made, if need be.
    name: of the data, with the split.
    epochs: as in `train`.
    seed: of the held-out images and of all that `train` draws.
    test: (name, images, labels) to measure the accuracy on, or None. On two
      cores, 8 epochs of MNIST's 60,000 training digits at 28 px take about
      three minutes, and 99.4 % of its test digits are right.
    report: as in `train`.

  Raises:
    ValueError: as `train`, and if there are fewer than ten images.
  """
  labels = np.asarray(labels)
  images, labels = _labelled(images, labels, labels.max(initial=0) + 1)
  if len(images) < 10:
    raise ValueError(
      f'A tenth of {len(images)} images cannot be held out; pass at least ten.'
    )
  data = hashlib.sha256(f'{images.shape} {epochs} {seed}'.encode())
  for array in (images, labels) + (test[1:] if test else ()):
    data.update(np.ascontiguousarray(array).data)
  slug = re.sub(r'[^\w.]+', '-', name)
  path = pathlib.Path(cache_directory)
  path = path / f'classifier-{slug}-{data.hexdigest()[:12]}.npz'

  arrays = _stored(path)
  if arrays is None:
    key_held, key_train = jax.random.split(jax.random.key(seed))
    if test is not None:
      learned, measured = (images, labels), test[1:]
    else:
      order = np.asarray(jax.random.permutation(key_held, len(images)))
      held, left = np.split(order, [len(images) // 10])
      measured = images[held], labels[held]
      learned = images[left], labels[left]
    params = train(
      *learned, int(labels.max()) + 1, key_train, epochs, report=report
    )
    fraction = accuracy(params, *measured)
    arrays = _flat(params) | {'accuracy': np.float64(fraction)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(path) as unfinished, unfinished.open('wb') as file:
      np.savez(file, **arrays, checksum=_checksum(arrays))

  percent = 100 * float(arrays.pop('accuracy'))
  right = (
    f'{percent:.2f} % on {test[0]}' if test else f'{percent:.1f} % held out'
  )
  weights = hashlib.sha256()
  for entry in sorted(arrays):
    weights.update(entry.encode() + arrays[entry].tobytes())
  return Trained(
    f'classifier-128 ({name}, {right}, sha {weights.hexdigest()[:8]})',
    traverse_util.unflatten_dict(arrays, sep='/'),
  )


def _stored(path):
  """Returns the arrays of a file as they were stored, or None."""
  if not path.exists():
    return None
  try:
    arrays = npz.read(path)
    if np.array_equal(arrays.pop('checksum', None), _checksum(arrays)):
      return arrays
    damage = f'{path} has another checksum'
  except ValueError as error:
    damage = error
  words = f'the cached classifier is damaged ({damage}); it is trained again.'
  return warnings.warn(words, stacklevel=3)


def _checksum(arrays):
  """Returns the SHA-256 of arrays by name, uint8 `[32]`."""
  found = hashlib.sha256()
  for name, values in sorted(arrays.items()):
    found.update(f'{name} {values.dtype} {values.shape} '.encode())
    found.update(values.tobytes())
  return np.frombuffer(found.digest(), np.uint8)


def features_for(
  images, labels, cache_directory, name, **settings
) -> features.Features:
  """Returns the penultimate layer [N, 128] of a classifier as features.

  Args:
    images: [M, H, W, C] uint8.
    labels: [M] integers.
    cache_directory: of the weights, as in `trained_for`.
    name: of the data, with the split.
    **settings: `epochs`, `seed`, `test` and `report` of `trained_for`.
  """
  trained = trained_for(images, labels, cache_directory, name, **settings)
  head = trained.params['logits']
  return features.Features(
    trained.name,
    lambda images: outputs(trained.params, images)[1],
    lambda rows: (
      jnp.matmul(rows, head['kernel'], precision='highest') + head['bias']
    ),
  )


def _shifted(images, key):
  """Returns images shifted by up to a fourteenth of their side each."""
  n, height, width, channels = images.shape
  reach = max(1, min(height, width) // 14)
  around = ((0, 0), (reach, reach), (reach, reach), (0, 0))
  padded = jnp.pad(images, around, mode='edge')
  corners = jax.random.randint(key, (n, 2), 0, 2 * reach + 1)

  def crop(image, corner):
    start = (corner[0], corner[1], 0)
    return jax.lax.dynamic_slice(image, start, (height, width, channels))

  return jax.vmap(crop)(padded, corners)


def _labelled(images, labels, classes):
  """Returns images and labels as NumPy arrays, or raises ValueError."""
  images, labels = np.asarray(images), np.asarray(labels)
  if images.ndim != 4 or images.dtype != np.uint8 or not len(images):
    raise ValueError(
      f'The classifier got images {images.dtype} of the shape {images.shape}; '
      'expected uint8 [M, H, W, C]: add the axis of the channels, or scale '
      'and round to [0, 255].'
    )
  if labels.shape != images.shape[:1] or labels.dtype.kind not in 'iu':
    raise ValueError(
      f'The classifier got labels {labels.dtype} of the shape {labels.shape} '
      f'for {len(images)} images; expected one integer for each.'
    )
  if labels.min() < 0 or labels.max() >= classes:
    raise ValueError(
      f'The labels range from {labels.min()} to {labels.max()}; expected '
      f'[0, {classes}): number the classes from 0.'
    )
  return images, labels.astype(np.int32)


def _flat(params):
  flat = traverse_util.flatten_dict(params, sep='/')
  return {path: np.asarray(array) for path, array in flat.items()}
