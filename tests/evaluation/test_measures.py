"""Measures: one function each, found by all that measure."""

import json

import numpy as np
import pytest

from ganjax import metrics
from ganjax.data import images
from ganjax.evaluation import extractors, features, measures, samples
from ganjax.evaluation.measures import Column

SMALL = (
  '--config=configs/dense.py',
  '--config.images=16',
  '--config.batch_size=8',
  '--config.data.resolution=8',
  '--config.generator.widths=(8,)',
  '--config.discriminator.widths=(8,)',
)


@pytest.fixture
def brightness(monkeypatch):
  """A measure more, added as one is in `measures.py`."""
  monkeypatch.setattr(measures, 'MEASURES', dict(measures.MEASURES))

  @measures.measure(Column('brightness', 'mean brightness', 'maximize'))
  def brightness(reals, fakes, seed):
    value = float(np.mean(fakes.images))
    return {'brightness': value}, {'images': len(fakes.images)}


def test_a_measure_is_added_in_one_place(program, tmp_path, brightness):
  run, sweep = tmp_path / 'run', tmp_path / 'sweep'
  code, _, err = program('train', *SMALL, f'--workdir={run}')
  assert code == 0, err
  evaluate = (
    'evaluate',
    f'--workdir={run}',
    '--samples=20',
    '--features=random',
  )
  code, out, err = program(*evaluate, '--metrics=brightness', '--held_out=')
  assert code == 0, err
  assert 'mean brightness' in out and 'brightness: images 20' in out
  written = json.loads((run / 'evaluation.json').read_text())
  assert written['columns'] == {
    'brightness': {
      'title': 'mean brightness',
      'direction': 'maximize',
      'on_features': False,
      'measure': 'brightness',
    }
  }
  value = written['measures'][0]['brightness']
  # What lists the choices lists it, and help too.
  code, _, err = program(*evaluate, '--metrics=bright')
  assert code == 1
  assert "did you mean 'brightness'? choose from accuracy, brightness" in err
  code, out, _ = program('evaluate', '--help')
  assert 'brightness' in out
  code, _, err = program(
    'curve',
    f'--group=a={run}',
    '--metric=brightness',
    f'--output={tmp_path}/curve',
  )
  assert code == 0, err
  table = (tmp_path / 'curve' / 'brightness' / 'table.json').read_text()
  assert json.loads(table)['rows'][0]['values'] == {'': [value]}
  # A sweep compares settings by it, and knows that more is better.
  code, _, err = program(
    'sweep',
    *SMALL,
    '--metrics=brightness',
    '--samples=20',
    '--evaluations=1',
    '--seeds=1',
    '--mapping=vmap',
    '--quiet',
    '--grid=optimizers.discriminator.learning_rate=1e-4,1e-3',
    f'--workdir={sweep}',
  )
  assert code == 0, err
  code, _, err = program('sweep', f'--workdir={sweep}', '--report')
  assert code == 0, err
  about = json.loads((sweep / 'sweep.json').read_text())
  assert (about['objective'], about['direction']) == ('brightness', 'maximize')
  assert (
    'mean brightness, more is better' in (sweep / 'report.html').read_text()
  )
  assert 'mean brightness' in (sweep / 'table.md').read_text()


def test_values_have_one_column_in_all_measures():
  names = [
    column.name
    for measure in measures.MEASURES.values()
    for column in measure.columns
  ]
  assert len(set(names)) == len(names)
  columns = measures.columns(measures.MEASURES.values())
  assert [name for name in names if columns[name]['on_features']] == [
    *('fid', 'kid', 'kid_std', 'inception_score', 'inception_score_std'),
    *('accuracy', 'precision', 'recall', 'density', 'coverage'),
    'coverage_within',
  ]
  directions = {own['direction'] for own in columns.values()}
  assert directions == {'minimize', 'maximize', None}


def changed(before, now, side):
  """What `change` measures of two checkpoints that generate these trees."""
  tracked = [
    samples.tracked(
      lambda latents, key, labels, tree=tree: tree,
      lambda key, number: (),
      0,
      side,
    )
    for tree in (before, now)
  ]
  values, settings = measures.MEASURES['change'].take(*tracked, 0)
  assert settings == {'latents': 36}
  return values['change']


def test_change_is_measured_at_each_resolution_of_a_pyramid():
  now = [np.full((2, side, side, 3), side / 8) for side in (4, 8)]
  before = [level - 0.5 for level in now]
  before[1][0] += 0.5  # One of the two images has not changed.
  assert changed(before, now, 8) == {'4': 0.25, '8': 0.125}


