"""Weights of public networks: downloaded once, checked, and cached."""

import contextlib
import http.client
import os
import pathlib
import urllib.error
import urllib.request
from typing import NamedTuple

from tqdm import tqdm

from ganjax import files
from ganjax.weights import formats


class File(NamedTuple):
  """A public file of weights.

  Attributes:
    name: of the file.
    site: the address of the file up to its name.
    algorithm: of the hash, as `hashlib` calls it.
    digest: the hash in hexadecimal digits, or as many of the first ones as its
      publisher gives. PyTorch puts 8 into the file's name.
    size: in bytes, roughly.
    origin: the library whose preprocessing the network was trained with,
      'torchvision', 'caffe' or 'tensorflow'.
  """

  name: str
  site: str
  algorithm: str
  digest: str
  size: int
  origin: str


def _torch(name, size, origin, site='https://download.pytorch.org/models/'):
  digest = name.removesuffix('.pth').rsplit('-', 1)[1]
  return File(name, site, 'sha256', digest, size, origin)


def _keras(network, digest, size):
  return File(
    f'{network}_weights_tf_dim_ordering_tf_kernels_notop.h5',
    f'https://storage.googleapis.com/tensorflow/keras-applications/{network}/',
    'md5',
    digest,
    size,
    'caffe',
  )


_JOHNSON = 'https://web.eecs.umich.edu/~justincj/models/'
_PYSTICHE = 'https://download.pystiche.org/models/'

FILES = {
  'vgg19': _torch('vgg19-dcbb9e9d.pth', 575_000_000, 'torchvision'),
  'vgg16': _torch('vgg16-397923af.pth', 553_000_000, 'torchvision'),
  # These are a seventh of the size, because they lack the classifier.
  'vgg19-keras': _keras(
    'vgg19', '253f8cb515780f3b799900260a226db6', 80_134_624
  ),
  'vgg16-keras': _keras(
    'vgg16', '6d6bbae143d832006294945121d1f1fc', 58_889_256
  ),
  # These are Caffe's weights under torchvision's names; only the hash tells.
  'vgg19-johnson': _torch('vgg19-d01eb7cb.pth', 575_000_000, 'caffe', _JOHNSON),
  'vgg16-johnson': _torch('vgg16-00b39a1b.pth', 553_000_000, 'caffe', _JOHNSON),
  'vgg19-pystiche': _torch(
    'vgg19-74e45263.pth', 575_000_000, 'caffe', _PYSTICHE
  ),
  'vgg16-pystiche': _torch(
    'vgg16-781be684.pth', 553_000_000, 'caffe', _PYSTICHE
  ),
  'squeezenet': File(
    'compressed_SqueezeNet.net',
    'https://raw.githubusercontent.com/songhan/SqueezeNet-Deep-Compression/'
    'master/',
    'sha256',
    'e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261',
    675_763,
    'caffe',
  ),
  'squeezenet1_1': _torch(
    'squeezenet1_1-b8a52dc0.pth', 4_970_000, 'torchvision'
  ),
  'squeezenet1_0': _torch(
    'squeezenet1_0-b66bff10.pth', 5_020_000, 'torchvision'
  ),
}

INCEPTION = File(
  'pt_inception-2015-12-05-6726825d.pth',
  'https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/',
  'sha256',
  '6726825d',
  95_600_000,
  'tensorflow',
)
"""The Inception-v3 of FID: TensorFlow's graph of 2015-12-05."""


def cache() -> pathlib.Path:
  """Returns the folder of cached weights, within that of `ganjax.files`."""
  return files.folder() / 'weights'


def known(path) -> str | None:
  """Returns the name in `FILES` of the file with the same hash, or None."""
  algorithms = {file.algorithm for file in FILES.values()}
  found = {name: formats.digest(path, name) for name in algorithms}
  for name, file in FILES.items():
    if found[file.algorithm].startswith(file.digest):
      return name
  return None


def fetch(file: File, folder=None, report=None) -> pathlib.Path:
  """Returns the path of a file, which is downloaded if needed, and checked.

  A download that breaks off goes on from where it stopped: at once, as long as
  each attempt brings something, and otherwise at the next call. The file gets
  its name only when it is whole and its hash is right.

  Args:
    file: one of `FILES`, or another `File`.
    folder: where it is cached; None is `cache()`.
    report: called as `report(received, total)` in bytes after each piece; the
      total is None where the server does not tell it.

  Raises:
    OSError: if the server or the disk fails.
    ValueError: if the file's hash is not the published one, or the server
      sends more than twice its size.
  """
  folder = pathlib.Path(folder or cache()).expanduser()
  path = folder / file.name
  if path.exists():
    _check(path, file)
    return path
  part = path.with_name(f'{file.name}.part')
  folder.mkdir(parents=True, exist_ok=True)
  while True:
    before = part.stat().st_size if part.exists() else 0
    try:
      _continue(file.site + file.name, part, 2 * file.size, report)
      _check(part, file)
      break
    except ValueError:
      part.unlink(missing_ok=True)
      raise
    except (OSError, http.client.HTTPException) as error:
      if part.exists() and part.stat().st_size > before:
        continue
      raise OSError(
        f'{file.name} ({file.size / 1e6:.1f} MB) could not be fetched from '
        f'{file.site} ({error}). Run the same command again when there is a '
        'network, and the download goes on from where it stopped; or fetch the '
        f'file elsewhere, and save it as {path} or give its path (--weights).'
      ) from error
  os.replace(part, path)
  return path


@contextlib.contextmanager
def progress(file: File):
  """Yields a `report` for `fetch` that shows a progress bar on a terminal."""
  with tqdm(desc=file.name, unit='B', unit_scale=True, disable=None) as bar:

    def report(received, total):
      bar.total = total
      bar.update(received - bar.n)

    yield report


def _continue(url, part, most, report):
  """Downloads what is missing of a file, or raises OSError.

  A body of more than `most` bytes raises ValueError: a server may send without
  an end, and would fill the disk.
  """
  start = part.stat().st_size if part.exists() else 0
  request = urllib.request.Request(url, headers={'User-Agent': 'ganjax'})
  if start:
    request.add_header('Range', f'bytes={start}-')
  try:
    answer = urllib.request.urlopen(request, timeout=30)
  except urllib.error.HTTPError as error:
    if error.code == 416:  # nothing is left, as the hash will tell
      return
    raise
  with answer:
    if answer.status != 206:  # the server begins anew
      start = 0
    length = answer.headers.get('Content-Length')
    total = start + int(length) if length else None
    with open(part, 'ab' if start else 'wb') as out:
      while piece := answer.read(1 << 18):
        start += len(piece)
        if start > most:
          raise ValueError(
            f'{url} sends more than {most:,} bytes, twice the size of the '
            'published file, so it is another one: fetch it elsewhere, and '
            'give its path (--weights).'
          )
        out.write(piece)
        if report is not None:
          report(start, total)
  if total is not None and start < total:
    raise OSError(f'the connection ended after {start} of {total} bytes')


def _check(path, file):
  found = formats.digest(path, file.algorithm)
  if not found.startswith(file.digest):
    raise ValueError(
      f'{path} is not the published {file.name}: its {file.algorithm} begins '
      f'with {found[: len(file.digest)]}, not {file.digest}. Remove it if it '
      'is still there, and run the same command again. If that does not help, '
      f'{file.site} has another file by now.'
    )
