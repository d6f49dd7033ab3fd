"""The table of what was measured of a run."""

from ganjax.evaluation import measures
from ganjax.reports import evaluations


def test_rows_have_a_column_for_each_value_and_each_resolution():
  shared = {'settings': {'features': 'classifier-128 (digits)', 'seed': 0}}
  rows = [
    shared
    | {'subject': 'samples', 'number': 50, 'fid': 1.0, 'swd': 2.0}
    | {'swd_levels': {'16': 1.0, '32': 3.0}}
    | {'how': {'fid': {'reals': 90, 'images': 50}, 'swd': {'images': 50}}},
    shared
    | {'subject': 'reals', 'number': 40, 'fid': 0.5}
    | {'how': {'fid': {'reals': 90, 'images': 40}}},
  ]
  found = evaluations.table(
    rows, measures.columns(measures.chosen(['swd', 'fid']))
  )
  assert found.titles == [
    *('subject', 'number', 'SWD x 1000', 'SWD x 1000 16', 'SWD x 1000 32'),
    'FID (features)',
  ]
  assert found.rows == [
    ['samples', '50', '2.0000', '1.0000', '3.0000', '1.0000'],
    ['reals', '40', '', '', '', '0.5000'],
  ]
  assert found.notes == [
    'features: classifier-128 (digits).',
    'seed: 0.',
    'swd: images 50.',
    'fid: reals 90, images 50; or reals 90, images 40.',
    '40 reals were held out, and there are rows of 50 samples: a FID falls '
    'with the number of images, so they cannot be compared; run evaluate with '
    '--samples=40.',
  ]
