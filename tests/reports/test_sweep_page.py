"""The report of a sweep, from folders with numbers that are made up."""

import base64
import csv
import html.parser
import itertools
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ganjax import pictures
from ganjax.reports import (
  statistics,
  sweep_figures,
  sweep_page,
  sweep_results,
  sweep_tables,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOSSES = ('non_saturating', 'hinge')
R1 = 'regularizers.discriminator.r1.weight'
RATES = tuple(
  f'optimizers.{player}.learning_rate'
  for player in ('generator', 'discriminator')
)
LOOKS = 4
COLUMNS = {
  'fid': {'title': 'FID', 'direction': 'minimize', 'on_features': True},
  'distance': {
    'title': 'pairwise distance',
    'direction': 'maximize',
    'on_features': False,
  },
}


def _write(folder, about, rows):
  """A sweep's folder: two programs, each with half of the rows."""
  (folder / 'sweep.json').write_text(json.dumps(about))
  for name, own in (('a1', rows[::2]), ('b2', rows[1::2])):
    place = folder / 'programs' / name
    place.mkdir(parents=True, exist_ok=True)
    made = {
      'command': about['command'],
      'hardware': '1 x cpu, 2 x86_64 cores',
      'versions': {'python': '3.11', 'jax': '0.10.0'},
    }
    (place / 'evaluation.json').write_text(
      json.dumps({'measures': own, **made})
    )


def _row(number, changes, seed, evaluation, fid):
  return {
    'subject': 'samples (ema)',
    'setting': number,
    'changes': changes,
    'seed': seed,
    'evaluation': evaluation,
    'of': LOOKS,
    'step': 100 * evaluation,
    'images_seen': 3200 * evaluation,
    'number': 1000,
    'settings': {
      'features': 'classifier of digits, 1a2b3c',
      'data': 'digits, 1797 images',
      'split': 'train',
      'resizing': 'center to 16 pixels',
      'seed': 0,
      'weights': 'ema',
      'checkpoint': 'last',
    },
    'how': {'fid': {'reals': 1797, 'images': 1000}},
    'fid': fid,
    'distance': fid and 0.3 + 0.01 * fid,
    'loss/generator': 0.7,
    'diverged': None,
    'seconds': 2.5 * evaluation,
    'picture': None,
    'program': 'a1',
  }


def _picture(folder, rng, number, seed, evaluation, fid):
  """Blots, the rounder the better: a grid of 25."""
  place = folder / 'programs' / 'a1' / 'pictures'
  place.mkdir(parents=True, exist_ok=True)
  across = np.linspace(-1, 1, 16)
  x, y = np.meshgrid(across, across)
  images = []
  for _ in range(25):
    cx, cy = rng.uniform(-0.4, 0.4, 2)
    blot = 2 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) * 6) - 1
    images.append(blot + 0.01 * fid * rng.standard_normal((16, 16)))
  path = place / f'{number:03d}-{seed}-{evaluation}.png'
  pictures.save(path, pictures.grid(np.array(images)[..., None]))
  return path.relative_to(folder).as_posix()


