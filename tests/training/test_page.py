"""When the page of a run is written."""

import types

import pytest

from ganjax.training import page


@pytest.fixture
def clock(monkeypatch):
  now = types.SimpleNamespace(time=0.0)
  monkeypatch.setattr(page.time, 'monotonic', lambda: now.time)
  return now


def test_pages_take_a_fiftieth_of_the_time(clock):
  written = []

  def write():
    written.append(clock.time)
    clock.time += 2.0

  writer = page.writer(write, pytest.fail)
  for moment in (1, 50, 99, 101, 102, 150, 202, 203):
    clock.time = float(moment)
    writer()
  # The first at once; each of the others once those before are a fiftieth.
  assert written == [1, 101, 202]
  writer(last=True)
  assert written[3:] == [203]


def test_what_goes_wrong_is_said_once_and_stops_nothing(clock):
  said = []

  def write():
    raise OSError('no space')

  writer = page.writer(write, said.append)
  for _ in range(3):
    writer(last=True)
  assert said == ['The page of the run was not written: no space']
