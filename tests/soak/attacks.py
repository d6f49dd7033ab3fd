"""What is done to programs: each attack is a function, and a row in the table.

An attack draws all its choices from a generator of a seed. It returns 'same'
where the results were those of an undisturbed run, or 'sentence' where the
program refused in one, and raises `BrokenError` otherwise.
"""

import os
import resource
import shutil
import signal
import subprocess
import time

import numpy as np
from PIL import Image

from ganjax import exits
from tests.soak.bench import PROGRAMS, BrokenError, Ended
from tests.soak.results import read, under

# What shows that a program is at it; the kill follows within a tenth second.
_PATTERNS = {
  'saving': '**/*orbax-checkpoint-tmp*',
  'a checkpoint': '**/_CHECKPOINT_METADATA',
  'writing a file': '**/*.tmp',
  'sampling': '**/samples/*.png',
  'measuring': '**/evaluation.json',
  'reporting': '**/table.*',
}
_TRAINING = ('any', 'compiling', 'saving', 'writing a file', 'sampling')
_SWEEPING = ('any', 'compiling', 'writing a file', 'measuring', 'reporting')
_MOMENTS = {
  'train': _TRAINING,
  'style_network': _TRAINING,
  'sweep': _SWEEPING,
  'mode_collapse': (*_SWEEPING, 'saving'),
}


def kill(bench, rng):
  """Kills one program again and again, at random and at chosen moments."""
  # Sweeps take twice as long as trainings.
  program = _draw(rng, (*PROGRAMS, 'train', 'style_network'))
  for _ in range(rng.integers(6, 11)):
    process = bench.start(program)
    moment = _draw(rng, ('any', *_MOMENTS[program]))
    if moment == 'compiling':
      # What is missing in the cache is compiled, and written as it is killed.
      _forget(bench.cache, rng)
    _await(bench, process, program, moment, rng)
    if not bench.kill(process, f'{program}, {moment}'):
      ended = bench.wait(process)
      _check(ended.code == 0, process, f'by itself it ended with {ended}')
      bench.compare(program)
      shutil.rmtree(bench.run)
  bench.finish(program)
  return 'same'


def signals(bench, rng):
  """Sends a signal, or two, at a random moment; then the command goes on."""
  program = _draw(rng, PROGRAMS)
  numbers = (*exits.SIGNALS, *exits.SIGNALS, *_DEADLY)
  for _ in range(rng.integers(1, 4)):
    process = bench.start(program)
    time.sleep(bench.seconds[program] * rng.uniform(0, 1))
    number, twice = _draw(rng, numbers), rng.random() < 0.3
    if process.poll() is None:
      process.send_signal(number)
    if twice:
      time.sleep(rng.uniform(0, 0.3))
      if process.poll() is None:
        process.send_signal(_draw(rng, exits.SIGNALS))
    ended = bench.wait(process, 120)
    if number in exits.SIGNALS and ended.code not in (0, -number):
      _check(ended.code == 75, process, f'{number!r} ended it with {ended}')
      # Of a loop that saves first, it is the last line of what it announces.
      said = ended.said or 'Stopped by a signal' in ended.out
      _check(said, process, f'{number!r}: no sentence')
    _check('Traceback' not in ended.err, process, f'a trace after {number!r}')
  bench.finish(program)
  return 'same'


def pause(bench, rng):
  """Stops a program for some seconds, as Ctrl-Z does, and lets it go on."""
  program = _draw(rng, PROGRAMS)
  process = bench.start(program)
  time.sleep(bench.seconds[program] * rng.uniform(0, 1))
  for number in (signal.SIGSTOP, signal.SIGCONT):
    if process.poll() is None:
      process.send_signal(number)
      time.sleep(rng.uniform(0, 3))
  ended = bench.wait(process)
  _check(ended.code == 0, process, f'it ended with {ended}')
  bench.compare(program)
  return 'same'


