"""What a run says of its progress without a terminal."""

import re
import types

import pytest

from ganjax.training import progress


@pytest.fixture
def clock(monkeypatch):
  now = types.SimpleNamespace(time=100.0)
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now.time)
  return now


def test_there_is_a_line_twice_a_minute(clock):
  said = []
  say = progress.lines(said.append, begun=1_000, total=7_000)
  for second in range(1, 121):
    clock.time = 100.0 + second
    say(1_000 + 20 * second, f'loss {second}' if second > 40 else '')
  assert len(said) == 4
  first, second, *_ = said
  assert re.fullmatch(
    r'20\d\d-\d\d-\d\d \d\d:\d\d:\d\d: 1,600 of 7,000 images, '
    r'20.0 a second since the start, 4.5 minutes left',
    first,
  )
  assert second.endswith('4.0 minutes left, loss 60')
