"""Figures and a film of samples over training, a row or panel for each name."""

import itertools

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize, PowerNorm, to_rgb
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from ganjax import files
from ganjax.reports.figures.layout import (
  COLOURS,
  GREYS,
  count_axis,
  panels,
  styled,
)


@styled
def samples_over_time(results, reals, evaluations=7, classes=1):
  """Returns the figure of the samples of remedies during training, row by row.

  The reals are grey under the samples, and alone in the last column. All panels
  have the limits of the square around the reals; where more than a hundredth of
  the samples are outside, or not finite, the panel says what share.

  Args:
    results: from a remedy's name to `(steps [T], samples [T, n, 2])`.
    reals: `[n, 2]`.
    evaluations: columns, at most; evenly chosen, the first and the last
      included.
    classes: how many labels there are: sample i has the colour of the label i
      mod classes.

  Raises:
    ValueError: if there is no remedy, or `steps` and `samples` differ in T.
  """
  low, high = limits = _limits(reals)

  def draw(axes, samples):
    _cloud(axes, reals, GREYS[1])
    for label in range(classes):
      _cloud(axes, samples[label::classes], COLOURS[label % len(COLOURS)])
    _frame(axes, limits)
    outside = 1 - np.mean(np.all((low < samples) & (samples < high), -1))
    if outside > 0.01:
      axes.set_xlabel(f'{outside:.0%} outside', fontsize=6, labelpad=2)

  def draw_reals(axes):
    _cloud(axes, reals, 'black')
    _frame(axes, limits)

  return _over_time(results, evaluations, draw, draw_reals)


@styled
def images_over_time(results, reals, evaluations=7):
  """Returns the figure of the images of remedies during training, row by row.

  Args:
    results: from a remedy's name to `(steps [T], grids [T, H, W, C])`, each
      grid of images uint8, as `ganjax.pictures.grid` makes it.
    reals: a grid `[H, W, C]` of reals, for the last column.
    evaluations: columns, at most; evenly chosen, the first and the last
      included.

  Raises:
    ValueError: if there is no remedy, or `steps` and `grids` differ in T.
  """

  def draw(axes, grid):
    grey = grid.shape[-1] == 1
    axes.imshow(grid[..., 0] if grey else grid, 'gray', vmin=0, vmax=255)
    _bare(axes)

  # Grids of images need more room than clouds of points.
  return _over_time(
    results, evaluations, draw, lambda axes: draw(axes, reals), 1.3
  )


@styled
def occupancy(results):
  """Returns the figure of the samples in each mode during training.

  The modes are the rows and the steps the columns. A generator that has
  collapsed and one that rotates from mode to mode may capture the same number
  of modes at each evaluation; only this figure distinguishes the two.

  Args:
    results: from a remedy's name to `(steps [T], occupancy [T, K])`: the share
      of the samples in each mode, in [0, 1]. T is at least 2.

  Raises:
    ValueError: if there is no remedy, or `steps` and `occupancy` differ in T.
  """
  # The square root makes an even share of many modes visible beside the whole
  # in one.
  figure, bar = _maps(results, 1, PowerNorm(0.5, 0, 1), 'mode')
  bar.set_label('share of samples')
  bar.set_ticks([0, 0.05, 0.25, 0.5, 1], minor=False)
  return figure


@styled
def captured_by_label(results):
  """Returns the figure of the modes that each label captures during training.

  The labels are the rows, from 0, and the steps the columns.

  Args:
    results: from a remedy's name to `(steps [T], captured [T, L])`: the share
      of its modes that each label captures, in [0, 1]. T is at least 2.

  Raises:
    ValueError: if there is no remedy, or `steps` and `captured` differ in T.
  """
  figure, bar = _maps(results, 0, Normalize(0, 1), 'label')
  bar.set_label('share of its modes captured')
  return figure


def _maps(results, first, norm, word):
  """Returns a figure with a map of shares for each remedy, and its colour bar.

  Args:
    results: from a remedy's name to `(steps [T], shares [T, K])`.
    first: the number of the first row.
    norm: of the colours.
    word: what a row is.
  """
  figure, places = panels(len(results), 2, (3, 0.9), sharex=True, sharey=True)
  for axes, (name, (steps, shares)) in zip(
    places, _checked(results).items(), strict=True
  ):
    mesh = axes.pcolormesh(
      steps,
      first + np.arange(shares.shape[1]),
      shares.T,
      norm=norm,
      cmap='Blues',
      rasterized=True,
    )
    axes.set_title(name)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    count_axis(axes, 5)
  figure.supxlabel('step')
  figure.supylabel(word)
  bar = figure.colorbar(mesh, ax=places, aspect=12 * len(places) ** 0.5)
  bar.ax.yaxis.set_major_formatter(PercentFormatter(1, 0, ' %'))
  bar.outline.set_visible(False)
  return figure, bar


