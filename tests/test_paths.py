"""Paths: checked before any work, and printed without steering a terminal."""

import os

import pytest

from ganjax import paths


@pytest.mark.parametrize(
  ('name', 'shown'),
  [
    ('Bär und 熊.png', 'Bär und 熊.png'),
    ('\x1b[31mred', r'\x1b[31mred'),
    ('two\nlines\r', r'two\nlines\r'),
    ('\x9b2J', r'\x9b2J'),  # the same as ESC [, in one character
    ('gpj.\u202egnp', r'gpj.\u202egnp'),
    (os.fsdecode(b'caf\xe9'), r'caf\udce9'),
  ],
)
def test_names_are_shown_as_one_printable_line(name, shown):
  assert paths.printable(name) == shown
  assert shown.isprintable()
  shown.encode()


def test_a_destination_is_checked_and_nothing_made(tmp_path):
  (tmp_path / 'read.png').touch()
  (tmp_path / 'folder.png').mkdir()
  (tmp_path / 'file').touch()
  os.mkfifo(tmp_path / 'pipe.png')
  (tmp_path / 'link.png').symlink_to('read.png')
  before = sorted(tmp_path.rglob('*'))

  def check(name):
    return paths.check_destination(
      tmp_path / name, '--output', [tmp_path / 'read.png'], ('.png', '.jpg')
    )

  assert check('new/deep/a.PNG') == tmp_path / 'new/deep/a.PNG'
  for name, words in {
    'painted': r'which has no ending; the name has to end in \.png, \.jpg',
    'painted.jgp': r'which ends in \.jgp; the name has to end in \.png, \.jpg',
    'folder.png': 'which is a folder; name a file in it',
    'pipe.png': 'which is a pipe or a device',
    'read.png': 'would replace .*read.png, which is read',
    'link.png': 'would replace .*read.png, which is read',
    'file/a.png': 'needs a folder .*file, but .*file is a file',
    'file/b/a.png': 'needs a folder .*file/b, but .*file is a file',
  }.items():
    with pytest.raises(ValueError, match=f'^--output .*{words}'):
      check(name)
  assert sorted(tmp_path.rglob('*')) == before


def test_a_destination_where_nothing_may_be_written(tmp_path, monkeypatch):
  def refuse(dir):  # root may write anywhere else
    raise PermissionError

  monkeypatch.setattr(paths.tempfile, 'TemporaryFile', refuse)
  with pytest.raises(ValueError, match='nothing may be written into'):
    paths.check_destination(tmp_path / 'new' / 'a.png', '--output')
  with pytest.raises(ValueError, match='--workdir needs the folder'):
    paths.check_folder(tmp_path, '--workdir')


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  (tmp_path / 'a').touch()
  assert paths.check_file('~/a') == tmp_path / 'a'
  assert paths.check_destination('~/b', '--output') == tmp_path / 'b'


def test_only_files_inside_of_a_folder_belong_to_it(tmp_path):
  folder = tmp_path / 'own'
  folder.mkdir()
  for path in folder / 'file', tmp_path / 'other', tmp_path / 'own2':
    path.write_text('')
  (folder / 'link').symlink_to('file')
  (folder / 'away').symlink_to(tmp_path / 'other')
  for name in 'file', 'link', '../own/file', folder / 'file':
    assert paths.inside(folder, name) == (folder / 'file').resolve()
  for name in 'away', '../other', '../own2', tmp_path / 'other', '/etc/passwd':
    with pytest.raises(ValueError, match='out of that folder'):
      paths.inside(folder, name)
  with pytest.raises(FileNotFoundError):
    paths.inside(folder, 'none')
