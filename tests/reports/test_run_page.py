"""The page of a run, and that of several."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from ganjax import files
from ganjax.reports import comparison_page, run_page, run_results


def made(folder, seed=0, loss='hinge', offset=0.0, fid=12.0):
  """Returns a folder as a training leaves it, after 400 of 500 images."""
  (folder / 'samples').mkdir(parents=True)
  config = {
    'images': 500,
    'seed': seed,
    'network': 'dcgan',
    'loss': loss,
    'log': {'every': 100 + seed},
  }
  about = {
    'name': 'digits<b>',
    'images': 1797,
    'identity': 'abcd',
    'command': ['train', '--config.loss=hinge', '--workdir', 'runs/a b'],
    'hardware': '1 x cpu',
    'versions': {'jax': '1.2.3'},
    'history': ['images was raised from 100 to 500.'],
  }
  row = {
    'subject': 'samples (ema)',
    'step': 9,
    'number': 100,
    'settings': {'features': 'random', 'data': 'digits'},
    'how': {'fid': {'images': 100}},
    'fid': fid,
  }
  columns = {
    'fid': {
      'title': 'FID',
      'direction': 'minimize',
      'on_features': True,
      'measure': 'fid',
    }
  }
  for name, values in (
    ('config', config),
    ('run', about),
    ('evaluation', {'columns': columns, 'measures': [row]}),
  ):
    files.write_json(folder / f'{name}.json', files.versioned(values))
  rows = [
    {
      'images': images,
      'loss/generator': offset + images / 100,
      'images_per_second': 10.0,
      'compile_seconds': 3.0 if images == 100 else 0.0,
    }
    for images in (100, 200, 300, 400)
  ]
  lines = [json.dumps(row) for row in rows]
  lines.insert(2, '{"images": 25')
  (folder / 'metrics.jsonl').write_text('\n'.join(lines))
  for images in (0, 200, 400):
    pixels = np.full((8, 8, 3), images // 2, np.uint8)
    Image.fromarray(pixels).save(folder / 'samples' / f'{images:010d}.png')
  Image.fromarray(pixels).save(folder / 'reals.png')
  return folder


def warned(metrics):
  return 'Lower the rate.' if metrics['loss/generator'] > 1.5 else None


def test_a_page_says_what_a_run_is(tmp_path):
  folder = made(tmp_path / 'a')
  path = run_page.write(folder, warned)
  page = path.read_text()
  assert path == folder / 'index.html'
  assert 'of 500 images seen' in page
  # 40 s of training and 3 s of compilation.
  assert '<b>0.7 min</b>' in page
  assert 'After 300 images: Lower the rate.' in page
  assert page.count('data-label') == 3
  assert page.count('images of the data') == 1
  assert 'digits&lt;b&gt;' in page and 'digits<b>' not in page
  assert '--workdir &#39;runs/a b&#39;' in page
  assert 'images was raised from 100 to 500.' in page
  assert '<tr class="set"><td><code>loss</code>' in page
  assert 'FID' in page and '12.0000' in page
  assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_a_folder_may_be_given_from_where_one_is(tmp_path, monkeypatch):
  made(tmp_path / 'runs/a')
  made(tmp_path / 'runs/b', loss='x')
  monkeypatch.chdir(tmp_path)
  assert run_page.write('runs/a').read_text().count('data-label') == 3
  comparison_page.write('c.html', ['runs/a', 'runs/b'])
  page = (tmp_path / 'c.html').read_text()
  assert 'no picture' not in page and page.count('Samples of') == 2


def test_a_run_that_has_just_begun_has_a_page(tmp_path):
  folder = made(tmp_path / 'a')
  (folder / 'metrics.jsonl').unlink()
  (folder / 'evaluation.json').unlink()
  shutil.rmtree(folder / 'samples')
  page = run_page.write(folder, warned).read_text()
  assert 'of 500 images seen' in page and 'id="samples"' not in page


def test_a_line_that_is_no_metrics_is_left_out(tmp_path):
  run = run_results.read(made(tmp_path / 'a'))
  images, values = run_results.values(run, 'loss/generator')
  assert images.tolist() == [100, 200, 300, 400]
  assert values.tolist() == [1, 2, 3, 4]
  assert run.seconds == pytest.approx(43)


def test_of_many_grids_the_page_has_some_with_both_ends(tmp_path):
  folder = made(tmp_path / 'a')
  for images in range(1000, 1100):
    shutil.copy(
      folder / 'samples/0000000400.png', folder / f'samples/{images:010d}.png'
    )
  page = run_page.write(folder).read_text()
  labels = re.findall(r'data-label="([\d,]+) images"', page)
  assert len(labels) == 40
  assert (labels[0], labels[-1]) == ('0', '1,099')


def test_a_large_grid_becomes_small(tmp_path):
  folder = made(tmp_path / 'a')
  noise = np.random.default_rng(0).integers(0, 255, (600, 1200, 3), np.uint8)
  Image.fromarray(noise).save(folder / 'samples/0000000400.png')
  page = run_page.write(folder).read_text()
  assert page.count('data:image/jpeg') == 1
  assert len(page) < (folder / 'samples/0000000400.png').stat().st_size


@pytest.mark.parametrize('name', ['config.json', 'run.json', 'metrics.jsonl'])
def test_nothing_outside_of_the_folder_is_read(name, tmp_path):
  folder = made(tmp_path / 'a')
  shutil.move(folder / name, tmp_path / 'secret')
  (folder / name).symlink_to(tmp_path / 'secret')
  with pytest.raises(ValueError, match='out of that folder'):
    run_page.write(folder)


def test_a_picture_from_elsewhere_or_of_another_kind_is_left_out(tmp_path):
  folder = made(tmp_path / 'a')
  shutil.move(folder / 'samples/0000000200.png', tmp_path / 'secret.png')
  (folder / 'samples/0000000200.png').symlink_to(tmp_path / 'secret.png')
  (folder / 'samples/0000000400.png').write_text('no picture')
  with pytest.warns(UserWarning, match='A picture is left out'):
    page = run_page.write(folder).read_text()
  assert page.count('data:image/png') == 3  # the first grid, reals, curves


def test_a_folder_without_a_run_is_said(tmp_path):
  with pytest.raises(FileNotFoundError, match='no run was started there'):
    run_page.write(tmp_path)
  with pytest.raises(ValueError, match='There are 1 runs'):
    comparison_page.write(tmp_path / 'c.html', [made(tmp_path / 'a')])


@pytest.fixture
def compared(tmp_path):
  folders = [
    made(tmp_path / 'a', seed=1, fid=10.0),
    made(tmp_path / 'b', seed=2, offset=2.0, fid=14.0),
    made(tmp_path / 'c', loss='wasserstein', fid=20.0),
  ]
  path = tmp_path / 'compared.html'
  comparison_page.write(path, folders)
  return path


def test_seeds_are_a_group_and_what_differs_is_named(compared):
  page = compared.read_text()
  assert '3 runs of 2 configs' in page
  assert '<th>a and 1 more</th><th>c</th>' in page
  table = page[page.index('What differs</h2>') : page.index('id="measures"')]
  fields = re.findall(r'<tr><td>(?:<code>)?([\w. ]+)', table)
  assert fields == ['loss', 'seeds', 'images seen', 'minutes']
  # The mean of 10 and 14, and 12.7 standard errors of 2 to both sides.
  assert '12 (-13.4 to 37.4, 2 seeds)' in page and '>20<' in page


def test_values_that_were_measured_otherwise_do_not_stand_beside(tmp_path):
  folders = [made(tmp_path / name, loss=name) for name in 'abc']
  other = json.loads((folders[1] / 'evaluation.json').read_text())
  other['measures'][0]['settings']['features'] = 'inception'
  (folders[1] / 'evaluation.json').write_text(json.dumps(other))
  (folders[2] / 'evaluation.json').unlink()
  comparison_page.write(tmp_path / 'x.html', [*folders, made(tmp_path / 'd')])
  page = (tmp_path / 'x.html').read_text()
  assert '1 runs were measured with other settings' in page
  assert '1 runs were not measured' in page


def test_the_curve_of_a_group_is_a_mean_and_a_deviation(tmp_path):
  runs = [
    run_results.read(made(tmp_path / f'{seed}', seed, offset=2.0 * seed))
    for seed in range(2)
  ]
  curve = run_results.curve(runs, 'loss/generator')
  np.testing.assert_allclose(curve.mean, [2, 3, 4, 5])
  np.testing.assert_allclose(curve.high - curve.mean, 2**0.5)
  assert run_results.curve(runs, 'loss/other') is None


def test_a_browser_shows_both_pages_without_a_complaint(compared, tmp_path):
  browser = shutil.which('chromium') or shutil.which('google-chrome')
  if not browser:
    pytest.skip('there is no Chromium to open the pages with')
  for path, words in (
    (compared, 'What differs'),
    (run_page.write(tmp_path / 'a'), 'Where it is from'),
  ):
    done = subprocess.run(
      [
        *(browser, '--headless', '--no-sandbox', '--disable-gpu'),
        *(f'--user-data-dir={tmp_path}/browser', '--enable-logging=stderr'),
        *('--dump-dom', path.as_uri()),
      ],
      capture_output=True,
      text=True,
      timeout=120,
    )
    assert words in done.stdout
    assert 'CONSOLE' not in done.stderr
