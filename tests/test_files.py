"""Files that are whole, carry their format, and say what a folder holds."""

import errno
import json
import os

import pytest
from ml_collections import ConfigDict

from ganjax import files


def test_a_file_takes_its_place_only_when_it_is_whole(tmp_path):
  path = tmp_path / 'a.json'
  files.write_json(path, {'a': [1, 2]})
  before = path.read_text()
  with pytest.raises(ZeroDivisionError), files.whole(path) as unfinished:
    unfinished.write_text('half')
    assert path.read_text() == before
    raise ZeroDivisionError
  assert path.read_text() == before
  files.write(path, 'ä')
  assert path.read_bytes() == 'ä'.encode()
  assert os.listdir(tmp_path) == ['a.json']


def test_nested_dicts_are_flattened_to_dotted_names():
  nested = {'a': 1, 'b': {'c': (2, 3), 'd': {'e': None}, 'f': {}}}
  flat = {'a': 1, 'b.c': (2, 3), 'b.d.e': None}
  assert files.flat(nested) == flat
  assert files.flat(ConfigDict(nested)) == flat


def test_a_folder_that_holds_another_run_names_every_field(tmp_path):
  path = tmp_path / 'new' / 'config.json'
  values = {'seed': 0, 'sizes': (1, 2), 'deep': {'rate': 0.1}, 'command': 'a'}
  files.claim(path, values, write=False)
  assert not path.parent.exists()
  files.claim(path, values)
  written = path.read_text()
  assert json.loads(written) == files.versioned(values | {'sizes': [1, 2]})
  # The same again, as a tuple or as the list that JSON makes of it.
  files.claim(path, values)
  files.claim(path, files.read_json(path))
  other = {
    'seed': False,
    'sizes': (1, 2),
    'deep': {'rate': 0.2, 'name': 'x'},
    'command': 'b',
  }
  with pytest.raises(ValueError) as error:
    files.claim(path, other, ignore=('command',))
  assert str(error.value) == (
    f'{path.parent} holds another run. Give the same settings to go on with '
    'it, or another place to start anew. What differs: deep.name: nothing '
    'there, "x" now; deep.rate: 0.1 there, 0.2 now; seed: 0 there, false now.'
  )
  assert path.read_text() == written


@pytest.mark.parametrize(
  ('version', 'sentence'),
  [
    (9, 'a newer ganjax (format 9; this one reads 2): update ganjax, or give'),
    (1, 'an older ganjax (format 1; this one reads 2): give another folder'),
  ],
)
def test_another_format_is_answered_by_a_sentence(version, sentence, tmp_path):
  path = tmp_path / 'config.json'
  files.write_json(path, {'format': version, 'seed': 0})
  for read in (files.read_json, lambda path: files.claim(path, {'seed': 0})):
    with pytest.raises(files.FormatError) as error:
      read(path)
    assert str(error.value).startswith(f'{path} was written by {sentence}')
  files.write_json(path, {'format': files.FORMAT, 'seed': 0})
  assert files.read_json(path) == {'seed': 0}


def test_a_sweep_from_before_it_had_settings_is_of_an_older_format(tmp_path):
  path = tmp_path / 'sweep.json'
  files.claim(path, {'settings': []}, 'sweep')
  assert json.loads(path.read_text())['format'] == files.version(path) == 3
  files.write_json(path, {'format': 2, 'cells': []})
  with pytest.raises(files.FormatError, match='an older ganjax .format 2; thi'):
    files.claim(path, {'settings': []}, 'sweep')


@pytest.mark.parametrize('content', ['', '{"seed": ', '[1]', '7', '\x00'])
def test_damaged_json_is_told_with_the_file(content, tmp_path):
  path = tmp_path / 'sweep.json'
  path.write_text(content)
  with pytest.raises(ValueError, match=rf'{path} is damaged \(.*\); give back'):
    files.claim(path, {'seed': 0}, 'sweep')


def test_a_full_disk_is_told_with_the_file(tmp_path):
  path = tmp_path / 'table.json'
  words = f'{path} could not .*free space there'
  with pytest.raises(OSError, match=words), files.whole(path) as unfinished:
    unfinished.write_text('')
    raise OSError(errno.ENOSPC, 'No space left on device')
  with pytest.raises(PermissionError, match='another'), files.whole(path):
    raise PermissionError(errno.EACCES, 'another')
  assert not list(tmp_path.iterdir())
