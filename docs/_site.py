"""Hooks of mkdocs: pages from elsewhere, notebooks, formulas without scripts.

What GitHub shows and what the site shows is one text: each section of README.md
is a page of the site, and so is each of the other files in `PAGES`. Notebooks
are in git without their outputs: the site has those of the copies in
runs/notebooks, which `make docs` executes. Formulas become MathML, which
browsers render by themselves.
"""

import html
import pathlib
import re

import nbconvert
import nbformat
from latex2mathml import converter
from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = {
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security.md',
}
# Links to files that are no pages become words.
_NO_PAGES = 'LICENSE', 'CITATION.cff'
_LINK = re.compile(r'\[([^\[\]]*)\]\(([^():\s]+)\)')
_FORMULA = re.compile(
  r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL
)


def on_files(files, config):
  """Adds the pages that are made from files at the root of the repository."""
  made = {
    name: (ROOT / own).read_text(encoding='utf-8')
    for own, name in PAGES.items()
  }
  _, *sections = re.split('^## ', (ROOT / 'README.md').read_text(), flags=re.M)
  for section in sections:
    title = section.split('\n')[0]
    made[_page(title)] = f'# {section}'.replace('\n### ', '\n## ')
  for name, text in made.items():
    files.append(File.generated(config, name, content=_relinked(text, '')))
  for path in sorted((ROOT / 'docs/notebooks').glob('*.ipynb')):
    for name, content in _notebook(path).items():
      file = File.generated(config, f'notebooks/{name}', content=content)
      files.append(file)
  return files


def on_page_markdown(markdown, page, **_):
  """Returns a page whose links lead to pages, where those of git do not."""
  path = page.file.src_uri
  if path == 'notebooks/index.md':
    markdown = markdown.replace('.ipynb)', '.md)')
  return _relinked(markdown, '../', '../' * path.count('/'))


def on_page_content(content, **_):
  """Returns a page with its formulas as MathML."""

  def formula(match):
    tag, tex = match.groups()
    display = {'span': 'inline', 'div': 'block'}[tag]
    return converter.convert(html.unescape(tex).strip(), display=display)

  return _FORMULA.sub(formula, content)


def _notebook(path):
  """Returns the page of a notebook and its pictures, by their names."""
  notebook = nbformat.read(path, 4)
  executed = ROOT / 'runs/notebooks' / path.name
  if executed.exists():
    copy = nbformat.read(executed, 4)
    if [own.source for own in copy.cells] == [
      own.source for own in notebook.cells
    ]:
      notebook = copy
  body, resources = nbconvert.MarkdownExporter().from_notebook_node(
    notebook, {'unique_key': path.stem, 'output_files_dir': ''}
  )
  title, _, rest = body.partition('\n\n')
  download = f'[Download this notebook]({path.name}){{ .md-button download }}'
  pages = {path.with_suffix('.md').name: f'{title}\n\n{rest}\n\n{download}\n'}
  return pages | resources['outputs']


def _page(title):
  """Returns the name of the page of a section of README.md."""
  return f'{re.sub("[^a-z0-9]+", "_", title.lower()).strip("_")}.md'


def _relinked(text, prefix, up=''):
  """Returns a text whose links lead to the pages of the site.

  Args:
    text: Markdown.
    prefix: of links from `docs/` to the root of the repository; '' at the root.
    up: from the folder of the text to `docs/`, such as '../'.
  """

  def link(match):
    words, target = match.groups()
    if not target.startswith(up + prefix):
      return match[0]
    path, _, section = target.removeprefix(up + prefix).partition('#')
    if path in _NO_PAGES:
      return words
    if path in ('', 'README.md') and section:
      return f'[{words}]({up}{_page(section)})'
    page = {**PAGES, 'README.md': 'index.md'}.get(path)
    if path.startswith('docs/'):
      page = path.removeprefix('docs/') + (f'#{section}' if section else '')
    return f'[{words}]({up}{page})' if page else match[0]

  return _LINK.sub(link, text)
