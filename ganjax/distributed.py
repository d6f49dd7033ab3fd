"""Several processes that share a run: how they find one another, and end.

`--distributed auto` joins what Slurm, Open MPI, Kubernetes or a TPU pod has
started, as `jax.distributed.initialize` finds it; three other flags say it by
hand. A process that ends early ends the others, each with a sentence.
"""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import threading
import time

import jax
from absl import flags
from tqdm import tqdm

from ganjax import exits, launch, liveness

_BY_HAND = 'coordinator', 'num_processes', 'process_id'
_PATIENCE = 300  # seconds in which all processes have to start
_GRACE = 5.0  # seconds in which a process ends by itself, once another has
_MOMENT = 2.0  # seconds in which it learns of that


def define():
  """Defines the flags that say which processes share a run."""
  flags.DEFINE_enum(
    'distributed',
    'none',
    ['none', 'auto'],
    'auto: share the run with the other processes that Slurm, Open MPI, '
    'Kubernetes or a TPU pod has started; none: train alone, or as the next '
    'three flags say.',
  )
  flags.DEFINE_string(
    'coordinator', None, 'HOST:PORT of process 0, where several share a run.'
  )
  flags.DEFINE_integer(
    'num_processes', None, 'How many processes share the run.', 1
  )
  flags.DEFINE_integer(
    'process_id', None, 'The number of this process among them, from 0.', 0
  )
  flags.register_multi_flags_validator(['distributed', *_BY_HAND], _check)


def _check(given):
  """Returns True; raises ValidationError if flags contradict one another."""
  by_hand = {name: given[name] for name in _BY_HAND if given[name] is not None}
  if not by_hand:
    return True
  named = ' and '.join(f'--{name}' for name in by_hand)
  if given['distributed'] == 'auto':
    raise flags.ValidationError(
      f'--distributed=auto finds the other processes by itself; leave out '
      f'{named}, or --distributed.'
    )
  missing = [f'--{name}' for name in _BY_HAND if name not in by_hand]
  if missing:
    raise flags.ValidationError(
      f'{named} says how processes share a run, but {" and ".join(missing)} '
      'has no value; give all three of --coordinator, --num_processes and '
      '--process_id, or --distributed=auto on a cluster.'
    )
  if given['process_id'] >= given['num_processes']:
    raise flags.ValidationError(
      f'--process_id is {given["process_id"]}, but the '
      f'{given["num_processes"]} processes of --num_processes are numbered '
      'from 0.'
    )
  host, colon, port = given['coordinator'].rpartition(':')
  if not (host and colon and port.isdigit() and 0 < int(port) < 2**16):
    raise flags.ValidationError(
      f'--coordinator is {given["coordinator"]!r}; give HOST:PORT of process '
      '0, such as 10.0.0.1:1234.'
    )
  return True


@contextlib.contextmanager
def joined():
  """Joins the processes that the flags name, and watches them in its block.

  Whichever of them ends with an error ends the others, with the same exit code
  and its sentence; if it was killed, they end with `launch.STOPPED`. A process
  that trains alone is only its block.

  Raises:
    ValueError: if no cluster is found, or process 0 does not answer.
  """
  given = flags.FLAGS
  if given.distributed == 'auto':
    _initialize_on_a_cluster()
  elif given.coordinator is not None:
    _initialize(given.coordinator, given.num_processes, given.process_id)
  else:
    yield
    return
  own, seen = jax.process_index(), []

  def ended(end):
    if end.code != 0:
      seen.append(end)
      if end.code is not None:
        time.sleep(_GRACE)
      _leave_after(end)

  line = _line(own, ended)
  _sleep_before_an_abort()
  try:
    yield
  except KeyboardInterrupt:
    line.tell(liveness.End(own, launch.STOPPED, 'It was stopped by a signal.'))
    raise
  except Exception as error:
    # Where another process is gone, this is only what follows from it: the
    # thread that learns of it may need a moment, and nobody is told of this.
    time.sleep(_MOMENT)
    if seen:
      _leave_after(seen[0])
    line.tell(liveness.End(own, 1, launch.sentence(error)))
    raise
  line.tell(liveness.End(own, 0))