def make(folder, seeds=5):
  """2 x 2 x 2 x 3 settings; one run diverged, one is not finished."""
  rng = np.random.default_rng(0)
  settings = [
    dict(zip(('loss', R1, *RATES), chosen, strict=True))
    for chosen in itertools.product(
      LOSSES, (0.0, 5.0), (2e-4, 1e-3), (1e-4, 2e-4, 1e-3)
    )
  ]
  about = {
    'task': 'images',
    'name': 'configs/dcgan.py',
    'command': [
      'sweep',
      '--config=configs/dcgan.py',
      '--seeds=5',
      '--grid=a b',
    ],
    'overrides': ['--config.images=12800'],
    'config': {'loss': 'non_saturating', 'images': 12_800},
    'factors': {},
    'settings': settings,
    'seeds': list(range(seeds)),
    'evaluations': LOOKS,
    'columns': COLUMNS,
    'objective': 'fid',
  }
  rows = []
  luck = rng.normal(0, 1.5, seeds)
  for (number, own), seed in itertools.product(
    enumerate(settings), range(seeds)
  ):
    level = 18 if own['loss'] == 'hinge' else 24
    level += 0 if own[R1] else 9
    level += 3 * abs(np.log10(own[RATES[0]] / 2e-4))
    level += 12 * abs(np.log10(own[RATES[1]] / 2e-4)) ** 2
    level += luck[seed] + rng.normal(0, 1)
    for evaluation in range(1, LOOKS + 1):
      if (number, seed, evaluation) == (7, 2, 4):
        continue
      fid = round(level * (1 + 3 * math.exp(-1.3 * evaluation)), 4)
      row = _row(number, own, seed, evaluation, fid)
      if (number, seed) == (5, 1) and evaluation > 2:
        row |= {'fid': None, 'distance': None, 'how': {}, 'diverged': 251}
      elif seed == 0 and evaluation == LOOKS:
        row['picture'] = _picture(folder, rng, number, seed, evaluation, fid)
      rows.append(row)
  _write(folder, about, rows)
  return about, rows


def make_search(folder, trials=40):
  """Trials of two parameters, the worse half cut short, two diverged."""
  rng = np.random.default_rng(0)
  about = {
    'task': 'images',
    'name': 'configs/dcgan.py',
    'command': ['sweep', '--config=configs/dcgan.py', '--trials=40'],
    'overrides': [],
    'config': {},
    'factors': {},
    'settings': [],
    'seeds': [0],
    'evaluations': LOOKS,
    'columns': {'fid': COLUMNS['fid']},
    'objective': 'fid',
  }
  rows = []
  for number in range(trials):
    rate = float(10 ** rng.uniform(-5, -2))
    changes = {RATES[1]: rate, 'loss': LOSSES[number % 2]}
    best = 10 + 15 * abs(np.log10(rate / 3e-4)) + number % 2
    for evaluation in range(1, 3 if best > 20 else LOOKS + 1):
      row = _row(
        number, changes, 0, evaluation, best * (1 + math.exp(-evaluation))
      )
      if number in (3, 11):
        row |= {'fid': None, 'distance': None, 'diverged': 40}
      rows.append(row)
  _write(folder, about, rows)


class _Page(html.parser.HTMLParser):
  """The ids, links and table cells of a page, and whether it is balanced."""

  VOID = frozenset(('meta', 'link', 'img', 'br', 'line', 'circle'))

  def __init__(self, text):
    super().__init__()
    self.open, self.ids, self.links, self.rows = [], set(), [], []
    self.feed(text)
    assert not self.open

  def handle_starttag(self, tag, attrs):
    attrs = dict(attrs)
    if 'id' in attrs:
      assert attrs['id'] not in self.ids
      self.ids.add(attrs['id'])
    self.links += [attrs[name] for name in ('href', 'src') if name in attrs]
    if tag not in self.VOID:
      self.open.append(tag)
    if tag == 'tr':
      self.rows.append([])
    if tag in ('td', 'th') and self.rows:
      self.rows[-1].append('')

  def handle_endtag(self, tag):
    if tag not in self.VOID:
      assert self.open.pop() == tag, (tag, self.getpos())

  def handle_data(self, data):
    if {'td', 'th'} & set(self.open):
      self.rows[-1][-1] += data.strip()


@pytest.fixture(scope='module')
def sweep(tmp_path_factory):
  folder = tmp_path_factory.mktemp('sweep')
  about, rows = make(folder)
  paths = sweep_page.write(folder)
  page = (folder / 'report.html').read_text()
  return folder, about, rows, paths, page


def _lines(path):
  with path.open(newline='') as file:
    return list(csv.DictReader(file))


def test_the_page_is_whole_and_needs_no_other_file(sweep):
  *_, page = sweep
  read = _Page(page)
  for link in read.links:
    assert link.startswith(('data:', '#')), link[:60]
    if link.startswith('#'):
      assert link[1:] in read.ids, link
  assert '://' not in page and '@import' not in page
  # Two figures of effects and one of learning, and a grid for each setting.
  assert page.count('data:image/png;base64,') == 3 + 24


