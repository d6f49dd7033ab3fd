"""Growth: a run in stages, each at twice the resolution of the one before.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", 2018, arXiv:1710.10196, section 2 and appendix A: a stage fades in,
and is then held. Stage s has images of 4 * 2^s pixels.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp


class Period(NamedTuple):
  """A stretch of training at one stage.

  Attributes:
    stage: its number; None where a run does not grow.
    fade: steps in which it fades in, at the period's beginning.
    hold: steps after that.
  """

  stage: int | None
  fade: int
  hold: int


def plan(first, last, images, fade, hold, rows):
  """The `Period`s of a run: a tuple, from stage `first` to stage `last`.

  Nothing fades in at the first stage, and the last is held to the end. A run
  with too few images for all of it ends at an earlier stage.

  Args:
    first: stage that the run begins with.
    last: stage that it may reach.
    images: shown in the whole run.
    fade: images seen while a stage fades in.
    hold: images seen while it is held.
    rows: `stage -> images` that a step shows.

  Raises:
    ValueError: if there is no such stage, or a length is negative.
  """
  if not 0 <= first <= last:
    raise ValueError(
      f'Growth cannot begin with {4 * 2**first:g} pixels and end with '
      f'{4 * 2**last}; begin with a power of two from 4 up to the latter.'
    )
  if fade < 0 or hold < 0:
    raise ValueError(
      f'A stage fades in over {fade} images and is held for {hold}; neither '
      'can be negative.'
    )
  periods, left = [], images
  for stage in range(first, last + 1):
    if left <= 0:
      break
    fading = min(fade, left) if stage > first else 0
    held = left - fading if stage == last else min(hold, left - fading)
    periods.append(
      Period(stage, *(math.ceil(n / rows(stage)) for n in (fading, held)))
    )
    left -= fading + held
  return tuple(periods)


def alpha(step, first, fade):
  """How far a stage has faded in, from 0 to 1, before a step.

  Args:
    step: of the run; may be traced.
    first: step at which the stage begins.
    fade: steps that fading takes; 0 is over at once.
  """
  return jnp.clip((step - first) / fade, 0.0, 1.0) if fade else 1.0
