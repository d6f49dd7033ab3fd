"""Processes of a run find one another, and none waits for one that is gone."""

import contextlib
import os
import pathlib
import queue
import socket
import subprocess
import sys

import pytest
from absl import flags

from ganjax import distributed, launch, liveness
from tests.processes import ended, free_port

ROOT = pathlib.Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def lines(number):
  """Yields the lines of processes, all in this one, and what each hears."""
  heard = [queue.Queue() for _ in range(number)]
  first = liveness.listen(number, 'token', heard[0].put)
  others = [
    liveness.connect('127.0.0.1', first.port, 'token', own, heard[own].put)
    for own in range(1, number)
  ]
  yield [first, *others], heard


def test_an_end_is_told_to_all_others_with_its_sentence():
  with lines(3) as (those, heard):
    end = liveness.End(2, 1, 'The disk is full.')
    those[2].tell(end)
    assert heard[0].get(timeout=20) == heard[1].get(timeout=20) == end
    those[0].tell(liveness.End(0, 0))
    assert heard[1].get(timeout=20) == liveness.End(0, 0)
    assert heard[2].get(timeout=20) == liveness.End(0, 0)


def test_a_stranger_is_neither_heard_nor_missed():
  with lines(2) as (those, heard):
    for words in b'["wrong", 1]\n', b'GET / HTTP/1.1\n', b'["token", 7]\n', b'':
      with socket.create_connection(('127.0.0.1', those[0].port)) as stranger:
        stranger.sendall(words + b'[1, 1, "no"]\n')
        stranger.shutdown(socket.SHUT_WR)
        assert stranger.recv(1) == b''  # hung up
    those[1].tell(liveness.End(1, 0))
    assert heard[0].get(timeout=20) == liveness.End(1, 0)


def test_nobody_at_the_coordinator_is_a_sentence():
  with pytest.raises(ValueError, match='Nobody answered at 127.0.0.1:'):
    distributed._await('127.0.0.1', f'{free_port()}', patience=0.2)


@pytest.mark.parametrize(
  ('given', 'said'),
  [
    ({'distributed': 'auto', 'process_id': 0}, 'finds the other processes by'),
    ({'coordinator': 'a:1'}, '--num_processes and --process_id has no value'),
    ({'num_processes': 2, 'process_id': 1}, '--coordinator has no value'),
    (
      {'coordinator': 'a:1', 'num_processes': 2, 'process_id': 2},
      '--process_id is 2, but the 2 processes',
    ),
    *(
      (
        {'coordinator': place, 'num_processes': 2, 'process_id': 1},
        f"--coordinator is '{place}'; give HOST:PORT",
      )
      for place in ('a', 'a:', ':1', 'a:b', 'a:0', 'a:70000')
    ),
  ],
)
def test_flags_that_contradict_one_another_are_a_sentence(given, said):
  names = 'distributed', 'coordinator', 'num_processes', 'process_id'
  none = dict.fromkeys(names) | {'distributed': 'none'}
  with pytest.raises(flags.ValidationError, match=said):
    distributed._check(none | given)


# A program whose processes meet in a loop; what happens to which is its flags.
SCRIPT = """
import os, signal, sys, time
import numpy as np
from absl import flags
from ganjax import distributed, launch
from jax.experimental import multihost_utils
import jax

distributed.define()
flags.DEFINE_string('fate', '', '')

def main():
  with distributed.joined():
    own = jax.process_index()
    victim, fate = flags.FLAGS.fate.split(':')
    for turn in range(100):
      multihost_utils.process_allgather(np.asarray(turn))
      if turn == 3 and own == int(victim):
        if fate == 'killed':
          os.kill(os.getpid(), signal.SIGKILL)
        if fate == 'fails':
          raise ValueError('The disk is full.')
        if fate == 'lone':
          time.sleep(600)
      if turn == 3 and fate == 'lone':
        os.kill(os.getpid(), signal.SIGKILL)
      if turn == 5 and fate == 'ends':
        print('ended', jax.process_count(), flush=True)
        return 0

launch.run(main)
"""


