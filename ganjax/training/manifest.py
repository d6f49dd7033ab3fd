"""The manifest of a checkpoint: what each leaf of the state has to be.

Of each leaf it has the shape, the dtype and a CRC-32, and of all of them the
versions of the libraries that wrote them, under a CRC-32 of its own that covers
the config too. It is the same whatever library writes the arrays themselves.
"""

import json
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import files
from ganjax.training import provenance


def by_path(tree):
  """Returns the leaves of a tree in a dict, by their paths in words."""
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def describe(state):
  """Returns a state's arrays on the host, and their entries in a manifest.

  Args:
    state: any tree of arrays, typed keys and numbers.

  Returns:
    Two dicts by path: numpy arrays, where typed keys are their raw words; and
    dicts of `shape`, `dtype`, `crc32` and, of a typed key, `key`, the name of
    its generator.

  Raises:
    TypeError: if a leaf is no array, key or number.
  """
  arrays, leaves = {}, {}
  for path, leaf in by_path(state).items():
    if not isinstance(leaf, jax.Array):
      if np.asarray(leaf).dtype.kind in 'OSUMm':
        raise TypeError(
          f'{path} is {leaf!r}, but a state holds arrays and numbers only: '
          'put other values into the config'
        )
      # As eval_shape sees it: a Python int is an int32.
      leaf = np.asarray(leaf, jnp.result_type(leaf))
    leaves[path] = {'shape': list(leaf.shape), 'dtype': str(leaf.dtype)}
    if _typed_key(leaf):
      leaves[path]['key'] = str(jax.random.key_impl(leaf))
      leaf = jax.random.key_data(leaf)
    if isinstance(leaf, jax.Array) and leaf.is_fully_replicated:
      leaf = leaf.addressable_data(0)
    arrays[path] = leaf
  arrays = jax.device_get(arrays)
  for path, array in arrays.items():
    leaves[path]['crc32'] = _crc32(array)
  return arrays, leaves


def seal(config, leaves):
  """Returns the manifest, JSON values, of a config and the state's entries.

  Args:
    config: JSON values.
    leaves: the entries that `describe` returns.
  """
  manifest = files.versioned(
    {'leaves': leaves, 'versions': provenance.versions()}
  )
  return manifest | {'crc32': _crc32_of_both(config, manifest)}


def unseal(config, manifest, place):
  """Returns the leaves that `seal` was given.

  Args:
    config: JSON values, as read.
    manifest: JSON values, as read.
    place: what to call it in an error.

  Raises:
    FormatError: if another ganjax wrote it, and it is in order.
    ValueError: if the two are not what was written.
  """
  manifest = dict(manifest)
  if manifest.pop('crc32') != _crc32_of_both(config, manifest):
    raise ValueError('its manifest and config are not what was written')
  # Only now, for damage could make another number of it. So every format to
  # come needs this same checksum.
  return files.unversioned(manifest, place)['leaves']


def blank(like):
  """Returns what an array is read into: zeros of a leaf's shape and dtype.

  Args:
    like: a `jax.ShapeDtypeStruct`; a typed key stands for its raw words.
  """
  raw = jax.eval_shape(jax.random.key_data, like) if _typed_key(like) else like
  return np.broadcast_to(np.zeros((), raw.dtype), raw.shape)


def check(arrays, leaves):
  """Raises a ValueError unless all arrays, by path, have their checksums."""
  for path, array in arrays.items():
    if _crc32(array) != leaves[path]['crc32']:
      raise ValueError(f'{path.lstrip(".")} fails its checksum')


def misfits(leaves, wanted):
  """Returns in words which leaves are not of the wanted shape or dtype.

  Args:
    leaves: of a manifest.
    wanted: `jax.ShapeDtypeStruct` by path.
  """
  stored = {k: f'{tuple(v["shape"])} {v["dtype"]}' for k, v in leaves.items()}
  wanted = {k: f'{tuple(v.shape)} {v.dtype}' for k, v in wanted.items()}
  return [
    f'{path.lstrip(".")} stored {stored.get(path, "nothing")}, '
    f'wanted {wanted.get(path, "nothing")}'
    for path in {**wanted, **stored}
    if wanted.get(path) != stored.get(path)
  ]


def _typed_key(leaf):
  return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _crc32(array):
  return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _crc32_of_both(config, manifest):
  return zlib.crc32(json.dumps([config, manifest], sort_keys=True).encode())