@styled
def animation(path, results, reals, frames=60, seconds=8):
  """Writes a film of the samples of remedies, with a frame per evaluation.

  It loops, and rests for two seconds at the end. Sixty frames of a dozen
  remedies are about 1 MB; of fifteen whose samples never settle, 3.

  Args:
    path: whose ending chooses the format: gif or webp, among others.
    results: from a remedy's name to `(steps [T], samples [T, n, 2])`, with the
      same steps for all.
    reals: `[n, 2]`; in grey under the samples, and what sets the limits.
    frames: at most; evenly chosen, the first and the last included.
    seconds: that the film takes, without the rest.

  Raises:
    ValueError: if there is no remedy, or `steps` and `samples` differ in T.
  """
  figure, places = panels(len(results), 5, (1.3, 1.45))
  figure.set_dpi(100)
  canvas, limits, clouds = FigureCanvasAgg(figure), _limits(reals), []
  for axes, name in zip(places, results, strict=True):
    axes.set_title(name)
    _cloud(axes, reals, GREYS[1])
    clouds.append(_cloud(axes, np.zeros((0, 2)), COLOURS[0]))
    _frame(axes, limits)
  every = list(_checked(results).values())
  steps = every[0][0]
  caption = figure.supxlabel('step')
  canvas.draw()
  # What is laid out must not move from frame to frame.
  figure.set_layout_engine('none')
  film, ink = [], _ink()
  for evaluation in _evenly(len(steps), frames):
    for cloud, (_, samples) in zip(clouds, every, strict=True):
      cloud.set_offsets(samples[evaluation])
    caption.set_text(f'step {steps[evaluation]:,}')
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert('RGB')
    film.append(picture.quantize(palette=ink, dither=Image.Dither.NONE))
  milliseconds = [round(1000 * seconds / len(film))] * len(film)
  milliseconds[-1] += 2000
  timing = {'duration': milliseconds, 'loop': 0}
  with files.whole(path) as unfinished:
    film[0].save(
      unfinished, 'gif', save_all=True, append_images=film[1:], **timing
    )


def _ink():
  """Returns a palette for all frames; one for each would lose rare colours."""
  ends = [to_rgb(name) for name in ('white', GREYS[1], 'black', COLOURS[0])]
  mixed = [
    np.linspace(one, other, 8) for one, other in itertools.combinations(ends, 2)
  ]
  palette = Image.new('P', (1, 1))
  shades = np.round(255 * np.concatenate(mixed)).astype(np.uint8)
  palette.putpalette(shades.tobytes())
  return palette


def _over_time(results, evaluations, draw, draw_reals, side=0.95):
  """Returns a row for each remedy: its evaluations, and the data at the end.

  Panels are squares, whose side is in inches.
  """
  results = _checked(results)
  columns = 1 + max(
    (min(evaluations, len(steps)) for steps, _ in results.values()), default=1
  )
  figure, places = panels(len(results) * columns, columns, (side, side))
  places, above = iter(places), None
  for name, (steps, values) in results.items():
    row = list(itertools.islice(places, columns))
    for axes in row:
      axes.set_axis_off()
    for axes, evaluation in zip(
      row, _evenly(len(steps), evaluations), strict=False
    ):
      axes.set_axis_on()
      draw(axes, values[evaluation])
      if not np.array_equal(steps, above):
        word = 'step ' if axes is row[0] else ''
        axes.set_title(f'{word}{steps[evaluation]:,}', pad=3)
        row[-1].set_title('data', pad=3)
    above = steps
    row[0].set_ylabel(name, rotation=0, ha='right', va='center')
    row[-1].set_axis_on()
    draw_reals(row[-1])
  return figure


def _checked(results):
  """Returns the results as arrays, with one step for each evaluation."""
  for name, (steps, values) in results.items():
    if len(steps) != len(values):
      raise ValueError(
        f'{name!r} has {len(steps)} steps and {len(values)} evaluations: '
        'pass one step for each evaluation'
      )
  return {
    name: (np.asarray(steps), np.asarray(values))
    for name, (steps, values) in results.items()
  }


def _evenly(number, count):
  """Returns `count` indices below `number`, or all, evenly with both ends."""
  return np.linspace(0, number - 1, min(count, number)).round().astype(int)


def _limits(reals):
  """Returns the lower and the upper corner of the square around the reals."""
  low, high = np.min(reals, 0), np.max(reals, 0)
  half = 0.65 * np.max(high - low)
  return (low + high) / 2 - half, (low + high) / 2 + half


def _cloud(axes, points, colour):
  return axes.scatter(
    *np.asarray(points).T, 3, colour, alpha=0.35, linewidth=0, rasterized=True
  )


def _frame(axes, limits):
  left, right = zip(*limits, strict=True)
  axes.set(xlim=left, ylim=right, aspect='equal')
  _bare(axes)


def _bare(axes):
  axes.set(xticks=[], yticks=[])
  axes.spines[:].set(visible=True, color=GREYS[1], linewidth=0.4)
