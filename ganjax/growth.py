"""Progressive growing: a run in stages, each of twice the resolution before.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", 2018, arXiv:1710.10196, section 2 and appendix A: a stage fades in,
and is then held. The images of stage s have 4 * 2^s pixels on each side.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from ganjax.arrays import Scalar


class Period(NamedTuple):
  """A part of a training run that is spent at one stage.

  Attributes:
    stage: the number of the stage; None in a run that does not grow.
    fade: steps in which the stage fades in, at the beginning of the period.
    hold: steps after the fade.
  """

  stage: int | None
  fade: int
  hold: int


def resolution(stage: int) -> int:
  """Returns the side in pixels of the images of a stage, 0 being 4 pixels."""
  return 4 * 2**stage


def stage_of(side: int) -> int:
  """Returns the number of the stage whose images have a side of `side` pixels.

  Raises:
    ValueError: if `side` is not a power of two from 4 on.
  """
  stage = side.bit_length() - 3
  if stage < 0 or side != resolution(stage):
    raise ValueError(
      f'Images of {side} pixels belong to no stage: stages begin with 4 pixels '
      'and double them. Choose a resolution that is a power of two from 4 on.'
    )
  return stage


def plan(
  first: int,
  last: int,
  images: int,
  fade: int,
  hold: int,
  rows: Callable[[int], int],
) -> tuple[Period, ...]:
  """Returns the `Period`s of a run, a tuple, from stage `first` to `last`.

  Nothing fades in at the first stage, and the last is held to the end. A run
  with too few images for all of its stages ends at an earlier one.

  Args:
    first: the stage that the run begins with.
    last: the last stage that it may reach.
    images: images that the discriminator sees in the whole run.
    fade: images seen while a stage fades in, at least 0.
    hold: images seen while a stage is held, at least 0.
    rows: a function `stage -> images` that a step takes.

  Raises:
    ValueError: if `first` is not from 0 to `last`, or a length is negative.
  """
  if not 0 <= first <= last:
    raise ValueError(
      f'Growth cannot begin with {resolution(first):g} pixels and end with '
      f'{resolution(last)}; begin with a power of two from 4 up to the latter.'
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


def continues(before: tuple[Period, ...], longer: tuple[Period, ...]) -> bool:
  """Returns whether all that a plan does is what a longer one begins with.

  It is not where the shorter plan ends while a stage fades in.

  Args:
    before: the `Period`s of the shorter plan.
    longer: those of a plan with more images, and otherwise the same.
  """
  *whole, last = before
  own = longer[len(whole)]
  return (
    whole == list(longer[: len(whole)])
    and last.fade == own.fade
    and last.hold <= own.hold
  )


def alpha(step: Scalar, first: int, fade: int) -> Scalar:
  """Returns how far a stage has faded in before a step, in [0, 1].

  Args:
    step: the number of the step in the run; may be traced.
    first: the step at which the stage begins.
    fade: steps that the fade takes; with 0 it is complete at once.
  """
  return jnp.clip((step - first) / fade, 0.0, 1.0) if fade else 1.0
