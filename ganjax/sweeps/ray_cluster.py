"""Jobs of a sweep as tasks of Ray, on a cluster or on this machine."""

import concurrent.futures
import contextlib
import importlib.util
import logging
import os
import secrets
import socket
import sys
import time

from ganjax.sweeps import processes

_LOOPBACK = '127.0.0.1'
_PATIENCE = 120  # seconds in which a Ray on this machine has to start


def check(address):
  """Raises unless Ray can be used, which is not imported yet.

  Args:
    address: as of `tasks`.

  Raises:
    ModuleNotFoundError: without Ray.
    OSError: if the address does not answer.
  """
  if not importlib.util.find_spec('ray'):
    raise ModuleNotFoundError('There is no module ray.', name='ray')
  address = _given(address)
  host, _, port = (address or '').rpartition(':')
  # Ray itself tries for minutes.
  if address not in (None, 'auto') and not (
    port.isdecimal() and _answers(host, int(port))
  ):
    raise OSError(
      f'Ray does not answer at {address}; give the HOST:PORT that `ray start '
      '--head` printed as --address, or start Ray there.'
    )


def _given(address):
  return address or os.environ.get('RAY_ADDRESS') or None


@contextlib.contextmanager
def tasks(workdir, address, resources):
  """Yields the function `{name: command} -> futures`, by which tasks are run.

  At the end of the block those that run are interrupted, and save.

  Args:
    workdir: of the sweep; of a Ray that is started here, the folder `jobs` gets
      the log.
    address: of a cluster, HOST:PORT, or `auto` for the Ray that runs on this
      machine; None takes that of the environment's RAY_ADDRESS, or starts a Ray
      on this machine.
    resources: a `slurm.Resources`, of each task.

  Raises:
    ModuleNotFoundError: without Ray.
    OSError: if the Ray there cannot be used, or no node has so much.
  """
  address = _given(address)
  if not address:
    # Nobody else may use the Ray that is started here. Ray reads this when it
    # is imported.
    os.environ['RAY_AUTH_MODE'] = 'token'
    os.environ['RAY_AUTH_TOKEN'] = secrets.token_hex(32)
  import ray

  with contextlib.ExitStack() as stack:
    log = workdir.resolve() / 'jobs' / 'ray.log'
    _connect(address or stack.enter_context(_started(log)))
    stack.callback(ray.shutdown)
    yield from _submitting(resources)


def _submitting(resources):
  """Yields the function of `tasks`, where Ray is connected."""
  import ray

  # So that a node needs no ganjax that can be imported, only the folder in
  # which the command runs.
  ray.cloudpickle.register_pickle_by_value(processes)
  cpus, gpus = resources.cpus or 1, resources.gpus or 0
  run = ray.remote(processes.run).options(
    num_cpus=cpus,
    num_gpus=gpus,
    memory=resources.memory and int(resources.memory * 1e9),
    # `jobs.run` counts how often it is tried again.
    max_retries=0,
  )
  running = {}

  def submit(commands):
    _check_nodes(cpus, gpus)
    found = []
    for command in commands.values():
      # Ray counts cores, but does not pin tasks to them.
      environment = command.environment | {'JAX_NUM_CPU_DEVICES': f'{cpus}'}
      task = run.remote(command._replace(environment=environment))
      found.append(task.future())
      running[found[-1]] = task
    return found

  try:
    yield submit
  finally:
    left = {own: task for own, task in running.items() if not own.done()}
    for task in left.values():
      ray.cancel(task)
    concurrent.futures.wait(left, timeout=_PATIENCE)


@contextlib.contextmanager
def _started(log):
  """Yields the address of a Ray on this machine, which ends with the block.

  `ray.init` would fork it from this process, in which JAX has threads.

  Args:
    log: the path of the file that Ray's output goes to.
  """
  with socket.create_server((_LOOPBACK, 0)) as free:
    port = free.getsockname()[1]
  words = (
    *(sys.executable, '-m', 'ray.scripts.scripts', 'start', '--head'),
    *('--block', f'--port={port}', '--include-dashboard=false'),
    '--disable-usage-stats',
  )
  environment = {'RAY_raylet_start_wait_time_s': f'{_PATIENCE}'}
  child = processes.start(
    processes.Command(words, f'{log}', os.getcwd(), environment)
  )
  try:
    until = time.monotonic() + _PATIENCE
    while not _answers(_LOOPBACK, port):
      if child.poll() is not None or time.monotonic() > until:
        raise OSError(f'Ray does not start on this machine; {log} says why.')
      time.sleep(0.5)
    yield f'{_LOOPBACK}:{port}'
  finally:
    processes.end(child)


def _answers(host, port):
  try:
    socket.create_connection((host, port), timeout=10).close()
  except OSError:
    return False
  return True


def _connect(address):
  """Connects to the Ray at an address; OSError if there is none."""
  import ray

  try:
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
  except (OSError, RuntimeError, ValueError) as error:
    [reason] = f'{error}'.strip().splitlines()[:1] or [type(error).__name__]
    raise OSError(
      f'Ray at {address} cannot be used from this machine ({reason}).'
    ) from error


def _check_nodes(cpus, gpus):
  """Raises OSError unless a node has so many cores and GPUs."""
  import ray

  nodes = [node['Resources'] for node in ray.nodes() if node['Alive']]
  if not any(
    node.get('CPU', 0) >= cpus and node.get('GPU', 0) >= gpus for node in nodes
  ):
    raise OSError(
      f'No node of Ray has {cpus} cores and {gpus} GPUs, which each job is to '
      'be given; lower --cpus and --gpus, or add such a node.'
    )
