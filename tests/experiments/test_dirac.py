"""The report on the Dirac-GAN: its table, its figures, and what it refuses."""

import csv
import json

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from experiments import dirac
from ganjax import dirac_cases
from ganjax.reports.figures import layout


def settings(**changes):
  fields = {'learning_rate': 0.2, 'steps': 500, 'match': '', 'seed': 0}
  return ConfigDict(fields | changes).lock()


def rows(folder):
  return json.loads((folder / 'table.json').read_text())['rows']


def test_the_report_measures_what_the_theory_says(tmp_path, capsys):
  folder = tmp_path / 'run'
  assert dirac.report(folder, settings(match='R1')) == 0
  simultaneous, alternating = rows(folder)
  assert simultaneous['label'] == 'minimax, R1 .3, simultaneous'
  assert alternating['label'] == 'relativistic, R1 and R2 .3, alternating'
  # The multipliers are a conjugate pair: the determinant is their square.
  h, slope = 0.2, 0.5
  for row, square in (
    (simultaneous, 1 - 0.3 * h + (slope * h) ** 2),
    (alternating, 1 - 0.6 * h),
  ):
    [measured], [expected] = row['values']['measured'], row['values']['theory']
    np.testing.assert_allclose([measured, expected], square**0.5, rtol=1e-12)
    assert row['values']['difference'][0] < 1e-12
    # From (1, 1), and a rotation more or less, a spiral of that rate.
    [radius] = row['values']['radius']
    assert abs(np.log(radius / np.sqrt(2)) - 250 * np.log(square)) < 1
    assert row['words'] == {
      'verdict': 'converges',
      'verdict by theory': 'converges',
      'agrees': 'yes',
    }
  with (folder / 'table.csv').open(newline='') as file:
    first, _ = csv.DictReader(file)
  assert (first['verdict'], first['agrees']) == ('converges', 'yes')
  out = capsys.readouterr().out
  assert 'minimax, R1 .3, simultaneous' in out
  assert f'2 of 2 cases agree with the theory. In {folder}: table.json' in out
  for name in ('trajectories', 'fields', 'eigenvalues'):
    assert name in out
    image = np.asarray(Image.open(folder / f'{name}.png').convert('L'))
    assert image.min() < 128 < image.max()
    assert (folder / f'{name}.pdf').read_bytes().startswith(b'%PDF')


def test_a_kink_has_a_trajectory_and_no_eigenvalues(tmp_path):
  dirac.report(tmp_path, settings(match='gradient penalty'))
  [row] = rows(tmp_path)
  assert list(row['values']) == ['radius']
  assert row['words']['verdict'] == 'cycles'
  assert 'kink' in row['note']
  drawn = {path.name for path in tmp_path.glob('*.png')}
  assert drawn == {'trajectories.png'}


@pytest.mark.parametrize(
  'wrong',
  [{'multipliers': [1 + 0.1j, 1 - 0.1j]}, {'verdict': 'converges'}],
)
def test_a_wrong_theory_is_told(tmp_path, capsys, monkeypatch, wrong):
  case = dirac_cases.cases()[1]
  assert case.name == 'minimax, alternating'
  monkeypatch.setattr(dirac_cases, 'cases', lambda h: (case._replace(**wrong),))
  monkeypatch.setattr(layout, 'save', lambda *_: None)
  dirac.report(tmp_path, settings())
  [row] = rows(tmp_path)
  assert row['words']['agrees'] == 'no'
  assert '0 of 1 cases agree' in capsys.readouterr().out


def test_names_without_a_case_are_refused(tmp_path):
  with pytest.raises(
    ValueError, match="'R3' in its name; .* minimax, simultaneous"
  ):
    dirac.report(tmp_path, settings(match='R3'))


def test_trajectories_too_short_for_a_verdict_are_refused(tmp_path):
  with pytest.raises(ValueError, match='499 steps .* is 99.8; give'):
    dirac.report(tmp_path, settings(steps=499))
  assert not list(tmp_path.iterdir())
