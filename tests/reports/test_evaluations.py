"""The table of what was measured of a run."""

from ganjax.evaluation import measures
from ganjax.reports import columns, evaluations


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
    'FID: of only 40 images. Below about 1,000 such values depend on that '
    'number more than on the samples, so compare them with values of as many '
    'images only.',
  ]


def test_values_that_rest_on_little_say_so_below_their_table():
  described = measures.columns(measures.chosen(['fid', 'prdc']))

  def cautions(features, number, described=described):
    row = {'settings': {'features': features}, 'number': number}
    return columns.cautions(described, [row])

  assert not cautions('inception-2015', 1000)
  assert not cautions('random-conv-384 (seed 0, untrained)', 10, {})
  [few] = cautions('inception-2015', 999)
  assert few.startswith('FID, precision, recall, ') and ' 999 images' in few
  [untrained] = cautions('random-conv-384 (seed 0, untrained)', 5000)
  assert 'untrained network' in untrained
