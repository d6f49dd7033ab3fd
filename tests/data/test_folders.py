"""Folders of pictures: links, odd names, other formats, and what is said."""

import os
import warnings

import numpy as np
import pytest
from PIL import Image

from ganjax import picture_files
from ganjax.data import folders, images


def picture(path):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(path, 'PNG')


def loaded(root, tmp_path):
  """The data of a folder, and the words of its warnings."""
  with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter('always')
    data = images.load('folder', root, resolution=8, cache=tmp_path / 'cache')
  return data, [f'{warning.message}' for warning in warned]


def test_links_that_lead_back_are_followed_once(tmp_path):
  root = tmp_path / 'data'
  for name in 'abcde':
    for number in range(2):
      picture(root / name / f'{number}.png')
    for number in range(3):  # exponential, if each of them is followed
      (root / name / f'here{number}').symlink_to('.')
    (root / name / 'up').symlink_to('..')
  (root / 'around').symlink_to(tmp_path)
  picture(tmp_path / 'beside.png')
  listing = folders.pictures(root)
  assert listing.paths == tuple(f'{c}/{n}.png' for c in 'abcde' for n in '01')
  [note] = listing.notes
  assert 'a/here0 is the same folder as a; ' in note
  assert 'around is the same folder as the whole, or one around it; ' in note
  assert note.endswith('; and 16 more.')


def test_a_class_that_is_another_class_is_said(tmp_path):
  root = tmp_path / 'data'
  for name in 'birds', 'cats':
    picture(root / name / 'a.png')
  picture(tmp_path / 'elsewhere' / 'b.png')
  (root / 'ants').symlink_to('cats')  # before the real folder in the order
  (root / 'dogs').symlink_to(tmp_path / 'elsewhere')
  (root / 'elks').symlink_to(tmp_path / 'elsewhere')
  data, [words] = loaded(root, tmp_path)
  assert data.classes == ('birds', 'cats', 'dogs')
  assert data.labels.tolist() == [0, 1, 2]
  assert 'ants is the same folder as cats; ' in words
  assert 'elks is the same folder as dogs.' in words


def test_other_formats_are_counted_in_the_one_warning(tmp_path, monkeypatch):
  root = tmp_path / 'data'
  for name in 'a.png', 'b.png', 'c.PNG', 'd/notes.txt':
    picture(root / name)
  for name in 'e.heic', 'f.HEIC', 'g.avif', 'h.psd', '.i.psd':
    picture(root / name)
  (root / 'broken.png').write_text('nothing')
  # As of a Pillow without AVIF.
  monkeypatch.setattr(
    picture_files,
    'ENDINGS',
    tuple(e for e in picture_files.ENDINGS if e != '.avif'),
  )
  monkeypatch.setattr(
    picture_files, 'UNREAD_ENDINGS', picture_files.UNREAD_ENDINGS | {'.avif'}
  )
  _, [words] = loaded(root, tmp_path)
  assert words.startswith(
    'folder/data: 4 of 8 used; 2 .heic, 1 .avif, 1 .psd passed over. 1 of 4 '
  )
  for name in 'a.png', 'b.png', 'c.PNG', 'broken.png':
    (root / name).unlink()
  with pytest.raises(ValueError, match='no pictures below .* 2 .heic'):
    loaded(root, tmp_path)


def test_a_stream_says_the_same(tmp_path):
  import jax

  from ganjax.data import loaders

  picture(tmp_path / 'a.png')
  picture(tmp_path / 'b.heic')
  with pytest.warns(UserWarning, match='1 of 2 used; 1 .heic passed over'):
    loaders.stream('folder', jax.random.key(0), 0, 1, tmp_path)


def test_names_that_are_no_utf8_or_steer_the_terminal(tmp_path):
  root = tmp_path / 'data'
  names = [b'caf\xe9', b'\x1b[31mred', b'two\nlines']
  for name in names:
    folder = os.path.join(os.fsencode(root), name)
    os.makedirs(folder)
    picture(root / os.fsdecode(name) / 'a.png')
    with open(os.path.join(folder, b'\xff\x1b.png'), 'w') as file:
      file.write('no picture')
  data, [words] = loaded(root, tmp_path)
  assert len(data.images) == 3
  assert data.classes == (r'\x1b[31mred', r'caf\udce9', r'two\nlines')
  assert r'caf\udce9/\udcff\x1b.png (' in words
  assert words.isprintable()
  again, _ = loaded(root, tmp_path)
  np.testing.assert_array_equal(again.images, data.images)


def test_pipes_and_devices_are_not_listed(tmp_path):
  picture(tmp_path / 'data' / 'a.png')
  os.mkfifo(tmp_path / 'data' / 'b.png')
  os.mkfifo(tmp_path / 'pipe')
  (tmp_path / 'data' / 'c.png').symlink_to(tmp_path / 'pipe')
  (tmp_path / 'data' / 'd.png').symlink_to('/dev/zero')
  (tmp_path / 'data' / 'e.png').symlink_to('e.png')
  (tmp_path / 'data' / 'f').symlink_to('nowhere')
  assert folders.pictures(tmp_path / 'data') == (('a.png',), ())


@pytest.mark.parametrize('ending', picture_files.ENDINGS)
def test_every_ending_is_listed(tmp_path, ending):
  (tmp_path / f'a{ending}').touch()
  assert folders.pictures(tmp_path).paths == (f'a{ending}',)