def full_disk(bench, rng):
  """Gives the workdir or the cache too little room, and more afterwards."""
  program = _draw(rng, PROGRAMS)
  place = _draw(rng, ('run', 'run', 'cache'))
  if place == 'run':
    size = int(2 ** rng.uniform(12, 19.5))
  else:
    files = [path for path in bench.cache.rglob('*') if path.is_file()]
    whole = sum(4096 * (1 + path.stat().st_size // 4096) for path in files)
    size = int(whole * rng.uniform(0.5, 1))
  first = _in_small_room(bench, program, place, size)
  _check(
    first.code == 0 or (first.code == 1 and first.said),
    None,
    f'with {size} bytes in {place} it ended with {first}',
  )
  bench.finish(program)
  return 'same'


def damaged_checkpoint(bench, rng):
  """Flips bits of checkpoints, or truncates them, after a kill."""
  program = _draw(rng, ('train', 'style_network', 'mode_collapse'))
  process = bench.start(program)
  _await(bench, process, program, 'a checkpoint', rng)
  bench.kill(process, f'{program}, any')
  bench.wait(process)
  files = [
    path
    for pattern in ('**/checkpoints/*/**/*', '**/states-*/**/*')
    for path in under(bench.run, pattern)
    if path.is_file()
  ]
  for path in _some(files, rng, 4):
    _damage(path, rng)
  return _same_or_sentence(bench, program)


def damaged_cache(bench, rng):
  """Flips bits of compiled programs and decoded pictures, or truncates them."""
  program = _draw(rng, PROGRAMS)
  sound = bench.folder / 'sound'
  shutil.rmtree(sound, ignore_errors=True)
  shutil.copytree(bench.cache, sound)
  files = sorted(path for path in bench.cache.rglob('*') if path.is_file())
  for path in _some(files, rng, len(files) // 5):
    _damage(path, rng)
  try:
    return _same_or_sentence(bench, program)
  finally:
    shutil.rmtree(bench.cache)
    sound.rename(bench.cache)


def two_programs(bench, rng):
  """Starts the same program twice in one folder; one of them may be killed."""
  program = _draw(rng, PROGRAMS)
  both = [bench.start(program)]
  time.sleep(bench.seconds[program] * rng.uniform(0, 0.7))
  both.append(bench.start(program))
  if rng.random() < 0.5:
    time.sleep(bench.seconds[program] * rng.uniform(0, 0.7))
    bench.kill(_draw(rng, both), f'{program}, one of two')
  refused = False
  for process in both:
    ended = bench.wait(process)
    refused |= ended.code == 1
    _check(
      ended.code in (0, -9) or (ended.code == 1 and ended.said),
      process,
      f'one of two ended with {ended}',
    )
  bench.finish(program)
  return 'sentence' if refused else 'same'


def changed_data(bench, rng):
  """Changes the pictures that a killed run learns from, and puts them back."""
  program = 'style_network'
  process = bench.start(program)
  _await(bench, process, program, _draw(rng, ('any', 'a checkpoint')), rng)
  bench.kill(process, f'{program}, any')
  bench.wait(process)
  pictures = sorted((bench.folder / 'pictures').iterdir())
  change = _draw(rng, ('pixel', 'fewer', 'more', 'renamed', 'style'))
  chosen = _draw(rng, pictures)
  if change == 'fewer':
    chosen.unlink()
  elif change == 'more':
    shutil.copy(chosen, chosen.with_name('more.png'))
  elif change == 'renamed':
    chosen.rename(chosen.with_name('z.png'))
  else:
    path = chosen if change == 'pixel' else bench.folder / 'style.png'
    pixels = np.array(Image.open(path))
    pixels[rng.integers(len(pixels))] ^= 255
    Image.fromarray(pixels).save(path)
  process = bench.start(program)
  ended = bench.wait(process)
  if ended.code == 0:
    # It began anew, so all of it has to be of the changed data.
    found = read(bench.run, bench.folder)
    shutil.rmtree(bench.run)
    again = bench.wait(bench.start(program))
    _check(again.code == 0, None, f'on changed data it ended with {again}')
    _check(found == read(bench.run, bench.folder), process, 'data are mixed')
    return 'same'
  _check(ended.code == 1 and ended.said, process, f'it ended with {ended}')
  bench.paint()
  if change == 'more':
    assert not (bench.folder / 'pictures' / 'more.png').exists()
  bench.finish(program)
  return 'sentence'


ATTACKS = {
  'SIGKILL': kill,
  'other signals': signals,
  'stopped and continued': pause,
  'full disk': full_disk,
  'damaged checkpoints': damaged_checkpoint,
  'damaged caches': damaged_cache,
  'two programs in a folder': two_programs,
  'changed data': changed_data,
}

# Those that ganjax leaves to the system, which ends the process.
_DEADLY = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGXCPU, signal.SIGALRM)


def small_room():
  """Returns how a full disk is made here, in words; see `_in_small_room`."""
  found = subprocess.run(
    ['unshare', '-rm', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'],
    capture_output=True,
  )
  return 'a small tmpfs' if found.returncode == 0 else 'RLIMIT_FSIZE'


def _in_small_room(bench, program, place, size):
  """Returns how a program ended that had `size` bytes in a folder.

  The folder is a small tmpfs, in a user namespace, into which goes as much of
  what is there as it takes. What the workdir holds at the end is what it has
  then. Where there are no namespaces, a limit of the size of each file takes
  its place.
  """
  command = bench.command(program)
  if small_room() == 'RLIMIT_FSIZE':

    def limit():
      resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return bench.wait(bench.start(program, preexec_fn=limit))
  # The results are copied out of the namespace before it ends.
  script = (
    f'mkdir -p {place} kept && cp -a {place} before && '
    f'mount -t tmpfs -o size={size} tmpfs {place} && '
    f'{{ cp -a before/. {place} 2> before.txt; rm -rf before; '
    f'"$@"; code=$?; cp -a {place}/. kept; exit $code; }}'
  )
  kept = bench.folder / 'kept'
  shutil.rmtree(kept, ignore_errors=True)
  command = ['unshare', '-rm', 'sh', '-c', script, 'sh', *command]
  ended = bench.wait(bench.start(program, command))
  if place == 'run':
    shutil.rmtree(bench.run, ignore_errors=True)
    kept.rename(bench.run)
  return ended


def _draw(rng, options):
  options = list(options)
  return options[rng.integers(len(options))]


def _some(files, rng, most):
  """Returns some files, at least one where there is one."""
  number = min(len(files), int(rng.integers(1, max(2, most + 1))))
  chosen = rng.choice(len(files), number, replace=False) if files else ()
  return [files[at] for at in sorted(chosen)]


def _await(bench, process, program, moment, rng):
  """Sleeps until a moment, or the end of the process."""
  if moment in ('any', 'compiling'):
    end = time.monotonic() + bench.seconds[program] * rng.uniform(0, 1)
    while time.monotonic() < end and process.poll() is None:
      time.sleep(0.01)
    return
  pattern = _PATTERNS[moment]
  before = set(under(bench.run, pattern))
  skipped = rng.integers(2)  # the first time that it comes
  while process.poll() is None:
    now = set(under(bench.run, pattern))
    if now - before:
      if not skipped:
        break
      skipped -= 1
    before = now
    time.sleep(0.003)
  time.sleep(rng.uniform(0, 0.1))


def _forget(cache, rng):
  entries = sorted(under(cache, 'ganjax/xla/*-cache'))
  for path in _some(entries, rng, 4):
    path.unlink(missing_ok=True)


def _damage(path, rng):
  data = bytearray(path.read_bytes())
  if not data:
    return
  if rng.random() < 0.3:
    del data[rng.integers(len(data)) :]
  else:
    for _ in range(rng.integers(1, 4)):
      data[rng.integers(len(data))] ^= 1 << rng.integers(8)
  os.chmod(path, 0o644)
  path.write_bytes(data)


def _same_or_sentence(bench, program):
  process = bench.start(program)
  ended: Ended = bench.wait(process)
  if ended.code == 0:
    _check('Traceback' not in ended.err, process, 'it printed a trace')
    bench.compare(program)
    return 'same'
  _check(ended.code == 1 and ended.said, process, f'it ended with {ended}')
  return 'sentence'


def _check(right, process, words):
  if not right:
    where = f' ({process.err.name})' if process is not None else ''
    raise BrokenError(f'{words}{where}')