def test_the_page_says_what_became_of_all_runs(sweep):
  *_, page = sweep
  words = ' '.join(re.sub('<[^>]*>', ' ', page).split())
  assert '118 of 120 runs done' in words
  assert 'setting 5 , seed 1, after step 251' in words
  assert 'This sweep is not finished' in words
  assert "--grid='a b'" not in page and '&#39;--grid=a b&#39;' in page


def test_a_distance_on_other_features_is_not_called_fid(sweep):
  *_, page = sweep
  heads = next(row for row in _Page(page).rows if 'setting' in row)
  assert 'FID (features)' in heads and 'FID' not in heads


def test_settings_are_the_mean_and_deviation_of_their_seeds(sweep):
  folder, about, rows, _, page = sweep
  lines = _lines(folder / 'table_settings.csv')
  assert len(lines) == 24
  for line in lines:
    own = [
      row['fid']
      for row in rows
      if row['setting'] == int(line['setting']) and row['evaluation'] == LOOKS
      if row['fid'] is not None
    ]
    np.testing.assert_allclose(float(line['fid_mean']), np.mean(own))
    np.testing.assert_allclose(float(line['fid_std']), np.std(own, ddof=1))
    assert int(line['done']) == len(own)
  assert [lines[5][name] for name in ('diverged', 'unfinished')] == ['1', '0']
  assert [lines[7][name] for name in ('diverged', 'unfinished')] == ['0', '1']
  best = min(
    (line for line in lines if line['done'] == '5'),
    key=lambda line: float(line['fid_mean']),
  )
  own = best['setting']
  assert f'<a href="#setting-{own}">setting {own}</a>' in page


def test_the_table_of_runs_is_enough_to_compute_all_again(sweep):
  folder, about, rows, *_ = sweep
  lines = _lines(folder / 'table.csv')
  assert len(lines) == 120
  assert len(_lines(folder / 'table_evaluations.csv')) == len(rows)
  one = lines[-1]
  assert (one['setting'], one['seed'], one['state']) == ('23', '4', 'done')
  assert float(one['fid']) == rows[-1]['fid']
  assert float(one[RATES[1]]) == about['settings'][23][RATES[1]]
  assert one['settings.features'] == 'classifier of digits, 1a2b3c'
  assert float(one['loss/generator']) == 0.7
  [broken] = [line for line in lines if line['state'] == 'diverged']
  assert (broken['diverged'], broken['fid']) == ('251', '')


def test_main_effects_are_of_runs_that_ended(sweep):
  folder, about, rows, *_ = sweep
  found = sweep_results.read(folder)
  levels = sweep_figures.main_effects(found, 'fid')[('loss',)]
  assert [level.value for level in levels] == list(LOSSES)
  # By hand: the means of the settings' means.
  for level in levels:
    means = [
      np.mean(
        [
          row['fid']
          for row in rows
          if (row['setting'], row['evaluation']) == (number, LOOKS)
          and row['fid']
        ]
      )
      for number, setting in enumerate(about['settings'])
      if setting['loss'] == level.value
    ]
    np.testing.assert_allclose(level.mean, np.mean(means))
  assert [level.runs for level in levels] == [58, 60]
  # The losses were made to be 6 apart, and so they are, to what chance does.
  assert abs(levels[1].difference + 6) < 3 * levels[1].difference_error < 3


def test_tables_for_papers_have_a_line_for_each_setting(sweep):
  folder, *_ = sweep
  latex = (folder / 'table.tex').read_text()
  assert r'\toprule' in latex and r'$\pm$' in latex
  assert r'non\_saturating' in latex
  assert latex.count(r' \\') == 25
  markdown = (folder / 'table.md').read_text()
  assert sum(line.startswith('|') for line in markdown.splitlines()) == 26
  assert 'features: classifier of digits, 1a2b3c' in markdown


def test_figures_come_as_png_and_pdf(sweep):
  folder, _, _, paths, _ = sweep
  names = {path.name for path in paths}
  for name in ('effects_fid', 'effects_distance', 'learning'):
    assert {f'{name}.png', f'{name}.pdf'} <= names
  assert all(path.exists() for path in paths)
  assert not list(folder.glob('*.tmp'))


