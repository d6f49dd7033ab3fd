"""Which mapping of runs is fastest: by a rule, from memory, or by a few steps.

A measurement is believed where its repeats agree, and is then remembered beside
the cache of compiled programs; on a busy machine it is taken again.
"""

import hashlib
import math
import os
import time

import jax
import jax.numpy as jnp

from ganjax import files
from ganjax.training import mappings

_STEPS = 4  # of a trial, at most
_SECONDS = 0.1  # that a trial takes at least, by repeating its steps
_ROUNDS = 8  # of trials of all mappings, at most
_AGREEMENT = 1.15  # between the two fastest trials of a mapping
_SLOWER = 2.0  # than the fastest: such a mapping is not tried again


def by_rule(convolutional):
  """Returns the name of the mapping that is usually the fastest.

  Members that train in step would make grouped convolutions of theirs, and XLA
  on a CPU is slow at convolutions within loops.

  Args:
    convolutional: whether there are convolutions in a run.
  """
  if not convolutional:
    return 'vmap'
  return 'steps' if jax.default_backend() == 'cpu' else 'map'


def fastest(training, shares, shared, pool, announce):
  """Returns the name of the mapping by which these runs take least time.

  Of a training that is one step, a whole run, nothing is timed; otherwise each
  mapping takes a few steps of copies of the runs.

  Args:
    training: a `population.Training`.
    shares: as in `mappings.on_devices`.
    shared: as there.
    pool: as there.
    announce: is given a sentence on what was chosen, and why.
  """
  if training.steps == 1:
    mapping = by_rule(_convolves(training, shares[0], shared[0]))
    announce(
      f'Runs go by {mapping!r}, as a rule: whole runs are not timed. Another '
      'mapping can be given.'
    )
    return mapping
  training = mappings.without_evaluations(training)
  path = _place(training, shares, shared)
  if remembered := _remembered(path):
    announce(f'Runs go by {remembered!r}, as was measured before.')
    return remembered
  announce('Timing a few steps of each mapping of the runs ...')
  times, agreed = _times(training, shares, shared, pool)
  mapping = min(times, key=times.get)
  announce(
    f'Runs go by {mapping!r}; a step and run takes '
    + ', '.join(f'{1000 * own:.2f} ms by {name}' for name, own in times.items())
    + ('.' if agreed else '. The machine is busy; the next time is measured.')
  )
  if agreed:
    _remember(path, {'mapping': mapping, 'seconds': times})
  return mapping


def _convolves(training, share, data):
  state, numbers = jax.tree.map(lambda leaf: leaf[0], share)
  program = jax.make_jaxpr(training.evaluate)(state, numbers, data)
  return 'conv_general_dilated' in f'{program}'


def _times(training, shares, shared, pool):
  """Returns the seconds of a step and run by mapping, and whether they agree.

  All mappings are tried in turn, so that other work on the machine slows all of
  them, until the two fastest trials of each agree.
  """
  number = min(_STEPS, training.every)
  runs = sum(len(jax.tree.leaves(states)[0]) for states, _ in shares)

  def trial(advance, repeats=1):
    """Returns the seconds that all devices take together."""
    members = jax.block_until_ready(jax.tree.map(jnp.copy, shares))
    begun = time.monotonic()
    for _ in range(repeats):
      done = mappings.on_devices(advance, members, shared, pool)
      members = [
        (states, numbers)
        for (states, _), (_, numbers) in zip(done, members, strict=True)
      ]
    jax.block_until_ready(members)
    return (time.monotonic() - begun) / (repeats * number * runs)

  programs: dict = {}
  tries: dict = {}
  for name, make in mappings.MAPPINGS.items():
    advance = make(training, number)
    trial(advance)  # It compiles.
    first = trial(advance)
    repeats = math.ceil(_SECONDS / (first * number * runs))
    programs[name] = advance, min(max(repeats, 1), 100)
    tries[name] = [first] if repeats <= 1 else []
  for _ in range(_ROUNDS):
    best = min((min(own) for own in tries.values() if own), default=math.inf)
    unsure = [name for name, own in tries.items() if not _sure(own, best)]
    for name in unsure:
      tries[name].append(trial(*programs[name]))
    if not unsure:
      break
  times = {name: min(own) for name, own in tries.items()}
  best = min(times.values())
  return times, all(_sure(own, best) for own in tries.values())


def _sure(tries, best):
  """Returns whether a mapping's trials agree, or are all far from the best."""
  if len(tries) < 2:
    return False
  first, second = sorted(tries)[:2]
  return second <= _AGREEMENT * first or first >= _SLOWER * best


def _place(training, shares, shared):
  """Returns the path of what is remembered of these runs on this machine."""
  program = mappings.vmapped(training, 1).lower(*shares[0], shared[0])
  parts = [
    program.as_text(),
    f'{len(shares)} of {jax.devices()[0].device_kind}',
    f'{os.cpu_count()} cores, jax {jax.__version__}',
  ]
  digest = hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:20]
  return files.folder() / 'mappings' / f'{digest}.json'


def _remembered(path):
  """Returns the name of the mapping in a file; None where there is none."""
  try:
    found = files.read_json(path)['mapping']
  except (OSError, ValueError, KeyError, TypeError):
    return None
  return found if found in mappings.MAPPINGS else None


def _remember(path, about):
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, files.versioned(about))
  except OSError:
    return  # A cache that cannot be written is no reason to stop.
