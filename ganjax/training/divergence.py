"""Trainings that diverge are stopped, before anything of it is saved."""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.training import manifest

_ADVICE = (
  'became infinite or undefined, and training stopped. The checkpoints are '
  'from before that. Lower a learning rate or the weight of a penalty and '
  'start in a new workdir.'
)


def check_metrics(series, step, images_seen):
  """Raises an error unless all metrics are finite.

  Args:
    series: by name, numpy arrays `[T]` of the steps before `step`.
    step: an int.
    images_seen: from the number of a step to the images seen before it.

  Raises:
    FloatingPointError: names the first step at which one is not, and which.
  """
  broken = {
    name: int(np.argmin(np.isfinite(values)))
    for name, values in series.items()
    if not np.isfinite(values).all()
  }
  if broken:
    first = min(broken.values())
    at = step - len(next(iter(series.values()))) + first
    names = sorted(name for name, index in broken.items() if index == first)
    raise FloatingPointError(
      f'At step {at}, after {images_seen(at)} images, {", ".join(names)} '
      f'{_ADVICE}'
    )


def check_state(state):
  """Raises an error unless all that a state holds is finite.

  The metrics of a step are those before its update, so they do not tell yet
  when the last update has gone wrong. Of what optimisers remember only NaN is
  an error, for some begin with infinity.

  Args:
    state: any tree of arrays, with `step`.

  Raises:
    FloatingPointError: names an array that is not finite, and how many are.
  """
  finite = jax.device_get(_finite(state))
  broken = [path.lstrip('.') for path, own in finite.items() if not own]
  if broken:
    others = f' and {len(broken) - 1} others' if len(broken) > 1 else ''
    raise FloatingPointError(
      f'After step {int(state.step)}, {broken[0]}{others} {_ADVICE}'
    )


@jax.jit
def _finite(state):
  found = {}
  for path, leaf in manifest.by_path(state).items():
    if jnp.issubdtype(leaf.dtype, jnp.inexact):
      good = ~jnp.isnan(leaf) if 'opt_state' in path else jnp.isfinite(leaf)
      found[path] = good.all()
  return found
