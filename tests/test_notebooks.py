"""The notebooks: stripped in git, short in one test, whole in slow ones."""

import ast
import pathlib

import matplotlib
import nbclient
import nbformat
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / 'docs/notebooks').glob('*.ipynb'))


def code(notebook, **shorter):
  """The code of a notebook, with other values in its cell of parameters."""
  for cell in notebook.cells:
    if 'parameters' in cell.metadata.get('tags', ()):
      assert set(shorter) <= bound(cell.source)
      cell.source += ''.join(f'\n{own} = {to}' for own, to in shorter.items())
  return '\n'.join(
    cell.source for cell in notebook.cells if cell.cell_type == 'code'
  )


def bound(source):
  """The names that assignments at the top of some code bind."""
  return {
    target.id
    for statement in ast.parse(source).body
    if isinstance(statement, ast.Assign)
    for target in statement.targets
  }


def test_there_are_six():
  assert [path.name[0] for path in NOTEBOOKS] == list('123456')


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_git_has_no_outputs(path):
  notebook = nbformat.read(path, 4)
  nbformat.validate(notebook)
  first, *_ = notebook.cells
  assert first.source.startswith(f'# {path.name[0]}. ')
  tagged = [own for own in notebook.cells if own.metadata.get('tags')]
  assert len(tagged) == 1
  for cell in notebook.cells:
    if cell.cell_type == 'code':
      assert not cell.outputs and cell.execution_count is None
      # A program of its own is started by `subprocess`, and not by magic.
      assert ast.parse(cell.source).body


def test_the_first_one_runs():
  matplotlib.use('agg')
  source = code(nbformat.read(NOTEBOOKS[0], 4), dense_steps=2, dcgan_steps=4)
  names = {}
  exec(compile(source, NOTEBOOKS[0].name, 'exec'), names)
  assert len(names['losses']) == 2
  assert [grid.shape for grid in names['grids']] == [(40, 16, 16, 1)] * 4
  assert names['state'].step == 4


@pytest.mark.slow
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_each_runs_as_it_is(path, monkeypatch):
  monkeypatch.setenv('PYTHONPATH', f'{ROOT}')
  # As a user does: these compute for longer than they compile.
  monkeypatch.delenv('XLA_FLAGS', raising=False)
  notebook = nbformat.read(path, 4)
  client = nbclient.NotebookClient(
    notebook,
    timeout=900,
    kernel_name='python3',
    resources={'metadata': {'path': path.parent}},
  )
  client.execute()
  outputs = [
    output for cell in notebook.cells for output in cell.get('outputs', ())
  ]
  assert sum('image/png' in own.get('data', {}) for own in outputs) >= 2
  # A warning would stand in the lesson.
  assert not [own for own in outputs if own.get('name') == 'stderr']
