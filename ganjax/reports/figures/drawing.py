"""Figures of what remedies do over training: samples, images, modes.

Each function returns a `matplotlib.figure.Figure` and leaves pyplot and its
settings alone; `save` writes it. The colours are those of Okabe and Ito, which
colour-blind readers can tell apart.
"""

import itertools
import math
import pathlib

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter
from PIL import Image

COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
GREYS = ('#F1F1F1', '#BBBBBB', '#888888')
_CAPTION = 0.4  # inches, for what is written under all panels

styled = matplotlib.rc_context(
  {
    'font.size': 8,
    'axes.titlesize': 8,
    'axes.labelsize': 8,
    'axes.linewidth': 0.6,
    'axes.edgecolor': GREYS[2],
    'axes.spines.top': False,
    'axes.spines.right': False,
    'figure.labelsize': 8,
    'xtick.labelsize': 7,
    'ytick.labelsize': 7,
    'xtick.major.size': 2.5,
    'ytick.major.size': 2.5,
    'legend.frameon': False,
    'lines.linewidth': 1.2,
  }
)
"""Decorates a function that draws: the settings hold while it runs."""


def panels(number, columns, size, **shared):
  """A figure and `number` axes in it, row by row.

  Args:
    number: of panels, at least 1.
    columns: at most; fewer where that fills the last row better.
    size: width and height of a panel, inches.
    **shared: `sharex` and `sharey`, as of `Figure.subplots`.

  Raises:
    ValueError: if `number` is 0.
  """
  if not number:
    raise ValueError(
      'there are 0 results to draw, but a figure needs at least 1: pass a dict '
      'with an entry for each panel'
    )
  rows = math.ceil(number / columns)
  columns = math.ceil(number / rows)
  figure = Figure(
    (columns * size[0], rows * size[1] + _CAPTION), layout='compressed'
  )
  axes = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
  for place in range(number, rows * columns):
    axes[place].set_visible(False)
    # The panel above an empty place is the last of its column.
    axes[place - columns].xaxis.set_tick_params(labelbottom=True)
  return figure, list(axes[:number])


def save(figure, path):
  """Writes the figure; equal figures make equal files, whatever the day.

  Args:
    figure: of this module, or any other.
    path: whose ending chooses the format: png, pdf or svg. Text stays text
      in the latter two.
  """
  undated = {
    '.png': {'Software': None},
    '.pdf': {'CreationDate': None},
    '.svg': {'Date': None},
  }
  fixed = {'svg.hashsalt': 'ganjax', 'svg.fonttype': 'none', 'pdf.fonttype': 42}
  with matplotlib.rc_context(fixed):
    figure.savefig(
      path,
      dpi=200,
      bbox_inches='tight',
      pad_inches=0.03,
      metadata=undated.get(pathlib.Path(path).suffix.lower()),
    )


@styled
def samples_over_time(results, reals, evaluations=7):
  """The figure of each remedy's samples while it trains: a row for a remedy.

  The reals lie in grey under the samples, and stand alone in the last column.
  All panels show the square around the reals; where more than a hundredth of
  the samples lie outside, or are not finite, the panel says how many.

  Args:
    results: from a remedy's name to `(steps [T], samples [T, n, 2])`.
    reals: `[n, 2]`.
    evaluations: columns, at most; evenly chosen, the first and the last
      included.

  Raises:
    ValueError: if there is no remedy, or `steps` and `samples` differ in T.
  """
  low, high = limits = _limits(reals)

  def show(axes, samples):
    _cloud(axes, reals, GREYS[1])
    _cloud(axes, samples, COLOURS[0])
    _frame(axes, limits)
    outside = 1 - np.mean(np.all((low < samples) & (samples < high), -1))
    if outside > 0.01:
      axes.set_xlabel(f'{outside:.0%} outside', fontsize=6, labelpad=2)

  def show_reals(axes):
    _cloud(axes, reals, 'black')
    _frame(axes, limits)

  return _over_time(results, evaluations, show, show_reals)


@styled
def images_over_time(results, reals, evaluations=7):
  """The figure of each remedy's images while it trains: a row for a remedy.

  Args:
    results: from a remedy's name to `(steps [T], grids [T, H, W, C])`, each
      grid of images uint8, as `ganjax.pictures.grid` makes it.
    reals: a grid `[H, W, C]` of reals, for the last column.
    evaluations: columns, at most; evenly chosen, the first and the last
      included.

  Raises:
    ValueError: if there is no remedy, or `steps` and `grids` differ in T.
  """

  def show(axes, grid):
    grey = grid.shape[-1] == 1
    axes.imshow(grid[..., 0] if grey else grid, 'gray', vmin=0, vmax=255)
    _bare(axes)

  return _over_time(results, evaluations, show, lambda axes: show(axes, reals))


