"""What the benchmark of style transfer compares, and what it refuses to."""

import pathlib

import numpy as np
import pytest

from experiments.benchmark import style_losses, style_sides
from ganjax import pictures

WEIGHTS = (
  pathlib.Path(__file__).resolve().parents[3]
  / 'shared'
  / 'weights'
  / 'compressed_SqueezeNet.net'
)


def sides(loss, gradient, other_loss, other_gradient):
  return {
    name: style_sides.Side(lambda found=found: found, None, {})
    for name, found in (
      ('ganjax', (np.float32(loss), gradient)),
      ('torch', (other_loss, other_gradient)),
    )
  }


def test_a_turned_unit_is_reported_and_forgiven():
  gradient = np.ones((1, 10, 10, 3))
  other = gradient.copy()
  other[0, 2, :5] = 0
  far = style_losses.agreement(sides(1, gradient, 1, other))
  # Five of a hundred pixels are all of the difference.
  assert far['gradient'] == pytest.approx(np.sqrt(5 / 100))
  assert far['loss'] == far['most of it'] == 0


@pytest.mark.parametrize(
  ('loss', 'scale', 'part'), [(1.001, 1, 'loss'), (1, 1.001, 'most of it')]
)
def test_another_objective_is_refused(loss, scale, part):
  gradient = np.ones((1, 10, 10, 3))
  with pytest.raises(ValueError, match=f'{part} may be 0.0001 at most'):
    style_losses.agreement(sides(1, gradient, loss, scale * gradient))


def test_nothing_beside_agrees_with_everything():
  both = sides(1, np.ones((1, 4, 4, 3)), 1, None)
  assert style_losses.agreement({'ganjax': both['ganjax']}) == {}


def test_the_first_loss_below_counts_evaluations_from_one():
  losses, seconds = [3.0, 2.0, 1.0], [0.5, 1.0, 1.5]
  assert style_losses.first_below(losses, seconds, 2.0) == (2, 1.0)
  assert style_losses.first_below(losses, seconds, 0.5) is None


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
  if not WEIGHTS.exists():
    pytest.skip(f'no {WEIGHTS}')
  folder = tmp_path_factory.mktemp('pictures')
  drawn = np.random.default_rng(0)
  paths = [folder / f'{name}.png' for name in ('content', 'style')]
  for path in paths:
    pictures.save(path, drawn.integers(0, 256, (48, 64, 3), np.uint8))
  return style_sides.scene((WEIGHTS, *paths), 64)


def test_pytorch_descends_the_same_way(scene):
  pytest.importorskip('torch', reason='torch is not installed')
  built = {
    'ganjax': style_sides.ganjax_side(scene),
    'torch': style_sides.torch_side(scene),
  }
  far = style_losses.agreement(built)
  assert far['loss'] < 1e-5
  own, other = (
    [descent.evaluate().item() for _ in range(4)] for descent in built.values()
  )
  np.testing.assert_allclose(own, other, rtol=1e-3)
  assert own[-1] < own[0]
