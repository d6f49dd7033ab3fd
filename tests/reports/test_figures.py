"""Figures: what is drawn where, read back from the axes and the files."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from ganjax.reports.figures import curves, layout, samples, trajectories

RANDOM = np.random.default_rng(0)
STEPS = np.arange(0, 1100, 100)
REALS = RANDOM.uniform([-1, 0], [3, 2], (64, 2))
SAMPLES = RANDOM.uniform([-1, 0], [3, 2], (11, 8, 2))


def shown(figure):
  return [axes for axes in figure.axes if axes.get_visible() and axes.axison]


def offsets(axes):
  """The points of each cloud of some axes."""
  return [np.asarray(cloud.get_offsets()) for cloud in axes.collections]


def titles(figure):
  return [axes.get_title() for axes in shown(figure)]


def test_samples_stand_in_a_row_over_the_reals_and_beside_them():
  results = {'GAN': (STEPS, SAMPLES), 'R1': (STEPS, SAMPLES[::-1])}
  figure = samples.samples_over_time(results, REALS, evaluations=3)
  first, second = np.reshape(shown(figure), (2, 4))
  assert titles(figure) == ['step 0', '500', '1,000', 'data', *[''] * 4]
  assert (first[0].get_ylabel(), second[0].get_ylabel()) == ('GAN', 'R1')
  for row, order in ((first, [0, 5, 10]), (second, [10, 5, 0])):
    for axes, evaluation in zip(row, order, strict=False):
      under, over = offsets(axes)
      np.testing.assert_array_equal(under, REALS)
      np.testing.assert_array_equal(over, SAMPLES[evaluation])
    [alone] = offsets(row[-1])
    np.testing.assert_array_equal(alone, REALS)


def test_samples_of_a_label_share_a_colour():
  results = {'GAN': (STEPS, SAMPLES)}
  figure = samples.samples_over_time(results, REALS, classes=3)
  first, *_ = shown(figure)
  _, *over = offsets(first)
  for label, points in enumerate(over):
    np.testing.assert_array_equal(points, SAMPLES[0, label::3])
  colours = [tuple(own.get_facecolor()[0]) for own in first.collections]
  assert len(over) == 3
  assert len(set(colours)) == 4


def test_all_panels_show_the_same_square_around_the_reals():
  reals = np.array([[-1, 0], [3, 2], [0, 1]])
  figure = samples.samples_over_time({'GAN': (STEPS, SAMPLES)}, reals)
  for axes in shown(figure):
    # Around (1, 1), and 1.3 times as wide as the reals, which are 4 wide.
    np.testing.assert_allclose(axes.get_xlim(), [-1.6, 3.6])
    np.testing.assert_allclose(axes.get_ylim(), [-1.6, 3.6])
    assert axes.get_aspect() == 1


def test_samples_out_of_sight_are_counted():
  points = np.zeros((3, 8, 2))
  points[1, :2] = 9
  points[2] = np.nan
  figure = samples.samples_over_time({'GAN': (STEPS[:3], points)}, REALS)
  words = [axes.get_xlabel() for axes in shown(figure)]
  assert words == ['', '25% outside', '100% outside', '']


def test_remedies_with_other_steps_have_their_own():
  results = {'GAN': (STEPS, SAMPLES), 'R1': (STEPS[:2], SAMPLES[:2])}
  figure = samples.samples_over_time(results, REALS, evaluations=3)
  assert titles(figure)[4:] == ['step 0', '100', 'data']


def test_images_are_drawn_pixel_by_pixel():
  grids = RANDOM.integers(0, 256, (11, 4, 6, 3), dtype=np.uint8)
  figure = samples.images_over_time(
    {'GAN': (STEPS, grids)}, grids[3], evaluations=2
  )
  pixels = [axes.images[0].get_array() for axes in shown(figure)]
  np.testing.assert_array_equal(pixels, grids[[0, 10, 3]])
  figure = samples.images_over_time(
    {'GAN': (STEPS, grids[..., :1])}, grids[3, ..., :1], evaluations=2
  )
  [image, *_] = [axes.images[0] for axes in shown(figure)]
  np.testing.assert_array_equal(image.get_array(), grids[0, ..., 0])
  # As bright as it is, however bright the others are.
  assert image.get_clim() == (0, 255)


@pytest.mark.parametrize(('number', 'panels'), [(5, 1), (6, 6), (11, 11)])
def test_modes_are_drawn_as_mean_and_range(number, panels):
  captured = np.array([[1, 2, np.nan], [3, 8, 5], [5, 5, np.nan]])
  results = {f'remedy {i}': (STEPS[:3], captured) for i in range(number)}
  figure = curves.modes_over_time(results, 8)
  words = ' '.join(text.get_text() for text in figure.texts)
  assert 'not finite: remedy 0 2 of 3' in ' '.join(words.split())
  assert len(shown(figure)) == panels
  for axes in shown(figure):
    lines = {line.get_label(): line for line in axes.lines}
    for name in set(lines) & set(results):
      np.testing.assert_allclose(lines.pop(name).get_ydata(), [3, 5, 5])
    [total] = lines.values()
    np.testing.assert_array_equal(total.get_ydata(), 8)
    band = axes.collections[0].get_paths()[0].vertices
    for step, low, high in ((0, 1, 5), (100, 2, 8), (200, 5, 5)):
      heights = band[band[:, 0] == step, 1]
      assert (heights.min(), heights.max()) == (low, high)


def test_occupancy_has_a_row_for_each_mode_and_time_across():
  shares = RANDOM.dirichlet(np.ones(5), 11)
  figure = samples.occupancy({'GAN': (STEPS, shares), 'R1': (STEPS, shares)})
  *maps, bar = shown(figure)
  assert [axes.get_title() for axes in maps] == ['GAN', 'R1']
  for axes in maps:
    [mesh] = axes.collections
    np.testing.assert_array_equal(mesh.get_array(), shares.T)
    # The first mode is 1, and each evaluation has its step in its middle.
    np.testing.assert_allclose(axes.get_ylim(), [0.5, 5.5])
    np.testing.assert_allclose(axes.get_xlim(), [-50, 1050])
    assert (mesh.norm.vmin, mesh.norm.vmax) == (0, 1)
  assert bar.get_ylabel() == 'share of samples'


def test_captured_by_label_has_a_row_for_each_label():
  shares = np.repeat([[0, 0.5, 1]], 11, 0)
  shares[0] = 0
  figure = samples.captured_by_label({'GAN': (STEPS, shares)})
  axes, bar = shown(figure)
  [mesh] = axes.collections
  np.testing.assert_array_equal(mesh.get_array(), shares.T)
  # The first label is 0.
  np.testing.assert_allclose(axes.get_ylim(), [-0.5, 2.5])
  assert mesh.norm(0.25) == 0.25
  assert bar.get_ylabel() == 'share of its modes captured'


@pytest.mark.parametrize('ending', ['gif', 'webp'])
def test_animation_loops_over_the_looks_and_rests(tmp_path, ending):
  path = tmp_path / f'samples.{ending}'
  # A cloud that goes from the left to the right: its dots say which frame.
  ways = np.linspace([-0.5, 1], [2.5, 1], 11)[:, None].repeat(200, 1)
  samples.animation(path, {'GAN': (STEPS, ways)}, REALS, frames=6, seconds=3)
  with Image.open(path) as film:
    assert film.n_frames == 6
    assert film.info['loop'] == 0
    durations, centres = [], []
    for frame in range(film.n_frames):
      film.seek(frame)
      pixels = np.asarray(film.convert('RGB'), float) / 255
      durations.append(film.info['duration'])
      distance = np.abs(pixels - to_rgb(layout.COLOURS[0])).max(-1)
      centres.append(np.nonzero(distance < 0.15)[1].mean())
  assert np.all(np.diff(centres) > 3)
  if ending == 'gif':
    assert durations == [500] * 5 + [2500]


def test_eigenvalues_and_theory_are_in_view():
  values = np.array([-2 + 1j, -2 - 1j, np.nan])
  figure = trajectories.eigenvalues(
    {'R1': values, 'none': [0.5j, -0.5j]}, {'R1': [-3 + 0j]}
  )
  first, second = shown(figure)
  found, expected = offsets(first)
  np.testing.assert_array_equal(found[:2], [[-2, 1], [-2, -1]])
  np.testing.assert_array_equal(expected, [[-3, 0]])
  for axes in (first, second):
    # From -3 to the origin, 1.3 times as wide.
    np.testing.assert_allclose(axes.get_xlim(), [-3.45, 0.45])
    np.testing.assert_allclose(axes.get_ylim(), [-1.95, 1.95])


def test_eigenvalues_out_of_reach_are_counted():
  values = [1.2 + 0.1j, 1.2 - 0.1j, 0j, 1 + 0.4j]
  figure = trajectories.eigenvalues(
    {'in': values[:2], 'out': values},
    boundary=trajectories.unit_circle,
    reach=0.3,
  )
  words = [[text.get_text() for text in axes.texts] for axes in shown(figure)]
  assert words == [[], ['2 outside']]
  for axes in shown(figure):
    np.testing.assert_allclose(axes.get_xlim(), [0.7, 1.3])
    np.testing.assert_allclose(axes.get_ylim(), [-0.3, 0.3])


@pytest.mark.parametrize(
  ('boundary', 'stable', 'unstable'),
  [
    (trajectories.imaginary_axis, -0.3 + 0.2j, 0.3 + 0.2j),
    (trajectories.unit_circle, 0.8 + 0.5j, 0.9 + 0.5j),
  ],
)
def test_the_stable_side_is_shaded(boundary, stable, unstable):
  figure = trajectories.eigenvalues(
    {'a': [stable, unstable]}, boundary=boundary
  )
  figure.canvas.draw()
  [axes] = shown(figure)
  shade = axes.patches[0]
  inside = [
    shade.contains_point(axes.transData.transform([value.real, value.imag]))
    for value in (stable, unstable)
  ]
  assert inside == [True, False]


def test_theory_needs_eigenvalues_of_its_name():
  with pytest.raises(ValueError, match="theory is for 'r1', but .* are of R1"):
    trajectories.eigenvalues({'R1': [0j]}, {'r1': [0j]})


def test_the_field_is_followed_in_its_direction():
  # Upwards on the right and downwards on the left, whatever the height.
  points = np.stack(
    np.meshgrid(np.linspace(-2, 2, 9), np.linspace(0, 3, 7)), -1
  )
  field = np.stack([0 * points[..., 0], points[..., 0]], -1)
  way = np.linspace([1, 0], [1, 3], 5)
  figure = trajectories.vector_fields(
    {'turning': (points, field, {'moving': way})}, equilibrium=(0, 1)
  )
  [axes] = shown(figure)
  assert axes.get_title() == 'turning'
  line, start, end, cross = (line.get_xydata() for line in axes.lines)
  np.testing.assert_array_equal(line, way)
  np.testing.assert_array_equal([*start, *end], way[[0, -1]])
  np.testing.assert_array_equal(cross, [[0, 1]])
  [streams] = axes.collections
  segments = np.array(streams.get_segments())
  np.testing.assert_allclose(np.diff(segments[..., 0]), 0, atol=1e-9)
  for arrow in axes.patches:
    tail, head = arrow._posA_posB
    assert (head[1] - tail[1]) * tail[0] > 0


def test_trajectories_have_the_same_colour_in_all_games():
  points = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1)
  way = np.zeros((2, 2))
  games = {
    'one': (points, points, {'at once': way, 'in turns': way}),
    'other': (points, points, {'in turns': way}),
  }
  figure = trajectories.vector_fields(games)
  first, second = shown(figure)
  colours = [axes.lines[n].get_color() for axes, n in ((first, 3), (second, 0))]
  assert colours[0] == colours[1] != first.lines[0].get_color()
  words = [text.get_text() for text in figure.legends[0].get_texts()]
  assert words == ['at once', 'in turns']


def test_trajectories_lie_around_the_equilibrium():
  ways = {'away': [[1, 2], [5, 6]], 'still\nconverges': [[2, 1], [1, 1]]}
  figure = trajectories.trajectories(ways, 2, equilibrium=(1, 1))
  assert titles(figure) == list(ways)
  for axes, way in zip(shown(figure), ways.values(), strict=True):
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), way)
    np.testing.assert_array_equal(axes.lines[-1].get_xydata(), [[1, 1]])
    assert axes.get_xlim() == axes.get_ylim() == (-1, 3)
    assert axes.get_aspect() == 1


@pytest.mark.parametrize(
  'draw',
  [
    lambda: samples.samples_over_time({}, REALS),
    lambda: curves.modes_over_time({}, 8),
    lambda: samples.occupancy({}),
    lambda: trajectories.eigenvalues({}),
    lambda: trajectories.trajectories({}, 1),
    lambda: trajectories.vector_fields({}),
  ],
)
def test_nothing_to_draw_is_refused(draw):
  with pytest.raises(ValueError, match='there are 0 results to draw'):
    draw()


def test_looks_without_steps_are_refused(tmp_path):
  wrong = {'GAN': (STEPS[:4], SAMPLES)}
  for draw in (
    lambda: samples.samples_over_time(wrong, REALS),
    lambda: samples.occupancy(wrong),
    lambda: samples.captured_by_label(wrong),
    lambda: samples.animation(tmp_path / 'film.gif', wrong, REALS),
  ):
    with pytest.raises(
      ValueError, match="'GAN' has 4 steps and 11 evaluations"
    ):
      draw()


@pytest.mark.parametrize('ending', ['png', 'pdf', 'svg'])
def test_equal_figures_make_equal_files(tmp_path, ending):
  contents = []
  for name in 'ab':
    path = tmp_path / f'{name}.{ending}'
    layout.save(trajectories.eigenvalues({'R1': [0.5j, -0.5j]}), path)
    contents.append(path.read_bytes())
  assert contents[0] == contents[1]
  for stamp in (b'CreationDate', b'dc:date', b'tIME'):
    assert stamp not in contents[0]


def test_settings_are_left_alone(tmp_path):
  before = dict(matplotlib.rcParams)
  layout.save(
    samples.occupancy({'GAN': (STEPS, SAMPLES[..., 0])}), tmp_path / 'a.pdf'
  )
  assert dict(matplotlib.rcParams) == before
  script = """
import sys
import ganjax.reports.figures.trajectories
assert 'matplotlib.pyplot' not in sys.modules
"""
  subprocess.run([sys.executable, '-c', script], check=True)