@styled
def modes_over_time(results, total, label='modes captured'):
  """The figure of a measure over training: mean and range over the seeds.

  Up to five remedies share a panel; more than that have one each.

  Args:
    results: from a remedy's name to `(steps [T], captured [S, T])`. Values
      that are not finite are left out of the mean and of the range.
    total: number of modes that there are, or another measure's best value: a
      dashed line; None for a measure that has none.
    label: what is measured.

  Raises:
    ValueError: if there is no remedy.
  """
  together = 0 < len(results) <= 5
  if together:
    figure, [axes] = panels(1, 1, (4.6, 2.2))
    places, colours = [axes] * len(results), COLOURS
  else:
    figure, places = panels(
      len(results), 4, (1.7, 1.2), sharex=True, sharey=True
    )
    colours = COLOURS[:1] * len(results)
  for axes, colour, (name, (steps, values)) in zip(
    places, colours, results.items(), strict=False
  ):
    values = np.ma.masked_invalid(np.asarray(values))
    axes.fill_between(
      steps, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0
    )
    axes.plot(steps, values.mean(0), color=colour, label=name)
    axes.set_title('' if together else name)
  for axes in dict.fromkeys(places):
    if total is not None:
      axes.axhline(total, color=GREYS[2], linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_ylim(0, total and 1.08 * total)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    _count(axes, 3)
  if together:
    figure.legend(loc='outside right center')
  figure.supxlabel('step')
  figure.supylabel(label)
  return figure


@styled
def occupancy(results):
  """The figure of where the samples are: modes upwards, training rightwards.

  A generator that has collapsed and one that rotates from mode to mode capture
  equally few of them at each evaluation; only this trace tells the two apart.

  Args:
    results: from a remedy's name to `(steps [T], occupancy [T, K])`: the share
      of the samples in each mode, in [0, 1]. T is at least 2.

  Raises:
    ValueError: if there is no remedy, or `steps` and `occupancy` differ in T.
  """
  figure, places = panels(len(results), 2, (3, 0.9), sharex=True, sharey=True)
  for axes, (name, (steps, shares)) in zip(
    places, _checked(results).items(), strict=True
  ):
    # The root shows an even share of many modes beside the whole in one.
    mesh = axes.pcolormesh(
      steps,
      1 + np.arange(shares.shape[1]),
      shares.T,
      norm=PowerNorm(0.5, 0, 1),
      cmap='Blues',
      rasterized=True,
    )
    axes.set_title(name)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    _count(axes, 5)
  figure.supxlabel('step')
  figure.supylabel('mode')
  bar = figure.colorbar(
    mesh,
    ax=places,
    label='share of samples',
    aspect=12 * len(places) ** 0.5,
  )
  bar.set_ticks([0, 0.05, 0.25, 0.5, 1], minor=False)
  bar.ax.yaxis.set_major_formatter(PercentFormatter(1, 0, ' %'))
  bar.outline.set_visible(False)
  return figure


@styled
def animation(path, results, reals, frames=60, seconds=8):
  """Writes a film of all remedies' samples: a panel for each, a frame an
  evaluation.

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
  for evaluation in _chosen(len(steps), frames):
    for cloud, (_, samples) in zip(clouds, every, strict=True):
      cloud.set_offsets(samples[evaluation])
    caption.set_text(f'step {steps[evaluation]:,}')
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert('RGB')
    film.append(picture.quantize(palette=ink, dither=Image.Dither.NONE))
  milliseconds = [round(1000 * seconds / len(film))] * len(film)
  milliseconds[-1] += 2000
  film[0].save(
    path, save_all=True, append_images=film[1:], duration=milliseconds, loop=0
  )


def _ink():
  """A palette for all frames; one found for each would lose rare colours."""
  ends = [to_rgb(name) for name in ('white', GREYS[1], 'black', COLOURS[0])]
  mixed = [
    np.linspace(one, other, 8) for one, other in itertools.combinations(ends, 2)
  ]
  palette = Image.new('P', (1, 1))
  shades = np.round(255 * np.concatenate(mixed)).astype(np.uint8)
  palette.putpalette(shades.tobytes())
  return palette


def _over_time(results, evaluations, show, show_reals):
  """A row for each remedy: its evaluations, and the data at the end."""
  results = _checked(results)
  most = max(
    (min(evaluations, len(steps)) for steps, _ in results.values()), default=1
  )
  figure, places = panels(len(results) * (most + 1), most + 1, (0.95, 0.95))
  places, above = iter(places), None
  for name, (steps, values) in results.items():
    row = list(itertools.islice(places, most + 1))
    for axes in row:
      axes.set_axis_off()
    for axes, evaluation in zip(
      row, _chosen(len(steps), evaluations), strict=False
    ):
      axes.set_axis_on()
      show(axes, values[evaluation])
      if not np.array_equal(steps, above):
        word = 'step ' if axes is row[0] else ''
        axes.set_title(f'{word}{steps[evaluation]:,}', pad=3)
        row[-1].set_title('data', pad=3)
    above = steps
    row[0].set_ylabel(name, rotation=0, ha='right', va='center')
    row[-1].set_axis_on()
    show_reals(row[-1])
  return figure


def _checked(results):
  """The results as numpy's arrays, one step for each evaluation."""
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


def _chosen(number, most):
  """At most `most` of the indices below `number`, evenly, with both ends."""
  return np.linspace(0, number - 1, min(most, number)).round().astype(int)


def _limits(reals):
  """The lower and the upper corner of the square around the reals."""
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


def _count(axes, most):
  """Marks at most so many steps, thousands as k."""
  axes.xaxis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
  axes.xaxis.set_major_formatter(EngFormatter(sep=''))