def test_one_of_two_factors_has_a_panel_for_each_of_its_values(tmp_path):
  grid = [{'pack': pack, 'loss': loss} for pack in (1, 2) for loss in 'abc']
  about = {
    'task': 'images',
    'name': 'configs/dcgan.py',
    'command': ['sweep'],
    'overrides': [],
    'config': {'loss': 'a', 'pack': 1},
    'settings': grid,
    'seeds': [3, 4],
    'evaluations': LOOKS,
    'columns': COLUMNS,
  }
  rows = [
    _row(number, changes, seed, evaluation, 10.0 * number + seed + evaluation)
    for number, changes in enumerate(grid)
    for seed in about['seeds']
    for evaluation in (1, LOOKS)
  ]
  _write(tmp_path, about, rows)
  figures = sweep_figures.draw(sweep_results.read(tmp_path))
  panels = figures['learning_fid'].axes
  assert [panel.get_title() for panel in panels] == ['pack 1', 'pack 2']
  names = [text.get_text() for text in figures['learning_fid'].legends[0].texts]
  assert names == ['a', 'b', 'c']
  last = panels[1].lines[2]  # loss c in packs of 2, the mean of both seeds
  np.testing.assert_allclose(last.get_ydata(), [54.5, 53.5 + LOOKS])
  assert 'learning_distance' in figures


def test_fields_that_move_together_are_one_factor(tmp_path):
  _write(
    tmp_path,
    {
      'task': 'images',
      'name': 'configs/dcgan.py',
      'command': ['sweep'],
      'overrides': [],
      'config': {'loss': 'hinge', 'pack': 1},
      'settings': [{}, {'pack': 2, 'batch_size': 8, 'loss': 'hinge'}],
      'seeds': [3],
      'evaluations': LOOKS,
      'columns': COLUMNS,
    },
    [
      _row(0, {}, 3, 1, 8.0),
      _row(1, {'pack': 2}, 3, 1, 9.0),
      _row(0, {}, 3, LOOKS, 4.0),
      _row(1, {'pack': 2}, 3, LOOKS, 9.0),
    ],
  )
  found = sweep_results.read(tmp_path)
  assert sweep_results.factors(found) == [('pack', 'batch_size')]
  # What a setting leaves as it is has the config's value.
  assert found.settings[0].values['loss'] == 'hinge'
  [levels] = sweep_figures.main_effects(found, 'fid').values()
  assert [(level.value, level.difference) for level in levels] == [
    (1, 0),
    (2, 5),
  ]
  # Its values are the settings, which are drawn once.
  assert [*sweep_figures._learning(found)] == ['by pack + batch_size']
  sweep_page.write(tmp_path)
  _Page((tmp_path / 'report.html').read_text())


def test_a_sweep_at_its_first_look_has_a_report(tmp_path):
  about, rows = make(tmp_path, seeds=1)
  _write(tmp_path, about, [row for row in rows if row['evaluation'] == 1][:3])
  sweep_page.write(tmp_path)
  page = (tmp_path / 'report.html').read_text()
  _Page(page)
  assert '0 of 24' in page and 'at evaluation 1 of 4' in page
  assert not sweep_results.ranked(sweep_results.read(tmp_path))


def test_where_all_diverged_there_is_no_best(tmp_path):
  about, rows = make(tmp_path, seeds=2)
  for row in rows:
    row |= {'fid': None, 'distance': None, 'diverged': 12}
  _write(tmp_path, about, rows)
  sweep_page.write(tmp_path)
  page = (tmp_path / 'report.html').read_text()
  _Page(page)
  assert '0 of 48' in page and 'best FID' not in page


def test_a_measure_that_few_runs_have_wins_nothing(tmp_path):
  about, rows = make(tmp_path, seeds=2)
  for row in rows:
    if (row['setting'], row['seed']) == (9, 0):
      row['fid'] = 0.5
    if (row['setting'], row['seed']) == (9, 1):
      row['fid'] = None
  _write(tmp_path, about, rows)
  found = sweep_results.read(tmp_path)
  assert 9 not in [setting.number for setting in sweep_results.ranked(found)]
  line = sweep_tables.rows(found)[9]
  assert (line['measured']['fid']['words'], line['done']) == ('0.5 (1 of 2)', 2)


