"""The log of a run, also where `metrics.jsonl` was damaged."""

import json

import pytest

from ganjax.training import log


def line(images):
  return json.dumps({'images': images, 'loss': images / 8}).encode() + b'\n'


def resumed(folder, content, images_seen=24):
  """The images of the lines that are there after the next one is written."""
  (folder / 'metrics.jsonl').write_bytes(content)
  journal = log.start(folder, images_seen)
  journal.scalars(32, {'loss': 4.0})
  journal.close()
  text = (folder / 'metrics.jsonl').read_text()
  assert text.endswith('\n')
  return [json.loads(own)['images'] for own in text.splitlines()]


def test_what_is_written_again_is_removed_first(tmp_path):
  content = b''.join(map(line, [8, 16, 24, 32, 40]))
  assert resumed(tmp_path, content) == [8, 16, 24, 32]
  # As a killed process leaves it.
  assert resumed(tmp_path, content[:-5]) == [8, 16, 24, 32]


@pytest.mark.parametrize(
  'damage', [b'\n', b'{"images": 1\n', b'\xff\n', b'7\n', b'{}\n', b'[]\n']
)
def test_a_damaged_line_is_left_out_with_a_warning(damage, tmp_path):
  content = line(8) + damage + line(16)
  with pytest.warns(UserWarning, match=r'metrics\.jsonl has damaged .*: 2\.'):
    assert resumed(tmp_path, content) == [8, 16, 32]
