"""Training on a host: what happens between dispatches."""

import contextlib
import math
import pathlib
import resource
import sys
import time
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from ganjax import pictures
from ganjax.data import images
from ganjax.metrics import diversity
from ganjax.training import checkpoint, log, signals, warnings
from ganjax.training.dispatch import Loader, dispatches, images_seen


class Run(NamedTuple):
  """What a training run does, apart from the state it is in.

  Attributes:
    phases: a tuple of `dispatch.Phase`.
    loader: a `dispatch.Loader`, how data reach the steps.
    mesh: with an axis 'data'.
    together: steps in one dispatch.
    reference: some reals, uint8 `[N, H, W, C]`, to judge the samples by.
    every: an `Every`.
  """

  phases: tuple
  loader: Loader
  mesh: Any
  together: int
  reference: np.ndarray
  every: Any


class Every(NamedTuple):
  """How many images are seen between two logs, sample grids, checkpoints."""

  log: int
  samples: int
  checkpoint: int


def fit(run, state, workdir, manager, config, announce=tqdm.write):
  """The state after training; short of its end where a signal asked to leave.

  Writes metrics, sample grids and checkpoints under `workdir`. SIGTERM and
  Ctrl-C save and leave; a second signal ends the process at once.

  Args:
    run: a `Run`.
    state: the `TrainState` to go on from, on the mesh; its buffers are donated.
    workdir: an existing folder.
    manager: of `checkpoint.manager`.
    config: JSON values, kept with each checkpoint.
    announce: is told in words what a user should know.

  Raises:
    FloatingPointError: if a metric is not finite; the last checkpoint is from
      before that.
    OSError: if the disk is full.
  """
  main = jax.process_index() == 0
  step, total = int(state.step), images_seen(run.phases, math.inf)
  done = images_seen(run.phases, step)
  announce = announce if main else lambda words: None
  journal = log.start(workdir, done) if main else log.silent()
  real_spread = float(diversity.pairwise_distance(images.scale(run.reference)))
  bar = tqdm(
    total=total,
    initial=done,
    unit='img',
    unit_scale=True,
    dynamic_ncols=True,
    disable=None if main else True,
  )

  def evaluate(phase):
    samples = jax.jit(phase.sample, static_argnums=1)(state, 64)
    samples = pictures.finest(samples)
    picture = pictures.grid(samples)
    if main:
      pictures.save(workdir / 'samples' / f'{done:010d}.png', picture)
    journal.picture(done, 'samples', picture)
    return float(diversity.pairwise_distance(samples))

  def compiled(phase, steps, seconds):
    compiling.append(seconds)
    what = f' for {phase.title}' if phase.title else ''
    announce(f'Compiled {steps} step(s) a dispatch{what} in {seconds:.1f} s.')

  workdir = pathlib.Path(workdir)
  (workdir / 'samples').mkdir(exist_ok=True)
  if step == 0:
    evaluate(run.phases[0])
  progress = dispatches(
    run.phases, state, run.loader, run.mesh, run.together, compiled
  )
  tell = cost(run.phases, announce)
  pending, compiling, alarms, told = [], [], {}, set()
  logged, clock = done, time.monotonic()
  with contextlib.closing(journal), bar, signals.catch() as stop:
    for phase, state, metrics, step in progress:
      pending.append(metrics)
      before, done = done, images_seen(run.phases, step)
      logs, sample, save = (
        done == total or done // images > before // images
        for images in run.every
      )
      leave = signals.agreed(stop, logs)
      # The host stays one dispatch ahead of the devices.
      jax.block_until_ready(pending[-2:][0])
      bar.update(done - before)
      tell(phase, metrics, step)
      if not (logs or sample or save or leave):
        continue
      means = _means(pending, step, run.phases)
      waited = sum(compiling)
      pace = (done - logged) / (time.monotonic() - clock - waited)
      means['images_per_second'] = pace
      if compiling:
        means['compile_seconds'] = waited
      journal.scalars(done, means)
      words = (
        f'loss G {means["loss/generator"]:.3f} '
        f'D {means["loss/discriminator"]:.3f}'
      )
      bar.set_postfix_str(words)
      if bar.disable:
        announce(f'{done}/{total} images, {pace:.0f} a second, {words}')
      checks = {'balance': warnings.on_balance(means)}
      if sample:
        checks['diversity'] = warnings.on_diversity(
          evaluate(phase), real_spread
        )
      for name, alarm in checks.items():
        # What holds at one evaluation may be gone at the next.
        if alarm and alarms.get(name) and name not in told:
          announce(f'Warning after {done} images: {alarm}')
          told.add(name)
      alarms |= checks
      if save or leave:
        checkpoint.save(manager, step, state, config)
      if leave:
        break
      compiling.clear()
      pending, logged, clock = [], done, time.monotonic()
  checkpoint.wait(manager)
  return state


def cost(phases, announce):
  """`(phase, metrics, step)`, which says once for each stage what it costs.

  To be called after each dispatch. What is measured are the 100 steps, in whole
  dispatches, after the first dispatch of a program in a phase. Phases with the
  same step are a stage; the pace of the stages to come is not known.

  Args:
    phases: a sequence of `dispatch.Phase`.
    announce: is told, in a sentence, images a second, the time to the end of
      the stage, and the most memory that was held.
  """
  told, measured, first, since = set(), None, 0, 0.0

  def tell(phase, metrics, step):
    nonlocal measured, first, since
    if phase.step in told:
      return
    program = phase, len(jax.tree.leaves(metrics)[0])
    if program == measured and step < first + 100:
      return
    jax.block_until_ready(metrics)
    now = time.monotonic()
    if program != measured:
      measured, first, since = program, step, now
      return
    told.add(phase.step)
    pace = phase.rows * (step - first) / (now - since)
    last = max(
      number
      for number, other in enumerate(phases, 1)
      if other.step is phase.step
    )
    left = images_seen(phases[:last], math.inf) - images_seen(phases, step)
    end = 'the end' if last == len(phases) else 'the end of this stage'
    announce(
      f'{pace:,.1f} images a second: {_duration(left / pace)} to {end} at this '
      f'pace, {_peak()} at its peak.'
    )

  return tell


def _duration(seconds):
  hours = seconds / 3600
  return f'{hours:.1f} hours' if hours > 1.5 else f'{60 * hours:.1f} minutes'


def _peak():
  """The most memory that was held so far, in words."""
  stats = jax.local_devices()[0].memory_stats() or {}
  if 'peak_bytes_in_use' in stats:
    return f'device memory {stats["peak_bytes_in_use"] / 2**30:.2f} GiB'
  # In KiB; on macOS in bytes.
  unit = 1 if sys.platform == 'darwin' else 1024
  most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
  return f'main memory {most / 2**30:.2f} GiB'


def _means(pending, step, phases):
  """Metrics averaged over the pending dispatches, which end before `step`."""
  parts = jax.device_get(pending)
  series = {
    name: np.concatenate([part[name] for part in parts]) for name in parts[0]
  }
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
      f'At step {at}, after {images_seen(phases, at)} images, '
      f'{", ".join(names)} '
      'became infinite or undefined, and training stopped. The checkpoints '
      'are from before that. Lower a learning rate or the weight of a penalty '
      'and start in a new workdir.'
    )
  return {name: float(values.mean()) for name, values in series.items()}
