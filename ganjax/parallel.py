"""A training step over many devices: one program, or one for each device."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ganjax.arrays import Tree


def mesh(data: int = -1, run: int = 1) -> jax.sharding.Mesh:
  """Returns the mesh with the axes 'run' and 'data', over the first devices.

  These are devices of all processes, those of one process side by side.

  Args:
    data: how many devices share a batch; -1 takes all that are left.
    run: among how many the members of a population are divided.

  Raises:
    ValueError: if there are not so many devices.
  """
  available = len(jax.devices())
  if not 1 <= run <= available:
    raise ValueError(
      f'Runs are to be divided among {run} devices, but there are {available}; '
      'give a number up to that.'
    )
  number = available // run if data == -1 else data
  if not 1 <= number <= available // run:
    each = f' for each of {run} parts of the runs' if run > 1 else ''
    raise ValueError(
      f'A mesh over {data} devices{each} was asked for, but there are '
      f'{available}; give a number up to {available // run}, or -1 for all.'
    )
  return jax.make_mesh(
    (run, number),
    ('run', 'data'),
    axis_types=(AxisType.Auto, AxisType.Auto),
    devices=jax.devices()[: run * number],
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


def over_runs(step: Callable, mesh: jax.sharding.Mesh) -> Callable:
  """Returns the step of a population, jitted over a mesh.

  It is `(states, batches) -> (states, metrics)`, of M members `[M, ...]`, whose
  states are donated. Each member computes what it would compute alone; of
  several processes all have to call it.

  Args:
    step: `(state, batch) -> (state, metrics)`, of an update rule.
    mesh: whose axis 'run' divides the members, and whose axis 'data' divides
      the rows of their batches, `[M, rows, ...]`.
  """
  members = NamedSharding(mesh, PartitionSpec('run'))
  return jax.jit(
    jax.vmap(step),
    in_shardings=(members, NamedSharding(mesh, PartitionSpec('run', 'data'))),
    out_shardings=members,
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
