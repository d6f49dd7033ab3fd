"""Files that are there whole or not at all."""

import os

import pytest

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
