"""Curves of measures against images seen: the figure, and its program."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from ganjax.evaluation import measures
from ganjax.reports import columns, groups
from ganjax.reports.figures import curves, factors, layout

MOMENTS = np.array([1000, 2000, 4000])
VALUES = np.array([[9.0, 5, 1], [7, 3, 2]])


def test_a_line_is_the_mean_and_a_band_the_deviation_of_the_seeds():
  lines = {
    'msg': curves.with_deviation(MOMENTS, VALUES),
    'alone': curves.with_deviation(MOMENTS, VALUES[:1]),
  }
  figure = curves.curves({'': lines}, 'FID', bottom=0)
  [axes] = figure.axes
  msg, alone = axes.lines
  np.testing.assert_array_equal(msg.get_xdata(), MOMENTS)
  np.testing.assert_allclose(msg.get_ydata(), [8, 4, 1.5])
  np.testing.assert_allclose(alone.get_ydata(), [9, 5, 1])
  assert msg.get_marker() == 'o'
  # One seed has no deviation, so there is one band.
  [band] = axes.collections
  std = np.sqrt([2, 2, 0.5])
  edge = band.get_paths()[0].vertices
  for moment, middle, half in zip(MOMENTS, [8, 4, 1.5], std, strict=True):
    found = np.unique(edge[edge[:, 0] == moment, 1])
    np.testing.assert_allclose(found, [middle - half, middle + half])
  assert axes.get_ylim()[0] == 0
  assert figure.get_supylabel() == 'FID'
  assert figure.get_supxlabel() == 'images seen'


def test_each_resolution_has_a_panel_and_each_group_its_colour():
  groups = {
    'msg': curves.with_deviation(MOMENTS, VALUES),
    'progressive': curves.with_deviation(MOMENTS, VALUES / 2),
  }
  figure = curves.curves(
    {'16 pixels': groups, '32 pixels': {'progressive': groups['progressive']}},
    'change',
    references={'32 pixels': 2.5},
    reference='held-out reals',
    scale='log',
    caption='features: those of a network',
  )
  first, second = figure.axes
  assert (first.get_title(), second.get_title()) == ('16 pixels', '32 pixels')
  colours = [to_rgb(colour) for colour in layout.COLOURS[:2]]
  assert [to_rgb(line.get_color()) for line in first.lines] == colours
  line, reference = second.lines
  assert to_rgb(line.get_color()) == colours[1]
  assert set(reference.get_ydata()) == {2.5}
  assert {axes.get_yscale() for axes in figure.axes} == {'log'}
  [legend] = figure.legends
  words = [text.get_text() for text in legend.get_texts()]
  assert words == ['msg', 'progressive', 'held-out reals']
  assert 'features: those of a network' in [
    text.get_text() for text in figure.texts
  ]


def test_panels_without_common_names_have_colours_and_legends_of_their_own():
  line = curves.with_error(MOMENTS, [3.0, 2, 1], [1.0, np.nan, 1])
  results = {
    'each setting': {str(n): line for n in range(7)},
    'by loss': {'a': line},
  }
  figure = curves.curves(results, 'FID', shared=False)
  first, second = figure.axes
  assert not figure.legends
  for axes, names in ((first, list('0123456')), (second, ['a'])):
    texts = axes.get_legend().get_texts()
    assert [text.get_text() for text in texts] == names
  # More lines than colours are still told apart.
  assert len({to_rgb(line.get_color()) for line in first.lines}) == 7
  assert to_rgb(second.lines[0].get_color()) == to_rgb(layout.COLOURS[0])


def test_values_of_a_factor_look_alike_in_effects_and_curves():
  names = [f'{n}' for n in range(3)]
  line = curves.with_error(MOMENTS, [3.0, 2, 1], [1.0, np.nan, 1])
  learning = curves.curves({'by rate': dict.fromkeys(names, line)}, 'FID')
  effect = factors.Effect(names, np.ones(3), np.ones(3), [[0.5, 1.5]] * 3)
  effects = factors.main_effects({'rate': effect}, 'FID')
  points = [own.lines[0].get_color() for own in effects.axes[0].containers]
  assert points == [own.get_color() for own in learning.axes[0].lines]
  assert len({*points}) == 3
  assert effects.axes[0].get_title() == 'rate'


def test_what_cannot_be_drawn_is_refused():
  with pytest.raises(ValueError, match=r'\(2, 3\) for 2 evaluations'):
    curves.with_deviation(MOMENTS[:2], VALUES)


COLUMNS = measures.columns(measures.chosen(['fid', 'change', 'swd']))
HOW = {'fid': {'reals': 90, 'images': 50}, 'change': {'latents': 36}}


def write(folder, values, features='a network', **how):
  """A workdir with what `evaluate` writes: from images seen to a FID."""
  rows = [
    {
      'subject': 'samples (ema)',
      'images_seen': shown,
      'settings': {'features': features, 'seed': 0},
      'how': HOW | how,
      'fid': value,
      'change': {'8': value / 10, '16': value / 100},
      'change_since': max((own for own in values if own < shown), default=0),
    }
    for shown, value in values.items()
  ]
  held_out = {'subject': 'reals, test', 'fid': 0.5}
  rows.append({**rows[0], **held_out, 'images_seen': None})
  # What was measured of a single class stays out of the curves.
  rows = [{**row, 'class': 'cat', 'fid': 1e3} for row in rows] + rows
  folder.mkdir()
  written = {'columns': COLUMNS, 'measures': rows}
  (folder / 'evaluation.json').write_text(json.dumps(written))
  return folder


@pytest.fixture
def runs(tmp_path):
  write(tmp_path / 'msg-0', {1000: 30.0, 2000: 20.0, 2500: 1.0})
  # In any order, for moments are measured in any.
  write(tmp_path / 'msg-1', {2000: 24.0, 1000: 32.0})
  write(tmp_path / 'pg-0', {1000: 50.0})
  return tmp_path


def test_groups_become_a_figure_and_a_table(program, runs):
  code, out, err = program(
    'curve',
    f'--group=msg={runs}/msg-*',
    f'--group=progressive={runs}/pg-0',
    f'--output={runs}/new/curve',
  )
  assert code == 0, err
  folder = runs / 'new' / 'curve' / 'fid'
  table = json.loads((folder / 'table.json').read_text())
  found = {
    row['label']: (row['summary']['']['mean'], row['summary']['']['std'])
    for row in table['rows']
  }
  # Of 2,500 images one run only was measured.
  assert found == {
    'msg, 1,000 images': (31, pytest.approx(2**0.5)),
    'msg, 2,000 images': (22, pytest.approx(8**0.5)),
    'progressive, 1,000 images': (50, None),
  }
  assert 'msg: 1 evaluations are left out' in out + err
  assert 'features: a network; seed: 0; reals: 90; images: 50.' in out
  assert 'a network' in (folder / 'table.md').read_text()
  with Image.open(folder / 'curve.png') as picture:
    assert min(picture.size) > 300


def test_values_are_drawn_across_the_seconds_of_training(program, runs):
  for name, pace in (('msg-0', 100), ('msg-1', 50), ('pg-0', 10)):
    for file in ('run.json', 'config.json'):
      (runs / name / file).write_text('{}')
    rows = [
      {'images': 500, 'images_per_second': pace, 'compile_seconds': 3},
      {'images': 3000, 'images_per_second': pace, 'evaluation_seconds': 7},
    ]
    lines = map(json.dumps, rows)
    (runs / name / 'metrics.jsonl').write_text('\n'.join(lines))
  code, _, err = program(
    'curve',
    f'--group=msg={runs}/msg-*',
    f'--group=progressive={runs}/pg-0',
    '--across=seconds',
    f'--output={runs}/curve',
  )
  assert code == 0, err
  table = json.loads((runs / 'curve/fid/table.json').read_text())
  # Of 1,000 images msg-0 took 3 + 10 s and msg-1 3 + 20 s.
  assert [row['label'] for row in table['rows']] == [
    'msg, 18 seconds',
    'msg, 33 seconds',
    'progressive, 103 seconds',
  ]


def test_a_measure_of_several_resolutions_has_a_column_for_each(program, runs):
  code, _, err = program(
    'curve',
    f'--group=msg={runs}/msg-0,{runs}/msg-1',
    '--metric=change',
    '--scale=log',
    f'--output={runs}/curve',
  )
  assert code == 0, err
  table = json.loads((runs / 'curve' / 'change' / 'table.json').read_text())
  values = table['rows'][0]['values']
  assert values == {'8 pixels': [3, 3.2], '16 pixels': [0.3, 0.32]}
  assert (runs / 'curve' / 'change' / 'curve.pdf').exists()


def test_changes_since_different_moments_are_not_compared(program, runs):
  write(runs / 'stopped', {1000: 4.0, 1500: 3.0, 2000: 2.0, 3000: 1.0})
  write(runs / 'whole', {1000: 5.0, 2000: 4.0, 3000: 3.0})
  code, _, err = program(
    'curve',
    f'--group=msg={runs}/stopped,{runs}/whole',
    '--metric=change',
    f'--output={runs}/curve',
  )
  assert code == 0, err
  table = json.loads((runs / 'curve' / 'change' / 'table.json').read_text())
  assert [row['label'] for row in table['rows']] == [
    *('msg, 1,000 images', 'msg, 3,000 images')
  ]


def test_runs_that_were_not_measured_are_named_with_the_command(program, runs):
  code, _, err = program(
    'curve', f'--group=msg={runs}/msg-0,{runs}/gone', f'--output={runs}/curve'
  )
  assert code == 1
  assert f'{runs}/gone: no fid of ema samples' in err
  assert f'evaluate --workdir {runs}/gone --checkpoint all' in err
  assert 'Traceback' not in err


def test_runs_measured_in_different_ways_are_not_compared(program, runs):
  write(runs / 'other', {1000: 3.0}, features='another network')
  write(runs / 'fewer', {1000: 3.0}, fid={'reals': 90, 'images': 40})
  for name, words in (
    ('other', 'features: a network there, another network here'),
    ('fewer', 'images: 50 there, 40 here'),
  ):
    code, _, err = program(
      'curve', f'--group=a={runs}/pg-0,{runs}/{name}', f'--output={runs}/curve'
    )
    assert code == 1
    assert words in err


def test_held_out_reals_of_another_number_have_no_line_and_it_is_said(
  program, runs
):
  path = runs / 'msg-0' / 'evaluation.json'
  written = json.loads(path.read_text())
  for row in written['measures']:
    if row['subject'].startswith('reals'):
      row['how'] = HOW | {'fid': {'reals': 90, 'images': 40}}
  path.write_text(json.dumps(written))
  found = groups.read({'msg': [runs / 'msg-0']}, 'fid', 'ema')
  assert found.references == {}
  said = (
    'have no line, for they were measured in another way (images 40, not 50)'
  )
  assert said in found.note
  code, out, err = program(
    'curve', f'--group=msg={runs}/msg-0', f'--output={runs}/curve'
  )
  assert code == 0, err
  assert said in ' '.join(out.split())
  # Of the same number they have one, and nothing is to be said.
  equal = groups.read({'msg': [runs / 'msg-1']}, 'fid', 'ema')
  assert equal.references == {'': 0.5} and 'no line' not in equal.note


def test_groups_need_a_name_and_moments_in_common(program, runs):
  code, _, err = program('curve', '--group=runs/msg', f'--output={runs}/curve')
  assert code == 1
  assert "--group is 'runs/msg'" in err
  write(runs / 'late', {9000: 3.0})
  code, _, err = program(
    'curve', f'--group=a={runs}/pg-0,{runs}/late', f'--output={runs}/curve'
  )
  assert code == 1
  assert "'a' have no evaluation in common" in err


def test_only_a_fid_on_inception_is_called_plain_fid():
  own = 'classifier-128 (digits)'
  assert columns.title('fid', COLUMNS, 'Inception-v3 (sha 6726825d)') == 'FID'
  for other in ('other Inception-v3 (sha 1)', own):
    assert columns.title('fid', COLUMNS, other) == 'FID (features)'
  assert columns.title('fid', COLUMNS) == 'FID (features)'
  assert columns.title('swd', COLUMNS, own) == 'SWD x 1000'
  assert columns.title('images_seen', COLUMNS, own) == 'images seen'
  assert columns.direction('fid', COLUMNS) == 'minimize'
  assert columns.direction('loss/generator', COLUMNS) is None


def test_a_value_that_no_file_has_is_answered_with_those_it_has(program, runs):
  code, _, err = program(
    'curve', f'--group=a={runs}/pg-0', '--metric=fit', f'--output={runs}/new'
  )
  assert code == 1
  assert "no measured value 'fit'; did you mean 'fid'? choose from" in err
  assert 'change, fid, swd, swd_levels' in err
