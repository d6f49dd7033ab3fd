"""A step over many devices: as one program, or as one for each device."""

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec


def mesh(data=-1):
  """The mesh with one axis, 'data', over `data` devices; -1 takes all.

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


def whole(mesh):
  """The sharding in which each device holds everything."""
  return NamedSharding(mesh, PartitionSpec())


def rows(mesh):
  """The sharding in which each device holds its share of the first axis."""
  return NamedSharding(mesh, PartitionSpec('data'))


def replicate(mesh, tree):
  """The tree with each of its arrays on every device, of every process."""

  def put(leaf):
    leaf = np.asarray(leaf)
    return jax.make_array_from_process_local_data(whole(mesh), leaf, leaf.shape)

  return jax.tree.map(put, tree)


def spread(step, mesh):
  """The step with the rows of its batch spread over the mesh; not jitted.

  What is computed is what one device would compute: batch statistics are
  those of the whole batch, and random draws do not depend on the devices.
  """

  def spread_step(state, batch):
    return step(state, jax.lax.with_sharding_constraint(batch, rows(mesh)))

  return spread_step


def over_mesh(step, mesh):
  """The step, jitted over a mesh: `(state, batch) -> (state, metrics)`.

  The state is on every device, and its buffers are donated.

  Args:
    step: of an update rule.
    mesh: with an axis 'data', whose size divides the rows of the batch.
  """
  return jax.jit(
    step,
    in_shardings=(whole(mesh), rows(mesh)),
    out_shardings=whole(mesh),
    donate_argnums=0,
  )


def over_pmap(step, devices=None):
  """The step as one program a device, by `jax.pmap` over the axis 'data'.

  Args:
    step: of an update rule made with `axis_name='data'`; networks with batch
      statistics need the name too, or each device uses its own.
    devices: all of them where None.

  Returns:
    `(state, batch) -> (state, metrics)`; the batch's rows are divided among
    the devices.
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
