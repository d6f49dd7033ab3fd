"""Jobs of a sweep: as processes, retried, ended, and as files."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
import yaml

from ganjax import launch
from ganjax.sweeps import job_files, jobs, processes, slurm


@pytest.fixture
def command(tmp_path):
  """`(script, name) -> Command` of a line of the shell."""

  def of(script, name='job'):
    log = tmp_path / 'jobs' / f'{name}.log'
    log.parent.mkdir(exist_ok=True)
    words = 'bash', '-c', script
    return processes.Command(words, f'{log}', f'{tmp_path}', {'WORD': 'given'})

  return of


def run(commands, folder, number=2):
  return jobs.watch(commands, processes.pool(number), number, folder)


def test_a_command_has_its_folder_environment_and_log(command, tmp_path):
  asked = command('echo $WORD; pwd; exit 3')
  assert processes.run(asked) == 3
  log = pathlib.Path(asked.log)
  assert log.read_text().split() == ['given', f'{tmp_path}']
  assert processes.run(command('kill -9 $$')) == -signal.SIGKILL


def test_a_pool_gives_each_its_share_of_the_cores_and_ends_what_runs(
  command, monkeypatch
):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,7')
  cores = os.sched_getaffinity(0)
  say = 'import os; print(*os.sched_getaffinity(0))'
  line = f'{sys.executable} -c "{say}"; echo $CUDA_VISIBLE_DEVICES; sleep 1'
  with processes.pool(2) as submit:
    asked = [command(line, name) for name in 'ab']
    assert [own.result() for own in submit(dict(enumerate(asked)))] == [0, 0]
    [long] = submit({2: command('exec sleep 300')})
    time.sleep(0.5)
  assert long.result() == -signal.SIGTERM
  said = [pathlib.Path(own.log).read_text().splitlines() for own in asked]
  assert sorted(gpu for _, gpu in said) == ['5', '7']
  shares = [set(map(int, own.split())) for own, _ in said]
  assert all(len(own) == max(1, len(cores) // 2) for own in shares)
  assert len(cores) == 1 or not set.intersection(*shares)
  assert os.sched_getaffinity(0) == cores


def test_a_child_dies_with_the_process_that_started_it(command):
  script = f"""
