"""The loop of every training, on the host: what happens between dispatches.

What is trained is anything with phases: the two players of a GAN, or a network
for style transfer. The loop logs metrics, draws samples, saves and resumes.
"""

import contextlib
import functools
import math
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from ganjax import parallel, pictures
from ganjax.training import (
  checkpoint,
  compiled_cost,
  cost,
  divergence,
  evaluations,
  log,
  page,
  progress,
  signals,
)
from ganjax.training.dispatch import Loader, dispatches, images_seen


class Every(NamedTuple):
  """How many images lie between two logs, sample grids, and so on."""

  log: int
  samples: int
  checkpoint: int
  evaluate: float = math.inf


def _summary(means):
  return ', '.join(f'{name} {mean:.4g}' for name, mean in means.items())


class Run(NamedTuple):
  """What a training does, apart from the state that it is in.

  Attributes:
    phases: a tuple of `dispatch.Phase`.
    loader: a `dispatch.Loader`, how batches reach the steps.
    mesh: with an axis 'data'.
    steps_together: how many steps are one dispatch.
    every: an `Every`.
    samples: how many images a sample grid asks the phase for.
    columns: of the sample grid; about as many as its rows where None.
    keep: how many checkpoints to keep; the oldest are deleted.
    summary: from the means of the metrics, by name, to a few words for the
      progress bar.
    metrics_warning: from these means to a sentence where something goes wrong,
      or None.
    samples_warning: from the images of a sample grid to a sentence likewise.
    evaluation: an `evaluations.Evaluation`; None evaluates nothing.
    begin: `state -> state`, done to the first state of a new training.
    page: `workdir -> None`, which writes a page on what is there so far.
    note: `(workdir, values) -> None`, which keeps JSON values by name with the
      run: `memory`, what its largest program needs, and what was held at most.
    paper_images: the images of the run in the paper; 0 where that is not known.
    memory_advice: what needs less memory, as an imperative.
  """

  phases: tuple
  loader: Loader
  mesh: Any
  steps_together: int
  every: Every
  samples: int = 64
  columns: int | None = None
  keep: int = 3
  summary: Callable = _summary
  metrics_warning: Callable = lambda means: None
  samples_warning: Callable = lambda samples: None
  evaluation: evaluations.Evaluation | None = None
  begin: Callable = lambda state: state
  page: Callable = lambda workdir: None
  note: Callable = lambda workdir, values: None
  paper_images: int = 0
  memory_advice: str = 'choose a smaller batch'


def fit(run, start, workdir, config, announce=tqdm.write):
  """Trains from the newest checkpoint, or from the start, to the end.

  Writes `metrics.jsonl`, `tensorboard/`, `samples/` and `checkpoints/` under
  the workdir, and the best state to `checkpoints/best/`. SIGTERM, SIGHUP and
  Ctrl-C save and leave; a second signal leaves at once. The same call resumes,
  to the bit.

  Args:
    run: a `Run`.
    start: `() -> state`, the state that the training begins in.
    workdir: an existing folder.
    config: JSON values, saved with each checkpoint.
    announce: is given sentences that a user should read.

  Returns:
    The last state, and whether the training has reached its end.

  Raises:
    FloatingPointError: if a metric or the state is not finite; the last
      checkpoint is from before that.
    MemoryError: if the memory is full, with what a step needs of it.
    OSError: if the disk is full.
  """
  main = jax.process_index() == 0
  if not main:
    announce = _silent
  workdir = pathlib.Path(workdir)
  manager = checkpoint.manager(workdir / 'checkpoints', run.keep)
  try:
    like = checkpoint.abstract(start, run.mesh)
    state = checkpoint.restore(manager, like)
    if state is None:
      announce('Starting a new run.')
      whole = parallel.whole(run.mesh)
      state = run.begin(jax.jit(start, out_shardings=whole)())
      state = jax.device_put(state, whole)
    else:
      done = images_seen(run.phases, int(state.step))
      announce(f'Resuming after {done} images.')
    note = functools.partial(run.note, workdir) if main else lambda values: None
    with compiled_cost.watched(run.memory_advice, announce, note) as expect:
      state = _fit(run, state, workdir, manager, config, announce, expect)
  finally:
    checkpoint.close(manager)
  done, total = (
    images_seen(run.phases, step) for step in (int(state.step), math.inf)
  )
  if done < total:
    announce(
      f'Stopped by a signal after {done} of {total} images; the same command '
      'goes on from there.'
    )
  return state, done >= total


def _silent(sentence):
  """Says nothing: of several processes the first one speaks for all."""


