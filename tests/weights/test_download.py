"""Fetching from a server in this process: whole, broken off, wrong, absent."""

import contextlib
import hashlib
import http.server
import threading

import numpy as np
import pytest

from ganjax.weights import download

CONTENT = np.random.default_rng(0).bytes(600_000)


class Handler(http.server.BaseHTTPRequestHandler):
  """Serves CONTENT as its server's `ranges` and `cuts` say."""

  def do_GET(self):  # noqa: N802
    asked = self.headers.get('Range')
    self.server.asked.append(asked)
    if self.path == '/endless':
      self.send_response(200)
      self.end_headers()
      with contextlib.suppress(OSError):  # the other end hangs up
        while True:
          self.wfile.write(CONTENT)
      return
    if self.path == '/nothing':
      self.send_error(404)
      return
    start = 0
    if asked and self.server.ranges:
      start = int(asked.removeprefix('bytes=').removesuffix('-'))
      if start >= len(CONTENT):
        self.send_error(416)
        return
    self.send_response(206 if start else 200)
    self.send_header('Content-Length', str(len(CONTENT) - start))
    self.end_headers()
    stop = self.server.cuts.pop(0) if self.server.cuts else len(CONTENT)
    self.wfile.write(CONTENT[start:stop])

  def log_message(self, *_):
    pass


@pytest.fixture
def server():
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
    server.ranges, server.cuts, server.asked = True, [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    server.site = f'http://127.0.0.1:{server.server_port}/'
    yield server
    server.shutdown()
    thread.join()


def file(site, digest=None, name='net.pth'):
  digest = digest or hashlib.sha256(CONTENT).hexdigest()[:8]
  return download.File(
    name, site, 'sha256', digest, len(CONTENT), 'torchvision'
  )


def test_a_file_is_fetched_once(server, tmp_path):
  reports = []
  wanted = file(server.site)
  for _ in range(2):
    path = download.fetch(
      wanted, tmp_path / 'new', lambda *report: reports.append(report)
    )
  assert path == tmp_path / 'new' / 'net.pth'
  assert path.read_bytes() == CONTENT
  assert server.asked == [None]
  received = [count for count, _ in reports]
  assert received == sorted(set(received)) and received[-1] == len(CONTENT)
  assert {total for _, total in reports} == {len(CONTENT)}
  assert [p.name for p in path.parent.iterdir()] == ['net.pth']


@pytest.mark.parametrize('ranges', [True, False])
def test_what_broke_off_goes_on(server, tmp_path, ranges):
  server.ranges, server.cuts = ranges, [250_000, 500_000]
  path = download.fetch(file(server.site), tmp_path)
  assert path.read_bytes() == CONTENT
  if ranges:
    assert server.asked == [None, 'bytes=250000-', 'bytes=500000-']


def test_a_part_of_an_earlier_call_is_used(server, tmp_path):
  (tmp_path / 'net.pth.part').write_bytes(CONTENT[:1000])
  assert download.fetch(file(server.site), tmp_path).read_bytes() == CONTENT
  assert server.asked == ['bytes=1000-']
  (tmp_path / 'net.pth').rename(tmp_path / 'net.pth.part')
  assert download.fetch(file(server.site), tmp_path).read_bytes() == CONTENT


def test_a_cut_that_brings_nothing_keeps_the_part(server, tmp_path):
  server.cuts = [1000, 0]
  with pytest.raises(OSError, match='ended after 1000 of 600000 bytes'):
    download.fetch(file(server.site), tmp_path)
  assert (tmp_path / 'net.pth.part').read_bytes() == CONTENT[:1000]
  assert download.fetch(file(server.site), tmp_path).read_bytes() == CONTENT


def test_a_wrong_hash_is_refused(server, tmp_path):
  wrong = file(server.site, '00000000')
  with pytest.raises(ValueError, match='sha256 begins with .*, not 00000000'):
    download.fetch(wrong, tmp_path)
  assert not list(tmp_path.iterdir())
  # A file that someone put there is looked at, too, and left.
  (tmp_path / 'net.pth').write_bytes(b'something else')
  with pytest.raises(ValueError, match='is not the published net.pth'):
    download.fetch(file(server.site), tmp_path)
  assert (tmp_path / 'net.pth').exists()


def test_a_body_without_an_end_is_cut_off(server, tmp_path):
  with pytest.raises(ValueError, match='sends more than 1,200,000 bytes'):
    download.fetch(file(server.site, name='endless'), tmp_path)
  assert not list(tmp_path.iterdir())


def test_without_a_network_it_is_said_what_to_do(server, tmp_path):
  closed = 'http://127.0.0.1:9/'
  place = tmp_path / 'net.pth'
  with pytest.raises(OSError, match=rf'{closed} .*save it as {place}'):
    download.fetch(file(closed), tmp_path)
  with pytest.raises(OSError, match='404.*--weights'):
    download.fetch(file(server.site, name='nothing'), tmp_path)


def test_the_table_is_consistent():
  for name, known in download.FILES.items():
    assert known.site.startswith('https://') and known.site.endswith('/'), name
    digits = {'md5': 32, 'sha256': (8, 64)}[known.algorithm]
    assert len(known.digest) in np.atleast_1d(digits), name
    if len(known.digest) == 8:  # PyTorch's custom
      assert known.name.rsplit('-', 1)[1] == f'{known.digest}.pth', name
  names = [known.name for known in download.FILES.values()]
  assert len(set(names)) == len(names)


def test_known_files_are_told_by_their_hash(tmp_path, monkeypatch):
  (tmp_path / 'renamed').write_bytes(CONTENT)
  assert download.known(tmp_path / 'renamed') is None
  monkeypatch.setitem(download.FILES, 'mine', file('https://a/'))
  assert download.known(tmp_path / 'renamed') == 'mine'


def test_the_cache_follows_the_variable(monkeypatch, tmp_path):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  assert download.cache() == tmp_path / 'ganjax' / 'weights'
