r"""Disturbs tiny programs for a while, and compares what they leave.

  python -m tests.soak --minutes 30 --seed 0
  python -m tests.soak --attack 'full disk' --seed 0 --trial 17

Each trial is drawn from the seed and its number. At its end the results are, to
the bit, those of a run that nothing disturbed, or the program has refused in a
sentence. A trial of which neither holds is kept in `failed/` of the folder, and
the second command makes it again; the moment of a kill is that of a clock, so
it may take some tries.
"""

import argparse
import collections
import datetime
import logging
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

from tests.soak import attacks, fork_server, results
from tests.soak.bench import PROGRAMS, ROOT, Bench, BrokenError


def main():
  """Runs the trials; returns how many have failed, at most 1."""
  parser = argparse.ArgumentParser(prog='python -m tests.soak')
  parser.add_argument('--minutes', type=float, default=30)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument(
    '--attack',
    choices=attacks.ATTACKS,
    action='append',
    help='only this one; several go round',
  )
  parser.add_argument('--trial', type=int, help='only that one')
  parser.add_argument('--jobs', type=int, default=1, help='trials at once')
  parser.add_argument('--folder', help='for all files; a temporary one if none')
  parser.add_argument('--output', help='a file for the table, as Markdown')
  asked = parser.parse_args()
  folder = pathlib.Path(asked.folder or tempfile.mkdtemp(prefix='soak-'))
  folder = folder.resolve()
  logging.getLogger('absl').setLevel(logging.ERROR)  # of orbax
  began = time.monotonic()
  benches = queue.Queue()
  # A shell that starts this in the background has its children ignore SIGINT.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  undisturbed, cache = _undisturbed(folder)
  server = fork_server.ForkServer(ROOT)
  for number in range(asked.jobs):
    bench = Bench(folder / f'{number}', undisturbed, server)
    shutil.copytree(cache, bench.cache, dirs_exist_ok=True)
    benches.put(bench)
  print(f'{time.monotonic() - began:.0f} s for undisturbed runs', flush=True)
  end, rows = began + 60 * asked.minutes, Rows(asked.seed, folder)
  numbers = iter([asked.trial] if asked.trial is not None else range(10**6))
  threads = [
    threading.Thread(target=_work, args=(asked, benches, numbers, end, rows))
    for _ in range(asked.jobs)
  ]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  server.close()
  text = rows.table(time.monotonic() - began)
  print(text)
  if asked.output:
    pathlib.Path(asked.output).write_text(text)
  if not asked.folder and not rows.failed:
    shutil.rmtree(folder)
  return int(bool(rows.failed))


def _undisturbed(folder):
  """Returns the results of each program, and the cache that they leave."""
  found, bench = {}, Bench(folder / 'undisturbed', {})
  for program in PROGRAMS:
    bench.clear()
    ended = bench.wait(bench.start(program))
    if ended.code != 0:
      raise RuntimeError(f'undisturbed, {program} ends with {ended}')
    found[program] = results.read(bench.run, bench.folder)
  return found, bench.cache


def drawn(seed, number, only=None):
  """Returns the name of a trial's attack and the generator of its choices."""
  rng = np.random.default_rng([seed, number])
  if only:
    return only[number % len(only)], rng
  names = list(attacks.ATTACKS)
  others = names[1:]
  # Two of three are kills; the rest go round.
  own = others[number // 3 % len(others)] if number % 3 == 1 else names[0]
  return own, rng


def _work(asked, benches, numbers, end, rows):
  bench = benches.get()
  while time.monotonic() < end and (number := next(numbers, None)) is not None:
    name, rng = drawn(asked.seed, number, asked.attack)
    bench.clear()
    began = time.monotonic()
    try:
      outcome = attacks.ATTACKS[name](bench, rng)
      rows.count(name, bench.kills, outcome)
      words = 'survived'
    except BrokenError as error:
      words = rows.fail(name, number, bench, f'{error}')
    seconds = time.monotonic() - began
    kills = len(bench.kills)
    print(
      f'{number} {name}: {words} ({kills} kills, {seconds:.0f} s)',
      flush=True,
    )


class Rows:
  """What came of the trials of each attack."""

  def __init__(self, seed, folder):
    self.seed, self.folder, self.failed = seed, folder, []
    self.counts = collections.defaultdict(collections.Counter)
    self.kills = collections.Counter()
    self.lock = threading.Lock()

  def count(self, name, kills, outcome):
    with self.lock:
      self.counts[name].update(['trials', outcome], kills=len(kills))
      self.kills.update(kills)

  def fail(self, name, number, bench, words):
    place = self.folder / 'failed' / f'{name.replace(" ", "-")}-{number}'
    place.mkdir(parents=True, exist_ok=True)
    for path in [*bench.folder.glob('*.txt'), bench.run]:
      if path.is_dir():
        shutil.copytree(path, place / path.name, dirs_exist_ok=True)
      elif path.exists():
        shutil.copy(path, place)
    words = (
      f'{words}; kept in {place}; again: python -m tests.soak --attack '
      f"'{name}' --seed {self.seed} --trial {number}"
    )
    self.count(name, bench.kills, 'failed')
    self.failed.append(words)
    return words

  def table(self, seconds):
    """Returns the table of all attacks as Markdown."""
    git = subprocess.run(
      ['git', 'rev-parse', '--short', 'HEAD'],
      cwd=ROOT,
      capture_output=True,
      text=True,
    )
    commit = git.stdout.strip() or 'unknown'
    lines = [
      '| attack | trials | survived | to the same bytes | in a sentence '
      '| kills |',
      '|---|--:|--:|--:|--:|--:|',
    ]
    total = collections.Counter()
    for name in attacks.ATTACKS:
      own = self.counts[name]
      total.update(own)
      lines.append(_line(name, own))
    lines.append(_line('all', total))
    return '\n'.join(
      [
        f'{datetime.date.today():%Y-%m-%d}, commit {commit}, seed {self.seed}, '
        f'{seconds / 60:.0f} minutes on {len(os.sched_getaffinity(0))} CPU '
        f'cores; a full disk is {attacks.small_room()}.',
        '',
        *lines,
        '',
        'Kills: '
        + '; '.join(f'{own} {n}' for own, n in sorted(self.kills.items())),
        '',
        *(f'- {words}' for words in self.failed),
      ]
    )


def _line(name, own):
  if not own['trials']:
    return f'| {name} | 0 | not tried | | | |'
  survived = own['same'] + own['sentence']
  cells = name, own['trials'], survived, own['same'], own['sentence']
  return f'| {" | ".join(map(str, cells))} | {own["kills"]} |'


if __name__ == '__main__':
  sys.exit(main())