def _fit(run, state, workdir, manager, config, announce, expect_memory):
  """Returns the state at the end, or where a signal asked to stop."""
  main = jax.process_index() == 0
  step, total = int(state.step), images_seen(run.phases, math.inf)
  done = images_seen(run.phases, step)
  journal = log.start(workdir, done) if main else log.silent()
  bar = tqdm(
    total=total,
    initial=done,
    unit='img',
    unit_scale=True,
    dynamic_ncols=True,
    disable=None if main else True,
  )

  def draw(phase):
    """Writes the sample grid of now; returns its images."""
    samples = jax.jit(phase.sample, static_argnums=1)(state, run.samples)
    samples = pictures.finest(samples)
    pictures.check_finite(pictures.finite(samples), f'step {int(state.step):,}')
    picture = pictures.grid(samples, run.columns)
    if main:
      pictures.save(workdir / 'samples' / f'{done:010d}.png', picture)
    journal.picture(done, 'samples', picture)
    return samples

  def of(phase):
    return f' for {phase.title}' if phase.title else ''

  def begin_compiling(phase, steps):
    announce(f'Compiling {steps} step(s) a dispatch{of(phase)} ...')

  def compiled(phase, steps, seconds, program):
    compiling.append(seconds)
    announce(
      f'Compiled {steps} step(s) a dispatch{of(phase)} in {seconds:.1f} s: '
      f'{compiled_cost.in_words(expect_memory(program))}.'
    )

  advance = dispatches(
    *(run.phases, state, run.loader, run.mesh, run.steps_together),
    *(compiled, begin_compiling),
  )
  announce_cost = cost.announcer(
    run.phases, announce, run.mesh.size, run.paper_images
  )
  warn = _warner(announce)
  write_page = page.writer(lambda: run.page(workdir), announce)
  evaluator = evaluations.evaluator(
    run.evaluation, workdir / 'checkpoints' / 'best', config, announce
  )
  say_progress = progress.lines(announce, done, total)
  pending, compiling, evaluating, words = [], [], 0.0, ''
  with (
    contextlib.closing(journal),
    bar,
    evaluator as evaluate,
    signals.catch() as stop,
  ):
    if main:
      _forget_later(workdir / 'samples', done)
    if step == 0:
      draw(run.phases[0])
    logged, clock = done, time.monotonic()
    for phase, state, metrics, step in advance:
      pending.append(metrics)
      before, done = done, images_seen(run.phases, step)
      logs, sample, save, measure = (
        done == total or done // images > before // images
        for images in run.every
      )
      leave = signals.agreed(stop, ask=logs)
      # The host stays one dispatch ahead of the devices.
      jax.block_until_ready(pending[-2:][0])
      bar.update(done - before)
      if bar.disable:
        say_progress(done, words)
      announce_cost(phase, metrics, step, evaluating)
      if not (logs or sample or save or measure or leave):
        continue
      means = _means(pending, step, run.phases)
      words = run.summary(means)
      waited = sum(compiling)
      pace = (done - logged) / (time.monotonic() - clock - waited)
      timed = {'images_per_second': pace}
      if compiling:
        timed['compile_seconds'] = waited
      if save or measure or leave:
        divergence.check_state(state)
      # Also where a signal ends the run: it goes on behind this moment.
      measured = evaluate(state, step, done) if measure else {}
      evaluating += measured.get('evaluation_seconds', 0.0)
      journal.scalars(done, means | timed | measured)
      bar.set_postfix_str(words)
      warn('metrics', done, run.metrics_warning(means))
      if sample:
        warn('samples', done, run.samples_warning(draw(phase)))
      if save or leave:
        checkpoint.save(manager, step, state, config)
      if leave:
        break
      if sample and main:
        write_page()
      compiling.clear()
      pending, logged, clock = [], done, time.monotonic()
  checkpoint.wait(manager)
  if main:
    write_page(last=True)
  return state


def _forget_later(folder, images):
  """Removes sample grids that a run drew after more images than it has seen."""
  folder.mkdir(exist_ok=True)
  for path in folder.glob(10 * '[0-9]' + '.png'):
    if int(path.stem) > images:
      path.unlink()


def _warner(announce):
  """Returns `(topic, images, sentence)`, which warns once of each topic.

  It does so when there is a sentence at two evaluations in a row: what holds at
  one may be gone at the next.
  """
  last, announced = {}, set()

  def warn(topic, images, sentence):
    if sentence and last.get(topic) and topic not in announced:
      announce(f'Warning after {images} images: {sentence}')
      announced.add(topic)
    last[topic] = sentence

  return warn


def _means(pending, step, phases):
  """Returns metrics averaged over the dispatches that end before a step."""
  parts = jax.device_get(pending)
  series = {
    name: np.concatenate([part[name] for part in parts]) for name in parts[0]
  }
  divergence.check_metrics(series, step, lambda at: images_seen(phases, at))
  return {name: float(values.mean()) for name, values in series.items()}