def test_a_search_has_its_history_and_what_mattered(tmp_path):
  make_search(tmp_path)
  names = {path.name for path in sweep_page.write(tmp_path)}
  assert {'search.png', 'parameters.pdf', 'learning.png'} <= names
  found = sweep_results.read(tmp_path)
  assert found.searched
  shares = sweep_figures.importance(found)
  np.testing.assert_allclose(sum(shares.values()), 1)
  assert list(shares)[0] == RATES[1]
  states = [sweep_figures.state(setting) for setting in found.settings]
  assert states.count('diverged') == 2 and 'cut short' in states
  page = (tmp_path / 'report.html').read_text()
  _Page(page)
  first = sweep_results.ranked(found)[0]
  own = [
    np.nanmean(sweep_results.final(c, 'fid'))
    for c in sweep_results.ranked(found)
  ]
  assert own == sorted(own)
  assert f'trial {first.number}</a>' in page


def test_no_file_but_pictures_of_the_folder_is_embedded(tmp_path):
  folder = tmp_path / 'sweep'
  folder.mkdir()
  about, rows = make(folder, seeds=1)
  secret = tmp_path / 'secret.png'
  pictures.save(secret, np.full((9, 9, 3), 77, np.uint8))
  (folder / 'link.png').symlink_to(secret)
  (folder / 'text.png').write_text('password')
  signature = b'\x89PNG\r\n\x1a\n'
  (folder / 'signed.png').write_bytes(signature + b'password')
  own = next(row['picture'] for row in rows if row['picture'])
  hidden = [
    base64.b64encode(content).decode()
    for content in (secret.read_bytes(), b'password', signature + b'password')
  ]
  names = {
    '../secret.png': 'leads to .* out of that folder',
    f'{secret}': 'out of that folder',
    'link.png': 'out of that folder',
    'text.png': 'cannot identify',
    'signed.png': 'left out',
    'programs': 'is a folder',
    'a\0b': 'left out',
  }
  # Each setting has one of them, and the last one its own.
  strange = dict(enumerate([*names, [1]]))
  _write(
    folder,
    about,
    [
      row
      | {'picture': own if row['setting'] > 20 else strange[row['setting'] % 8]}
      for row in rows
    ],
  )
  with pytest.warns(UserWarning, match='left out') as warned:
    sweep_page.write(folder)
  said = [f'{one.message}' for one in warned]
  for words in names.values():
    assert any(re.search(words, one) for one in said), words
  page = (folder / 'report.html').read_text()
  assert 'id="samples"' in page
  assert not [one for one in hidden if one in page]


def test_no_measurements_are_read_from_elsewhere(tmp_path):
  folder = tmp_path / 'sweep'
  folder.mkdir()
  make(folder, seeds=1)
  for name in 'sweep.json', 'programs/a1/evaluation.json':
    path, moved = folder / name, tmp_path / 'elsewhere.json'
    path.rename(moved)
    path.symlink_to(moved)
    with pytest.raises(ValueError, match=f'names {name}, .* out of that fold'):
      sweep_page.write(folder)
    path.unlink()
    moved.rename(path)
  path.write_text('{"measures": [')
  with pytest.raises(ValueError, match=r'evaluation\.json is damaged'):
    sweep_page.write(folder)


def test_figures_replace_links_and_not_what_they_lead_to(tmp_path):
  folder = tmp_path / 'sweep'
  folder.mkdir()
  make(folder, seeds=1)
  kept = tmp_path / 'kept'
  kept.write_text('as it was')
  names = [path.name for path in sweep_page.write(folder)]
  for name in names:
    (folder / name).unlink()
    (folder / name).symlink_to(kept)
  sweep_page.write(folder)
  assert kept.read_text() == 'as it was'
  assert not [name for name in names if (folder / name).is_symlink()]


