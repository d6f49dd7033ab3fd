"""What SECURITY.md promises of the files of strangers, and of all others."""

import ast
import io
import json
import os
import pathlib
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from ganjax import npz, paths, picture_files
from ganjax.limits import LIMIT
from ganjax.reports import mode_collapse
from ganjax.weights import download, formats

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROMISED, _, NOT_PROMISED = (
  (ROOT / 'SECURITY.md').read_text().partition('## These must not')
)
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)

# What only a file that is a program could cause.
HARMFUL = {
  *('os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'subprocess.Popen'),
  *('pickle.find_class', 'socket.connect', 'socket.getaddrinfo'),
  *('urllib.Request', 'os.remove', 'ctypes.dlopen'),
}
FOUND: list | None = None


def _hook(event, arguments):
  if FOUND is not None and event in HARMFUL:
    FOUND.append((event, arguments))


sys.addaudithook(_hook)  # for good: there is no way to remove one


class Touch:
  """Is pickled as a call that makes a file."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return os.system, (f'touch {self.path}',)


@pytest.fixture
def harmless(tmp_path, monkeypatch):
  """`refused(read, path)`: a sentence that names the file, and no harm."""
  canary = tmp_path / 'canary'

  def refused(read, path):
    monkeypatch.setattr(sys.modules[__name__], 'FOUND', [])
    with pytest.raises(ValueError) as raised:
      read(path)
    harm = FOUND
    monkeypatch.setattr(sys.modules[__name__], 'FOUND', None)
    assert harm == [] and not canary.exists()
    assert f'{path}' in f'{raised.value}' and '\n' not in f'{raised.value}'

  refused.canary = canary
  return refused


def test_the_attack_is_one(tmp_path):
  pickle.loads(pickle.dumps(Touch(tmp_path / 'canary')))
  assert (tmp_path / 'canary').exists()


def test_weights_run_nothing(harmless, tmp_path):
  touch = Touch(harmless.canary)
  evil = pickle.dumps({'weight': touch}, 2)
  path = tmp_path / 'weights.pth'
  with zipfile.ZipFile(path, 'w') as file:
    file.writestr('archive/data.pkl', evil)
  harmless(formats.read, path)
  for content in (evil, MAGIC + evil):
    path.write_bytes(content)
    harmless(formats.read, path)
  np.savez(tmp_path / 'weights.npz', a=np.array([touch], object))
  harmless(formats.read, tmp_path / 'weights.npz')
  harmless(npz.read, tmp_path / 'weights.npz')


@pytest.mark.parametrize(
  'content',
  [
    b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch x) run\n',
    b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/hosts"/></svg>',
    b'push graphic-context\nimage over 0,0 0,0 "|touch x"\n',
  ],
  ids=['eps', 'svg', 'mvg'],
)
def test_pictures_start_no_program(harmless, tmp_path, content):
  path = tmp_path / 'picture.png'
  path.write_bytes(content)
  harmless(picture_files.read, path)


def test_results_are_data(harmless, tmp_path, measured):
  touch = np.array([Touch(harmless.canary)], object)
  names = ('seed', 'captured', 'quality', 'divergence', 'occupancy', 'samples')
  arrays = dict.fromkeys(names, np.zeros(1))
  np.savez(measured / 'arrays-1.npz', setting=touch, **arrays)

  def read(path):
    mode_collapse.read(tmp_path, ['r1'], [0])

  harmless(read, measured / 'arrays-1.npz')
  (measured / 'arrays-1.npz').unlink()
  os.mkfifo(measured / 'arrays-1.npz')
  harmless(read, measured / 'arrays-1.npz')


def test_no_name_in_results_steers_the_terminal(tmp_path):
  strange = '\x1b]0;owned\x07\x9b2J'
  row = {
    'subject': 'samples (ema)',
    'step': 1,
    'images_seen': 8,
    'number': 8,
    'settings': {'features': strange, 'data': strange},
    'how': {'fid': {strange: strange}},
    'fid': 1.0,
  }
  described = {
    'title': f'FID {strange}',
    'direction': 'minimize',
    'on_features': True,
    'measure': 'fid',
  }
  (tmp_path / 'evaluation.json').write_text(
    json.dumps({'columns': {'fid': described}, 'measures': [row]})
  )
  done = subprocess.run(
    [sys.executable, '-m', 'experiments.curve', f'--group=a={tmp_path}']
    + [f'--output={tmp_path}/curve'],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert 'owned' in done.stdout
  for text in done.stdout, done.stderr, *map(_text, tmp_path.glob('curve/*')):
    assert not {*text} & {'\x1b', '\x07', '\x9b'}


def _text(path):
  return path.read_text() if path.suffix in ('.md', '.tex') else ''


def test_downloads_are_those_of_the_table():
  known = [*download.FILES.values(), download.INCEPTION]
  assert all(file.site.startswith('https://') for file in known)
  assert all(file.digest and file.size for file in known)


def test_what_is_promised_is_what_is_read():
  for name in picture_files.FORMATS:
    assert f'{name},' in PROMISED or f'{name} ' in PROMISED
  for ending in ('.pth', '.safetensors', '.h5', '.npz'):
    assert f'`{ending}`' in PROMISED and ending in formats.read.__doc__
  assert f'{LIMIT // 2**30} GiB' in PROMISED
  assert '179 million' in PROMISED
  assert 2 * picture_files.Image.MAX_IMAGE_PIXELS // 10**6 == 178
  modules = [
    word.strip('`,')
    for line in PROMISED.splitlines()
    if line.startswith('| ')
    for word in line.split('|')[2].split()
    if 'ganjax.' in word
  ]
  assert modules
  for module in modules:
    path = ROOT / module.replace('.', '/')
    assert path.is_dir() or path.with_suffix('.py').exists(), module


# Each of them runs, or believes, what a file says.
REFUSED = {
  *('eval', 'exec', 'compile', 'os.system', 'np.load', 'numpy.load'),
  *(
    'torch.load',
    'yaml.load',
    'runpy.run_path',
    'Image.open with all decoders',
  ),
}
ALLOWED = {
  ('ganjax/sweeps/fields.py', 'runpy.run_path'),  # a config, which is a program
}
# Only what starts workers, and the benchmark of other libraries.
PROCESSES = {'ganjax/sweeps/processes.py', 'experiments/benchmark'}


def test_no_file_is_read_by_a_reader_that_believes_it():
  for path in (*ROOT.glob('ganjax/**/*.py'), *ROOT.glob('experiments/**/*.py')):
    name = f'{path.relative_to(ROOT)}'
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Import | ast.ImportFrom):
        module = getattr(node, 'module', None)
        names = [module or ''] + [alias.name for alias in node.names]
        libraries = {own.partition('.')[0] for own in names}
        assert not libraries & {'pickle', 'marshal', 'shelve', 'dill'}, name
        if 'subprocess' in libraries:
          assert any(name.startswith(own) for own in PROCESSES), name
      if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        given = {keyword.arg for keyword in node.keywords}
        if called == 'Image.open' and 'formats' not in given:
          called = 'Image.open with all decoders'
        assert called not in REFUSED or (name, called) in ALLOWED, (
          f'{name} calls {called}: read by ganjax.npz, ganjax.weights.formats '
          'or ganjax.picture_files, or say in SECURITY.md who may write it.'
        )


def test_what_is_not_promised_is_true(tmp_path):
  """Configs are run: whoever thinks that they are data shall not stay so."""
  for word in 'configs', 'checkpoints', 'cache', 'TFDS', 'storage':
    assert word in NOT_PROMISED
  config = tmp_path / 'config.py'
  config.write_text(
    f'open({f"{tmp_path}/ran"!r}, "w")\ndef get_config(): raise ValueError'
  )
  done = subprocess.run(
    [sys.executable, '-m', 'experiments.sweep', f'--config={config}']
    + [f'--workdir={tmp_path}/run', '--dry_run'],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode != 0
  assert (tmp_path / 'ran').exists()


def test_pipes_are_not_opened(tmp_path):
  os.mkfifo(tmp_path / 'pipe')
  for read in npz.read, formats.read, picture_files.read, paths.check_file:
    with pytest.raises(ValueError, match='is a pipe or a device'):
      read(tmp_path / 'pipe')


def test_bytes_are_not_believed():
  """An array that claims more than the file has is refused unallocated."""
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    header, {'descr': '<f4', 'fortran_order': False, 'shape': (2**50,)}
  )
  stream = io.BytesIO()
  with zipfile.ZipFile(stream, 'w') as file:
    file.writestr('a.npy', header.getvalue() + bytes(16))
  with zipfile.ZipFile(stream) as file, pytest.raises(EOFError, match='16 by'):
    npz.arrays(file)
