"""A training step over many devices: one program, or one for each device."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ganjax.arrays import Tree


def mesh(data: int = -1) -> jax.sharding.Mesh:
  """Returns the mesh with one axis, 'data', over the first devices.

  Args:
    data: how many devices; -1 takes all.

  Raises:
    ValueError: if there are not so many devices.
  """
  available = len(jax.devices())
  number = available if data == -1 else data
  if not 1 <= number <= available:
    raise ValueError(
      f'A mesh over {data} devices was asked for, but there are {available}; '
      'give a number up to that, or -1 for all.'
    )
  return jax.make_mesh(
    (number,),
    ('data',),
    axis_types=(AxisType.Auto,),
    devices=jax.devices()[:number],
  )


def whole(mesh: jax.sharding.Mesh) -> NamedSharding:
  """Returns the sharding in which each device holds the whole array."""
  return NamedSharding(mesh, PartitionSpec())


def rows(mesh: jax.sharding.Mesh) -> NamedSharding:
  """Returns the sharding in which each device holds part of the first axis."""
  return NamedSharding(mesh, PartitionSpec('data'))


def replicate(mesh: jax.sharding.Mesh, tree: Tree) -> Tree:
  """Returns the tree with all arrays on every device of every process."""

  def put(leaf):
    leaf = np.asarray(leaf)
    return jax.make_array_from_process_local_data(whole(mesh), leaf, leaf.shape)

  return jax.tree.map(put, tree)


def spread(step: Callable, mesh: jax.sharding.Mesh) -> Callable:
  """Returns the step, not jitted, with the rows of its batch over the mesh.

  It computes what one device would compute: batch statistics are those of the
  whole batch, and random draws do not depend on the devices.

  Args:
    step: `(state, batch, *arguments) -> (state, metrics)`.
    mesh: with an axis 'data', whose size divides the rows of the batch.
  """

  def spread_step(state, batch, *arguments):
    spread_batch = jax.lax.with_sharding_constraint(batch, rows(mesh))
    return step(state, spread_batch, *arguments)

  return spread_step


def over_mesh(step: Callable, mesh: jax.sharding.Mesh) -> Callable:
  """Returns the step, jitted over a mesh: `(state, batch) -> (state, metrics)`.

  The state is on every device, and its arrays are donated.

  Args:
    step: `(state, batch) -> (state, metrics)`, of an update rule.
    mesh: a mesh with an axis 'data', whose size divides the rows of the batch.
  """
  return jax.jit(
    step,
    in_shardings=(whole(mesh), rows(mesh)),
    out_shardings=whole(mesh),
    donate_argnums=0,
  )


def over_pmap(
  step: Callable, devices: Sequence[jax.Device] | None = None
) -> Callable:
  """Returns the step as one program for each device, by `jax.pmap`.

  Args:
    step: of an update rule with `axis_name='data'`; networks with batch
      statistics need the name too, else each device has its own statistics.
    devices: a list of devices; None takes all.

  Returns:
    A function `(state, batch) -> (state, metrics)`, which divides the rows of
    the batch among the devices.
  """
  devices = devices or jax.devices()
  mapped = jax.pmap(
    step,
    axis_name='data',
    in_axes=(None, 0),
    out_axes=None,
    devices=devices,
  )

  def apply(state, batch):
    divided = jax.tree.map(
      lambda leaf: leaf.reshape(len(devices), -1, *leaf.shape[1:]), batch
    )
    return mapped(state, divided)

  return apply