def test_a_folder_without_a_sweep_is_said_to_be_one(tmp_path):
  with pytest.raises(FileNotFoundError, match='holds no sweep.json'):
    sweep_page.write(tmp_path)
  (tmp_path / 'sweep.json').write_text('{"format": 9}')
  with pytest.raises(ValueError, match='sweep.json was written by a newer'):
    sweep_page.write(tmp_path)
  (tmp_path / 'sweep.json').write_text('{}')
  with pytest.raises(FileNotFoundError, match='nothing measured yet'):
    sweep_page.write(tmp_path, lambda sentence: pytest.fail(sentence))


def test_a_value_without_a_direction_is_shown_and_not_ranked(tmp_path):
  about, rows = make(tmp_path, seeds=1)
  for row in rows:
    row['luck'] = 1.5 + row['setting']
  luck = {'title': 'luck of the draw', 'direction': None, 'on_features': False}
  about |= {'objective': 'luck', 'columns': COLUMNS | {'luck': luck}}
  _write(tmp_path, about, rows)
  sweep_page.write(tmp_path)
  found = sweep_results.read(tmp_path)
  assert found.direction is None and not sweep_results.ranked(found)
  assert found.titles['luck'] == 'luck of the draw'
  # Without a direction, only the objective has main effects.
  assert found.compared == ['luck', 'fid', 'distance']
  spread = {'fid_std': luck | {'title': 'spread'}}
  about |= {'objective': 'fid', 'columns': about['columns'] | spread}
  _write(tmp_path, about, [row | {'fid_std': 0.1} for row in rows])
  assert sweep_results.read(tmp_path).compared == ['fid', 'distance']
  page = (tmp_path / 'report.html').read_text()
  _Page(page)
  assert 'so that nothing is ranked' in page and 'best luck' not in page


def test_numbers_have_three_places_of_the_usual_one():
  assert sweep_tables.number_format([12.0, 25])(13.372) == '13.4'
  assert sweep_tables.number_format([0.03])(0.0345) == '0.0345'
  assert sweep_tables.number_format([2500.0])(2512.4) == '2,512'
  assert sweep_tables.number_format([])(math.nan) == '–'


def test_the_interval_of_a_setting_is_that_of_its_seeds(sweep):
  folder, _, rows, *_ = sweep
  own = [
    row['fid']
    for row in rows
    if (row['setting'], row['evaluation']) == (0, LOOKS)
  ]
  line = _lines(folder / 'table_settings.csv')[0]
  low, high = statistics.interval(own)
  assert (float(line['fid_low']), float(line['fid_high'])) == (low, high)


def test_reports_are_written_without_jax(tmp_path):
  make(tmp_path, seeds=2)
  script = f"""
import importlib, pkgutil, sys

class Refuse:
  def find_spec(self, name, path=None, target=None):
    if name.split('.')[0] in ('jax', 'jaxlib', 'flax', 'optax', 'orbax'):
      raise ImportError(f'{{name}} was imported')

sys.meta_path.insert(0, Refuse())
import ganjax.reports
names = [
  found.name
  for found in pkgutil.walk_packages(ganjax.reports.__path__, 'ganjax.reports.')
]
for name in names:
  importlib.import_module(name)
from ganjax.reports import sweep_page
sweep_page.write({str(tmp_path)!r})
print(*names)
"""
  done = subprocess.run(
    [sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
  assert 'ganjax.reports.figures.curves' in done.stdout.split()
  assert (tmp_path / 'report.html').stat().st_size > 100_000


def test_a_browser_shows_the_page_without_a_complaint(sweep, tmp_path):
  browser = shutil.which('chromium') or shutil.which('google-chrome')
  if not browser:
    pytest.skip('there is no Chromium to open the report with')
  folder, *_ = sweep
  done = subprocess.run(
    [
      browser,
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      f'--user-data-dir={tmp_path}',
      '--enable-logging=stderr',
      '--dump-dom',
      (folder / 'report.html').as_uri(),
    ],
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert 'Main effects' in done.stdout
  assert 'CONSOLE' not in done.stderr
