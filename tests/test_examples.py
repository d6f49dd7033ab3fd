"""Every snippet of the README runs, and its commands name what there is."""

import importlib.util
import pathlib
import re

from ganjax import regularizers

README = pathlib.Path(__file__).resolve().parents[1] / 'README.md'
SNIPPETS = re.findall(r'```python\n(.*?)```', README.read_text(), re.DOTALL)


def test_every_snippet_runs(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  # A snippet adds this function; the patch takes it away after the test.
  monkeypatch.setattr(regularizers, 'centred', None, raising=False)
  # Later snippets use names of earlier ones, so they are one test, which no
  # two workers can share; the lengths of runs are cut.
  names = {}
  for number, snippet in enumerate(SNIPPETS):
    short = re.sub(r'(?<=number=)2_000|(?<=, )1_000(?=\))', '3', snippet)
    short = short.replace('5_000, 10', '4, 2')
    short = short.replace('steps=(100, 50, 50)', 'steps=(2, 1, 1)')
    exec(compile(short, f'README snippet {number}', 'exec'), names)


def test_the_commands_name_what_there_is():
  root = README.parent
  text = README.read_text()
  programs = re.findall(r'python -m (experiments\.\w+)', text)
  configs = re.findall(r'--config (configs/\w+\.py)', text)
  assert programs
  assert configs
  for program in programs:
    assert importlib.util.find_spec(program), program
  for config in configs:
    assert (root / config).exists(), config