def _initialize_on_a_cluster():
  _keep_signals()
  try:
    jax.distributed.initialize(initialization_timeout=_PATIENCE)
  except ValueError as error:
    raise ValueError(
      f'--distributed=auto found no cluster ({error}): this is no job step of '
      'Slurm (srun), no process of Open MPI (mpirun), no pod of an indexed Job '
      'of Kubernetes (which needs '
      "pip install 'ganjax[kubernetes]'), and no TPU VM. Give --coordinator, "
      '--num_processes and --process_id, or train alone without this flag.'
    ) from error


def _initialize(coordinator, number, process):
  host, _, port = coordinator.rpartition(':')
  if process:  # jax would abort the process, without a sentence.
    _await(host, port)
  else:
    tqdm.write(f'Waiting for {number} processes at {coordinator} ...')
  _keep_signals()
  try:
    jax.distributed.initialize(
      coordinator, number, process, initialization_timeout=_PATIENCE
    )
  except RuntimeError as error:
    raise ValueError(
      f'The {number} processes of the run could not be joined at {coordinator} '
      f'({error}); is the port free, and the same in all of them?'
    ) from error


def _keep_signals():
  # Its preemption service would take SIGTERM away from `exits` and `signals`.
  jax.config.update('jax_enable_preemption_service', False)


def _await(host, port, patience=_PATIENCE):
  """Waits until process 0 answers; raises ValueError if it does not."""
  until = time.monotonic() + patience
  while True:
    try:
      return socket.create_connection((host.strip('[]'), port), 10).close()
    except OSError as error:
      if time.monotonic() > until:
        raise ValueError(
          f'Nobody answered at {host}:{port} for {patience:.0f} seconds '
          f'({error}); --coordinator has to be HOST:PORT of process 0, which '
          'has to be started too.'
        ) from error
    time.sleep(min(1.0, patience))


def _line(own, ended):
  """Returns the `liveness.Line` of this process."""
  # What jax's processes share: the only place of it is private.
  from jax._src.distributed import global_state

  client = global_state.client
  if own == 0:
    token = secrets.token_hex(16)
    line = liveness.listen(jax.process_count(), token, ended)
    client.key_value_set('ganjax/liveness', f'{line.port} {token}')
    return line
  found = client.blocking_key_value_get('ganjax/liveness', _PATIENCE * 1000)
  port, token = found.split()
  host = global_state.coordinator_address.rpartition(':')[0].strip('[]')
  try:
    return liveness.connect(host, int(port), token, own, ended)
  except OSError as error:
    tqdm.write(
      f'Warning: process {own} has no connection to {host}:{port} ({error}); '
      'if another process dies, it learns so only from jax, which aborts it '
      'after about 100 seconds.'
    )
    return liveness.Line(lambda end: None, 0)


def _sleep_before_an_abort():
  """Lets threads end a process by a sentence before jax aborts it.

  When process 0 is gone, jax's own thread aborts this process at once. The
  handler of that signal is now C's `sleep(6)`, for 6 is the signal's number; a
  handler in Python would not be called before the process is gone.
  """
  library = ctypes.CDLL(None)
  library.signal.argtypes = ctypes.c_int, ctypes.c_void_p
  library.signal.restype = ctypes.c_void_p
  sleep = ctypes.cast(library.sleep, ctypes.c_void_p)
  library.signal(int(signal.SIGABRT), sleep)


_leaving = threading.Lock()


def _leave_after(end):
  """Ends this process because another one has ended; never returns."""
  _leaving.acquire()  # Never released: the process says so once.
  if end.code is None:
    text = (
      f'Process {end.process} of the run was killed, or its machine cannot be '
      'reached. The same commands go on from the last checkpoint.'
    )
  else:
    text = f'Process {end.process} of the run has ended: {end.sentence}'
  # Not by print, whose lock the thread that waits for ever may hold.
  with contextlib.suppress(OSError):
    os.write(2, f'\n{launch.prefixed(text)}\n'.encode())
  exits.leave(launch.STOPPED if end.code is None else end.code)
