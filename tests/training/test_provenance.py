"""What is written about where a result comes from."""

import platform
import sys

import jax
import pytest

from ganjax.training import provenance


@pytest.mark.parametrize(
  ('path', 'name'),
  [
    ('experiments/train.py', 'train'),
    ('/home/me/experiments/benchmark/__main__.py', 'benchmark'),
    ('/experiments/of/experiments/benchmark/style.py', 'benchmark.style'),
    ('/usr/bin/pytest', 'pytest'),
    ('', 'python'),
  ],
)
def test_files_and_packages_have_the_name_that_starts_them(
  monkeypatch, path, name
):
  monkeypatch.setattr(sys, 'argv', [path, '--rounds=3'])
  assert provenance.program() == name
  assert provenance.record()['command'] == [name, '--rounds=3']
  words = provenance.in_words()
  assert f'python -m experiments.{name} --rounds=3,' in words
  assert f'python {platform.python_version()}' in words
  assert f'jax {jax.__version__}' in words
