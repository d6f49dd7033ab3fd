"""The site of the documentation: it builds, is whole, and stands alone."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  """The folder of the site: each warning, as of a broken link, is an error."""
  folder = tmp_path_factory.mktemp('site')
  done = subprocess.run(
    [sys.executable, '-m', 'mkdocs', 'build', '--strict', f'-d{folder}'],
    cwd=ROOT,
    env=os.environ | {'NO_MKDOCS_2_WARNING': '1'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return folder


def test_every_page_of_the_docs_is_there(site):
  for path in (ROOT / 'docs').rglob('*.md'):
    page = path.relative_to(ROOT / 'docs').with_suffix('.html')
    assert (site / page).exists(), page


def test_links_lead_somewhere_in_git_too():
  for path in (ROOT / 'docs').rglob('*.md'):
    for target in re.findall(r'\]\(([^():\s#]+)[^():\s]*\)', path.read_text()):
      assert (path.parent / target).exists(), f'{path}: {target}'


def test_notebooks_are_pages_that_can_be_downloaded(site):
  for path in (ROOT / 'docs/notebooks').glob('*.ipynb'):
    page = (site / f'notebooks/{path.stem}.html').read_text()
    assert f'href="{path.name}"' in page
    assert (site / 'notebooks' / path.name).read_bytes() == path.read_bytes()
    listed = (site / 'notebooks/index.html').read_text()
    assert f'href="{path.stem}.html"' in listed


def test_nothing_is_loaded_from_elsewhere(site):
  for path in site.rglob('*.html'):
    loaded = re.findall(
      r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="([^"]+)"',
      path.read_text(),
    )
    assert loaded, path
    outside = [name for name in loaded if re.match('(https?:)?//', name)]
    assert not outside, path


def test_formulas_need_no_script(site):
  page = (site / 'explanation/losses.html').read_text()
  # One for each loss, displayed, and others within the text.
  assert page.count('<math') > page.count('display="block"') >= 7
  assert 'arithmatex' not in page and '\\frac' not in page


def test_sections_of_the_readme_are_pages(site):
  page = (site / 'how_it_is_organised.html').read_text()
  assert '<h1 id="how-it-is-organised">' in page
  # Links that GitHub resolves from docs/ and from the root.
  assert 'href="results.html"' in (site / 'mode_collapse.html').read_text()
  assert 'href="contributing.html"' in (site / 'extending_it.html').read_text()


def test_the_reference_has_what_notebooks_see(site):
  listed = set()
  for path in (ROOT / 'docs/reference').glob('*.md'):
    listed |= set(re.findall(r'^::: (\S+)$', path.read_text(), re.MULTILINE))
  tree = ast.parse((ROOT / 'ganjax/__init__.pyi').read_text())
  for statement in tree.body:
    package = '.'.join(filter(None, ['ganjax', statement.module]))
    for name in (alias.name for alias in statement.names):
      module = f'{package}.{name}'
      if not (ROOT / f'{module.replace(".", "/")}.py').exists():
        module = package
      assert module in listed, f'{name}: no page of docs/reference has {module}'
  page = (site / 'reference/losses.html').read_text()
  assert 'id="ganjax.losses.hinge"' in page and 'arXiv:1802.05957' in page