def test_what_grew_in_between_is_compared_at_the_resolution_of_the_data():
  checks = np.kron([[1, -1], [-1, 1]], np.ones((4, 4)))[None, ..., None]
  assert changed(checks[:, ::4, ::4], checks, 8) == {'8': 0}


def test_a_subset_is_drawn_in_its_order():
  drawn = samples.subset(np.arange(100), 30, 0)
  assert len(set(drawn)) == 30
  assert (np.diff(drawn) > 0).all()
  assert drawn[-1] > 80
  np.testing.assert_array_equal(samples.subset(np.arange(9), 30, 0), range(9))


def labelled(centres, number, std=4.0):
  """`Samples` around a grey value for each class; pixels are features."""
  random = np.random.default_rng(len(centres) + number)
  labels = np.repeat(np.arange(len(centres)), number)
  grey = np.reshape(centres, (-1, 1, 1, 1))[labels]
  noise = random.normal(0, std, (len(labels), 2, 2, 1))
  pixels = np.uint8(np.clip(np.round(grey + noise), 0, 255))
  flat = features.Features('pixels', lambda rows: rows.reshape(len(rows), -1))
  return samples.of(pixels, flat, labels)


def within(reals, fakes):
  return {
    name: measures.MEASURES[name].take(reals, fakes, 0)[0][name]
    for name in ('coverage_within', 'distance_within')
  }


def test_within_a_class_a_perfect_sampler_covers_the_reals():
  reals, fakes = labelled([60, 180], 40), labelled([60, 180], 41)
  found = within(reals, fakes)
  assert found['coverage_within'] > 0.9
  # Of N(0, 4^2) in four dimensions, in units of half the range of a pixel; the
  # mean of chi with four degrees of freedom is 3/4 sqrt(2 pi).
  expected = 4 * 2**0.5 * 0.75 * (2 * np.pi) ** 0.5 / 2 / 127.5
  np.testing.assert_allclose(found['distance_within'], expected, rtol=0.1)


def test_one_picture_for_each_class_has_no_distance_within_it():
  reals, fakes = labelled([60, 180], 40), labelled([60, 180], 20, std=0.0)
  found = within(reals, fakes)
  assert found['distance_within'] == 0
  # By hand: the share of the reals with their fifth neighbour farther away.
  expected = []
  for label, grey in enumerate((60, 180)):
    own = reals.images[reals.labels == label].reshape(40, 4).astype(float)
    apart = np.sort(((own[:, None] - own) ** 2).sum(-1), axis=1)[:, 5]
    expected.append(np.mean(((own - grey) ** 2).sum(-1) < apart))
  # Neighbours of whole numbers may be equally far, and rounding parts them.
  np.testing.assert_allclose(
    found['coverage_within'], np.mean(expected), atol=0.02
  )
  # All samples are two pictures, which are apart.
  whole, _ = measures.MEASURES['distance'].take(reals, fakes, 0)
  assert whole['distance'] > 0.4


def test_samples_of_another_class_cover_nothing():
  reals, fakes = labelled([60, 180], 40), labelled([180, 60], 40)
  assert within(reals, fakes)['coverage_within'] == 0
  whole = metrics.prdc.density_coverage(reals.features(), fakes.features())
  assert whole.coverage > 0.9
  # A row of one class is of that class alone, and one without samples has 0.
  one = [samples.of_class(own, 1) for own in (reals, labelled([60, 180], 41))]
  assert within(*one)['coverage_within'] > 0.9
  found = within(reals, samples.of_class(reals, 0))['coverage_within']
  np.testing.assert_allclose(found, 0.5, atol=0.02)


def test_too_few_images_of_a_class_are_named():
  reals = labelled([60, 120, 180], 3)
  values, _ = measures.MEASURES['distance_within'].take(
    reals, labelled([60, 120, 180], 1), 0
  )
  assert not values
  data = images.ImageSet(
    reals.images[:7], reals.labels[:7], 'three', ('a', 'b', 'c'), 'now'
  )
  with pytest.raises(ValueError, match='three has a single one of c; leave'):
    extractors.check(measures.chosen(['coverage_within']), data, 'auto', True)
  with pytest.raises(ValueError, match='coverage_within compares .* labels=tr'):
    extractors.check(measures.chosen(['coverage_within']), data, 'auto', False)