import time
from ganjax.sweeps import processes
asked = processes.Command{tuple(command('echo $$; exec sleep 300'))}
processes.start(asked)
print('started', flush=True)
time.sleep(300)
"""
  parent = subprocess.Popen(
    [sys.executable, '-c', script],
    cwd=pathlib.Path(__file__).parents[2],
    stdout=subprocess.PIPE,
  )
  log = pathlib.Path(command('').log)
  assert parent.stdout.readline() == b'started\n'
  wait_for(lambda: log.exists() and log.read_text().strip())
  child = int(log.read_text())
  assert pathlib.Path(f'/proc/{child}').exists()
  parent.kill()
  parent.communicate()
  wait_for(lambda: not running(child))


def running(number):
  path = pathlib.Path(f'/proc/{number}/stat')
  with contextlib.suppress(OSError):
    return path.read_text().rpartition(')')[2].split()[0] != 'Z'
  return False


def wait_for(true, seconds=60):
  until = time.monotonic() + seconds
  while not true():
    assert time.monotonic() < until
    time.sleep(0.05)


def test_a_job_whose_worker_dies_runs_again(command, tmp_path, capfd):
  died = 'test -e died || { touch died; kill -9 $$; }'
  stopped = f'test -e stopped || {{ touch stopped; exit {launch.STOPPED}; }}'
  found = run({'a': command(died, 'a'), 'b': command(stopped, 'b')}, tmp_path)
  assert found is True
  out = ''.join(capfd.readouterr())
  assert 'The job a died (by signal 9); it goes on from what it saved.' in out
  assert 'The job b was stopped by a signal; it goes on' in out


def test_a_job_that_fails_is_told_when_others_have_ended(command, tmp_path):
  failing = command('echo attempt >> tries; echo no such loss; exit 1', 'a')
  others = {name: command(f'touch {name}', name) for name in 'bcd'}
  with pytest.raises(OSError) as error:
    run({'a': failing, **others}, tmp_path, 1)
  assert f'{error.value}' == (
    f'The job a failed (exit code 1); {failing.log} ends with: no such loss'
  )
  assert all((tmp_path / name).exists() for name in others)
  # What fails by itself would fail again.
  assert (tmp_path / 'tries').read_text() == 'attempt\n'


def test_a_job_whose_workers_always_die_is_given_up(command, tmp_path):
  dying = command('echo attempt >> tries; kill -9 $$')
  with pytest.raises(OSError, match=r'The job a died \(by signal 9\); see'):
    run({'a': dying}, tmp_path)
  assert (tmp_path / 'tries').read_text() == 3 * 'attempt\n'


def test_a_signal_ends_jobs_which_save(command, tmp_path):
  saving = 'trap "touch saved; exit 75" TERM; touch begun; while :; do :; done'

  def interrupt():
    wait_for((tmp_path / 'begun').exists)
    os.kill(os.getpid(), signal.SIGINT)

  thread = threading.Thread(target=interrupt)
  thread.start()
  assert run({'a': command(saving)}, tmp_path) is False
  thread.join()
  assert (tmp_path / 'saved').exists()


@pytest.fixture
def written(tmp_path, monkeypatch):
  """The script and the manifest of three jobs, two of them at once."""
  monkeypatch.setattr(sys, 'argv', ['sweep', "--grid=name='a b'", '--on=print'])
  folder = tmp_path / 'my Sweep'
  folder.mkdir()
  resources = slurm.Resources(1, 4, 2.5, 90, {'partition': 'gpu'})
  names = 'aa', 'bb', 'cc'
  commands = jobs.commands(names, folder)
  return job_files.write(commands, folder, resources, '1:30:00', 2)


def test_the_script_is_an_array_of_slurm(written):
  script, _ = written
  subprocess.run(['bash', '-n', script], check=True)
  lines = script.read_text().splitlines()
  options = [line for line in lines if line.startswith('#SBATCH ')]
  assert {
    '#SBATCH --array=0-2%2',
    '#SBATCH --time=1:30:00',
    '#SBATCH --gpus-per-node=1',
    '#SBATCH --cpus-per-task=4',
    '#SBATCH --mem=2500M',
    '#SBATCH --partition=gpu',
    '#SBATCH --requeue',
  } <= set(options)
  # Slurm reads options up to the first line that is none of them.
  first = next(line for line in lines if line and not line.startswith('#'))
  assert not any('#SBATCH' in line for line in lines[lines.index(first) :])


def test_the_script_runs_its_job_and_is_queued_again(written, tmp_path):
  script, _ = written
  folder = tmp_path / 'bin'
  folder.mkdir()
  # In the places of Python and of Slurm's command.
  stub = folder / 'python'
  stub.write_text(
    '#!/bin/bash\ntrap "echo saved; exit 75" TERM\nprintf "%s\\n" "$@"\n'
    'if [ "$WAIT" ]; then while :; do sleep .1; done; fi\nexit 3\n'
  )
  requeue = folder / 'scontrol'
  requeue.write_text(f'#!/bin/bash\necho "$@" > {folder}/requeued\n')
  for path in stub, requeue:
    path.chmod(0o755)
  text = script.read_text().replace(sys.executable, f'{stub}')
  script.write_text(text)
  environment = os.environ | {
    'PATH': f'{folder}:{os.environ["PATH"]}',
    'SLURM_ARRAY_TASK_ID': '1',
    'SLURM_JOB_ID': '12',
  }
  done = subprocess.run(['bash', script], env=environment)
  assert done.returncode == 3
  log = script.parent / 'bb.log'
  words = log.read_text().splitlines()
  assert words[:2] == ['-m', 'experiments.sweep']
  assert words[2:] == [
    "--grid=name='a b'",
    '--on=print',
    '--job=bb',
    '--quiet',
  ]
  assert not (folder / 'requeued').exists()
  log.unlink()
  child = subprocess.Popen(['bash', script], env=environment | {'WAIT': '1'})
  wait_for(lambda: log.exists() and '--quiet' in log.read_text())
  child.send_signal(signal.SIGUSR1)
  child.wait(60)
  assert log.read_text().endswith('saved\n')
  assert (folder / 'requeued').read_text() == 'requeue 12\n'


def test_the_manifest_is_a_jobset_with_an_index_for_each_job(written):
  _, manifest = written
  found = yaml.safe_load(manifest.read_text())
  assert found['apiVersion'] == 'jobset.x-k8s.io/v1alpha2'
  assert (found['kind'], found['metadata']) == ('JobSet', {'name': 'my-sweep'})
  [jobs_] = found['spec']['replicatedJobs']
  job = jobs_['template']['spec']
  assert job['completionMode'] == 'Indexed'
  assert (job['completions'], job['parallelism']) == (3, 2)
  assert job['backoffLimitPerIndex'] == 2
  pod = job['template']['spec']
  assert pod['restartPolicy'] == 'Never'
  assert pod['activeDeadlineSeconds'] == 90 * 60
  [container] = pod['containers']
  assert container['resources']['limits'] == {
    'nvidia.com/gpu': 1,
    'cpu': 4,
    'memory': '2500M',
  }
  [script] = container['args']
  said = subprocess.run(
    [
      *container['command'],
      f'python() {{ printf "%s\\n" "$@"; }}; {script}'.replace(
        'exec python', 'python'
      ),
    ],
    env=os.environ | {'JOB_COMPLETION_INDEX': '2'},
    capture_output=True,
    text=True,
    check=True,
  )
  assert said.stdout.splitlines()[-2:] == ['--job=cc', '--quiet']
  assert "--grid=name='a b'" in said.stdout
