"""Sweeps by the executors of submitit and of Ray, and by written scripts."""

import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
RING = (
  '--config=configs/mode_collapse.py:ring',
  '--config.steps=8',
  '--config.generator.widths=(6,)',
  '--config.measure.samples=100',
  '--config.measure.pictures=30',
  '--evaluations=2',
  '--seeds=1',
  '--grid=loss=hinge,non_saturating',
  '--mapping=map',
)


def needs(library):
  return pytest.mark.skipif(
    importlib.util.find_spec(library) is None,
    reason=f'{library} is not installed: it is an extra of ganjax.',
  )


def measured(folder):
  """What was measured, by setting and evaluation; without times."""
  rows = {}
  for path in folder.glob('programs/*/evaluation.json'):
    for row in json.loads(path.read_text())['measures']:
      rows[row['setting'], row['evaluation']] = (
        row['captured'],
        row['reverse_kl'],
      )
  return rows


@pytest.fixture(scope='module')
def one_by_one(tmp_path_factory):
  """What the sweep measures where its programs run one after another."""
  folder = tmp_path_factory.mktemp('here')
  started = begin('--quiet', f'--workdir={folder}')
  assert started.wait() == 0, started.stderr.read()
  return measured(folder)


def begin(*flags):
  return subprocess.Popen(
    [sys.executable, '-m', 'experiments.sweep', *RING, *flags],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def jobs_of(folder):
  """The processes of jobs of a sweep, {number: that of its parent}."""
  found = {}
  for path in pathlib.Path('/proc').glob('[0-9]*'):
    try:
      words = (path / 'cmdline').read_text().split('\0')
      parent = (path / 'stat').read_text().rpartition(')')[2].split()[1]
    except OSError:
      continue
    job = any(word.startswith('--job=') for word in words)
    if job and f'--workdir={folder}' in words:
      found[int(path.name)] = int(parent)
  return found


# With submitit's own executor, whose jobs are processes of this machine.
LOCAL = """
import runpy, sys
from ganjax.sweeps import slurm
slurm._CLUSTER = 'local'
sys.argv[0] = 'sweep'
runpy.run_module('experiments.sweep', run_name='__main__')
"""


@pytest.mark.slow
@needs('submitit')
def test_submitit_runs_each_job_once(tmp_path, one_by_one):
  flags = *RING, '--on=slurm', '--time=0:10:00', f'--workdir={tmp_path}'
  for _ in range(2):
    done = subprocess.run(
      [sys.executable, '-c', LOCAL, *flags],
      cwd=ROOT,
      capture_output=True,
      text=True,
    )
    assert done.returncode == 0, done.stderr
    assert measured(tmp_path) == one_by_one
    assert len(list(tmp_path.glob('jobs/submitit/*_result.pkl'))) == 2
  assert (tmp_path / 'report.html').exists()


@pytest.mark.slow
@needs('ray')
def test_ray_finishes_a_sweep_of_which_a_worker_is_killed(tmp_path, one_by_one):
  started = begin('--on=ray:2', f'--workdir={tmp_path}')
  try:
    until, killed = time.monotonic() + 300, None
    while killed is None:
      assert started.poll() is None and time.monotonic() < until
      for worker in jobs_of(tmp_path).values():
        killed = worker
        os.kill(worker, signal.SIGKILL)
        break
      time.sleep(0.05)
    out, err = started.communicate(timeout=500)
  finally:
    started.kill()
  assert started.returncode == 0, err
  assert 'it goes on from what it saved' in out + err
  assert measured(tmp_path) == one_by_one
  assert (tmp_path / 'report.html').exists()


@pytest.mark.slow
def test_a_signal_ends_a_sweep_side_by_side_and_it_goes_on(
  tmp_path, one_by_one
):
  started = begin('--on=local:2', f'--workdir={tmp_path}')
  while not jobs_of(tmp_path):
    assert started.poll() is None
    time.sleep(0.05)
  started.send_signal(signal.SIGTERM)
  out, err = started.communicate(timeout=200)
  assert started.returncode == 75, err
  assert 'Stopped by a signal; the same command goes on' in out + err
  assert not jobs_of(tmp_path)
  assert measured(tmp_path) != one_by_one
  again = begin('--on=local:2', '--quiet', f'--workdir={tmp_path}')
  assert again.wait() == 0, again.stderr.read()
  assert measured(tmp_path) == one_by_one


@pytest.mark.slow
def test_the_written_script_runs_the_jobs_where_slurm_would(
  program, tmp_path, one_by_one
):
  flags = *RING, f'--workdir={tmp_path}'
  code, out, err = program('sweep', *flags, '--on=print', '--time=1:00:00')
  assert code == 0, err
  script = tmp_path / 'jobs/jobs.sbatch'
  assert f'sbatch {script}' in out + err
  assert '2 jobs are written' in out + err
  for index in '01':
    environment = os.environ | {'SLURM_ARRAY_TASK_ID': index}
    subprocess.run(['bash', script], env=environment, check=True)
  assert measured(tmp_path) == one_by_one
  code, out, err = program('sweep', *flags, '--on=print')
  assert code == 0 and 'No job is left' in out + err


def test_a_search_is_written_as_workers(program, tmp_path):
  code, _, err = program(
    'sweep',
    *RING[:-2],
    '--search=loss=hinge|non_saturating',
    '--trials=2',
    '--on=print:3',
    '--quiet',
    f'--workdir={tmp_path}',
  )
  assert code == 0, err
  text = (tmp_path / 'jobs/jobs.sbatch').read_text()
  assert '#SBATCH --array=0-2%3' in text
  assert '  search-0\n  search-1\n  search-2\n' in text