def by_hand(number):
  """The flags and the environment of each process that is told all."""
  place = f'--coordinator=127.0.0.1:{free_port()}'
  return [
    ([place, f'--num_processes={number}', f'--process_id={own}'], {})
    for own in range(number)
  ]


def of_slurm(number):
  """What srun tells each of its processes, as far as jax asks for it."""
  job = free_port() % 2**12
  return [
    (
      ['--distributed=auto'],
      {
        'SLURM_JOB_ID': f'{job}',
        'SLURM_STEP_NODELIST': 'localhost',
        'SLURM_NTASKS': f'{number}',
        'SLURM_PROCID': f'{own}',
        'SLURM_LOCALID': f'{own}',
      },
    )
    for own in range(number)
  ]


def of_open_mpi(number):
  """What mpirun tells each of its processes, as far as jax asks for it."""
  job = free_port() % 2**12
  return [
    (
      ['--distributed=auto'],
      {
        'OMPI_MCA_orte_hnp_uri': f'{job * 2**12}.0;tcp://127.0.0.1:34911',
        'OMPI_COMM_WORLD_SIZE': f'{number}',
        'OMPI_COMM_WORLD_RANK': f'{own}',
        'OMPI_COMM_WORLD_LOCAL_RANK': f'{own}',
      },
    )
    for own in range(number)
  ]


def started(told, fate):
  """Starts a process for each pair of flags and an environment."""
  return [
    subprocess.Popen(
      [sys.executable, '-c', SCRIPT, f'--fate={fate}', *given],
      cwd=ROOT,
      env=os.environ | {'JAX_PLATFORMS': 'cpu'} | environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for given, environment in told
  ]


KILLED = 'Process {} of the run was killed, or its machine cannot be reached.'


@pytest.mark.slow
@pytest.mark.parametrize('victim', [0, 1])
def test_a_process_that_is_killed_ends_the_others_to_be_tried_again(victim):
  codes, outputs = ended(started(by_hand(3), f'{victim}:killed'))
  others = [own for own in range(3) if own != victim]
  assert codes[victim] == -9
  for own in others:
    assert codes[own] == launch.STOPPED, outputs[own]
    assert KILLED.format(victim) in outputs[own][1]


@pytest.mark.slow
def test_who_waits_in_no_collective_is_told_too():
  codes, outputs = ended(started(by_hand(2), '1:lone'))
  assert codes == [-9, launch.STOPPED], outputs
  assert KILLED.format(0) in outputs[1][1]


@pytest.mark.slow
def test_an_error_of_one_process_is_the_end_of_all_of_them():
  codes, outputs = ended(started(by_hand(2), '1:fails'))
  assert codes == [1, 1], outputs
  assert 'The disk is full.' in outputs[1][1]
  said = 'Process 1 of the run has ended: The disk is full.'
  assert said in outputs[0][1]


@pytest.mark.slow
@pytest.mark.parametrize('launched', [by_hand, of_slurm, of_open_mpi])
def test_processes_find_one_another_and_reach_their_ends(launched):
  codes, outputs = ended(started(launched(2), '0:ends'))
  assert codes == [0, 0], outputs
  assert [out.splitlines()[-1] for out, _ in outputs] == ['ended 2', 'ended 2']


@pytest.mark.slow
def test_no_cluster_is_a_sentence():
  codes, outputs = ended(started([(['--distributed=auto'], {})], '0:ends'))
  assert codes == [1]
  assert '--distributed=auto found no cluster' in outputs[0][1]


def test_threads_have_a_moment_before_an_abort():
  program = (
    'import ctypes, os, threading, time\n'
    'from ganjax import distributed\n'
    'distributed._sleep_before_an_abort()\n'
    'threading.Thread(target=ctypes.CDLL(None).abort).start()\n'
    'time.sleep(0.5)\n'
    f'os._exit({launch.STOPPED})\n'
  )
  done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, timeout=120)
  assert done.returncode == launch.STOPPED
