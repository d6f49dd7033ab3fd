"""Signals that ask a program to stop."""

import signal
import threading

import pytest

from ganjax import exits
from ganjax.training import signals


@pytest.mark.parametrize('number', exits.SIGNALS)
def test_the_first_signal_asks_to_stop_and_the_second_acts(number):
  came = []
  before = signal.signal(number, lambda *anything: came.append(number))
  try:
    with signals.catch() as stop:
      assert not stop.is_set() and not signals.agreed(stop, ask=False)
      signal.raise_signal(number)
      assert stop.is_set() and signals.agreed(stop, ask=False)
      assert came == []
      signal.raise_signal(number)
      assert came == [number]
    with signals.catch() as stop:
      pass
    signal.raise_signal(number)
    assert came == 2 * [number] and not stop.is_set()
  finally:
    signal.signal(number, before)


def test_a_signal_is_acknowledged_before_anything_is_saved(capfd):
  before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
  signal.signal(signal.SIGTERM, lambda *anything: None)
  try:
    with signals.catch():
      signal.raise_signal(signal.SIGTERM)
      assert capfd.readouterr().err.startswith('\nSIGTERM received: ')
      signal.raise_signal(signal.SIGTERM)
      assert not capfd.readouterr().err
  finally:
    signal.signal(signal.SIGTERM, before)


def test_what_a_process_was_started_to_ignore_stays_ignored():
  before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  try:
    with signals.catch() as stop:
      signal.raise_signal(signal.SIGHUP)
      assert not stop.is_set()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
  finally:
    signal.signal(signal.SIGHUP, before)


def test_signals_are_left_alone_outside_of_the_main_thread():
  handlers = []

  def other():
    with signals.catch() as stop:
      handlers.append((signal.getsignal(signal.SIGTERM), stop.is_set()))

  thread = threading.Thread(target=other)
  thread.start()
  thread.join()
  assert handlers == [(signal.getsignal(signal.SIGTERM), False)]
