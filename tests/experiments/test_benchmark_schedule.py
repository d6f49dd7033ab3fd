"""How the benchmark goes on, what it refuses, and where its table goes."""

import json
import pathlib

import pytest

from experiments.benchmark import cases, readme

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def rehearse(program, tmp_path):
  """`(match, *flags) -> code, rows, out, err` with one file."""

  def run(match, *flags):
    path = tmp_path / 'new' / 'benchmark.json'
    code, out, err = program(
      'benchmark', '--tiny', f'--match={match}', f'--output={path}', *flags
    )
    found = json.loads(path.read_text())['rows'] if path.exists() else {}
    return code, found, out, err

  return run


def test_commands_add_up_to_one_table(rehearse, tmp_path):
  page = tmp_path / 'page.md'
  page.write_text(f'Before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n')
  code, first, _, err = rehearse('limits')
  assert code == 0, err
  assert first['limits']['state'] == 'done'
  # A file that is not there is a row that says so.
  gone = [f'--{name}={tmp_path}/gone' for name in ('content', 'style')]
  code, both, out, err = rehearse(
    'transfer at 512', '--weights=gone', *gone, f'--readme={page}'
  )
  assert code == 0, err
  assert both['limits'] == first['limits']
  assert list(both) == ['limits', 'style transfer at 512']
  assert both['style transfer at 512']['state'] == 'failed'
  text = page.read_text()
  assert text.startswith(f'Before\n{readme.BEGIN}\n\n| row ')
  assert text.endswith(f'\n{readme.END}\nafter\n')
  assert 'old' not in text
  (line,) = (own for own in text.splitlines() if 'transfer at 512' in own)
  assert 'failed' in line
  code, again, out, err = rehearse('limits')
  assert code == 0, err
  assert again == both
  assert '60 s at most' not in out
  code, _, _, err = rehearse('limits', '--runs=9')
  assert code == 1
  assert 'runs: 8 there, 9 now' in err


def test_rows_that_lack_files_are_left_out(rehearse):
  code, found, _, err = rehearse('descent')
  assert code == 0, err
  (row,) = found.values()
  assert row['sentence'] == (
    'It is left out: give --weights, --content, --style.'
  )


def test_the_readme_has_a_place_for_the_table():
  before, behind = readme.around(ROOT / 'README.md')
  assert '**Speed**' in before
  assert behind.strip()


@pytest.mark.parametrize(
  'page',
  [
    readme.BEGIN,
    f'{readme.END} {readme.BEGIN}',
    f'{readme.BEGIN} {readme.END} {readme.END}',
  ],
)
def test_a_page_without_the_place_is_refused(tmp_path, page):
  path = tmp_path / 'page.md'
  path.write_text(page)
  with pytest.raises(ValueError, match='needs the line <!-- benchmark -->'):
    readme.around(path)


def test_all_rows_that_are_matched_are_named(program, tmp_path):
  code, _, err = program(
    'benchmark', '--match=none', f'--output={tmp_path}/a.json'
  )
  assert code == 1
  for row in cases.ROWS:
    assert row.name in err
