"""No program works for what it cannot write, or what would replace an input."""

import numpy as np
import pytest
from PIL import Image

from ganjax import pictures
from ganjax.style import pretrained


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """A folder with two pictures, in which no program comes to any work."""
  pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
  for name in 'cat.png', 'marc.gif':
    Image.fromarray(pixels).save(tmp_path / name)
  (tmp_path / 'folder.png').mkdir()
  (tmp_path / 'file').touch()
  for module, name in (pictures, 'load'), (pretrained, 'choose'):
    monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail('worked'))
  return tmp_path


PICTURES = {
  'painted': 'has no ending; the name has to end in .png, .jpg, .jpeg, ',
  'painted.jgp': 'ends in .jgp; the name has to end in .png, .jpg',
  'folder.png': 'is a folder; name a file in it',
  'file/painted.png': 'file is a file',
  'cat.png': 'would replace',
}
FOLDERS = {'file': 'file is a file', 'file/deep': 'file is a file'}
COMMANDS = {
  'style_transfer': ['--content={0}/cat.png', '--style={0}/marc.gif'],
  'style_network': ['--content={0}/cat.png', '--workdir={0}/run'],
  'style_pairs': ['--content={0}/cat.png', '--style={0}/marc.gif'],
  'curve': ['--group=a={0}/run'],
  'benchmark': ['--match=R1'],
}
CASES = [
  *(('style_transfer', [], *case) for case in PICTURES.items()),
  ('style_transfer', ['--gif'], 'new.gif', 'where the .gif beside it would'),
  ('style_transfer', ['--gif'], 'marc.png', 'would replace'),
  *(('style_network', [], *case) for case in PICTURES.items()),
  *(('style_pairs', [], *case) for case in FOLDERS.items()),
  *(('curve', [], *case) for case in FOLDERS.items()),
  ('benchmark', [], 'folder.png', 'has to end in .json'),
  ('benchmark', [], 'file/a.json', 'file is a file'),
]


@pytest.mark.parametrize(('name', 'flags', 'output', 'words'), CASES)
def test_a_wrong_destination_is_told_before_any_work(
  program, folder, name, flags, output, words
):
  before = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
  arguments = [flag.format(folder) for flag in COMMANDS[name]]
  code, out, err = program(
    name, *arguments, *flags, f'--output={folder}/{output}'
  )
  assert code == 1 and out == ''
  assert words in err and err.count('\n') == 1
  assert {p: p.stat().st_mtime_ns for p in folder.rglob('*')} == before


@pytest.mark.parametrize('name', ['train', 'sweep', 'mode_collapse'])
def test_a_workdir_below_a_file_is_one_sentence(program, folder, name):
  code, _, err = program(name, f'--workdir={folder}/file/run')
  assert code == 1
  assert err.strip().splitlines()[-1].endswith('file is a file.')
