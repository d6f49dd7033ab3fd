"""The jobs of a sweep as files: an array of Slurm, a JobSet of Kubernetes."""

import math
import os
import re
import shlex

import yaml

from ganjax import files

_SECONDS = 90  # before its time is over, in which a job of Slurm saves
_RETRIES = 2  # of a job of Kubernetes

_SCRIPT = """\
#!/bin/bash
# Trains the programs of a sweep that were left when this was written:
#   sbatch {path}
{options}
cd {folder}
{exports}
jobs=(
  {names}
)
job=${{jobs[$SLURM_ARRAY_TASK_ID]}}
{command} --job="$job" --quiet >> {logs}/"$job".log 2>&1 &
child=$!
# Slurm says so before the time is over: the program saves, and is queued again.
trap 'again=1; kill -TERM "$child"' USR1
wait "$child"; code=$?
# The signal has ended that early.
if [ -n "$again" ]; then wait "$child"; scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
"""

_MANIFEST = """\
# Trains the programs of a sweep that were left when this was written:
#   kubectl apply -f {path}
# It needs the controller of JobSet. Before, put the name of an image that has
# ganjax in it in the place of IMAGE, and in that of CLAIM the name of a claim
# of a volume. The volume has what is in {folder} here,
# the folder of the sweep in it.
"""


def write(commands, workdir, resources, time, at_once):
  """Writes `jobs.sbatch` and `jobset.yaml` into a sweep's folder `jobs`.

  Args:
    commands: of the jobs, as `jobs.commands`; at least one.
    workdir: of the sweep, a path that exists.
    resources: the `slurm.Resources` of each job.
    time: how long a job may run, as Slurm writes it; None for four hours.
    at_once: how many run at once; None for all.

  Returns:
    The paths of both.
  """
  names, last = list(commands), list(commands.values())[-1]
  words = last.words[:-2]  # without --job and --quiet
  folder = workdir.resolve() / 'jobs'
  script, manifest = folder / 'jobs.sbatch', folder / 'jobset.yaml'
  options = {
    'job-name': workdir.resolve().name,
    'array': f'0-{len(names) - 1}' + (f'%{at_once}' if at_once else ''),
    'time': time or '4:00:00',
    'gpus-per-node': resources.gpus,
    'cpus-per-task': resources.cpus,
    'mem': resources.memory and f'{math.ceil(1000 * resources.memory)}M',
    'signal': f'B:USR1@{_SECONDS}',
    'requeue': True,
    'open-mode': 'append',
    'output': f'{folder}/slurm-%A_%a.log',
  } | resources.further
  text = _SCRIPT.format(
    path=shlex.quote(f'{script}'),
    options='\n'.join(_options(options)),
    folder=shlex.quote(last.folder),
    exports='\n'.join(
      f'export {name}={shlex.quote(value)}'
      for name, value in last.environment.items()
    ),
    names='\n  '.join(map(shlex.quote, names)),
    command=shlex.join(words),
    logs=shlex.quote(f'{folder}'),
  )
  files.write(script, text)
  text = _MANIFEST.format(path=shlex.quote(f'{manifest}'), folder=os.getcwd())
  jobset = _jobset(names, workdir, words, resources, at_once)
  files.write(manifest, text + yaml.safe_dump(jobset, sort_keys=False))
  return script, manifest


def _options(options):
  for name, value in options.items():
    if value is True:
      yield f'#SBATCH --{name}'
    elif value is not None:
      yield f'#SBATCH --{name}={shlex.quote(f"{value}")}'


def _jobset(names, workdir, words, resources, at_once):
  """Returns the manifest, whose one job has an index for each name."""
  limits = {
    'nvidia.com/gpu': resources.gpus,
    'cpu': resources.cpus,
    'memory': resources.memory and f'{math.ceil(1000 * resources.memory)}M',
  }
  limits = {name: own for name, own in limits.items() if own}
  command = shlex.join(['python', *words[1:]])
  listed = ' '.join(map(shlex.quote, names))
  container = {
    'name': 'program',
    'image': 'IMAGE',
    'workingDir': os.getcwd(),
    'command': ['bash', '-c'],
    'args': [
      f'jobs=({listed}); '
      f'exec {command} --job="${{jobs[$JOB_COMPLETION_INDEX]}}" --quiet'
    ],
    'resources': {'limits': limits},
    'volumeMounts': [{'name': 'shared', 'mountPath': os.getcwd()}],
  }
  pod = {
    # As backoffLimitPerIndex asks for; a program goes on from what it saved.
    'restartPolicy': 'Never',
    'terminationGracePeriodSeconds': _SECONDS,
    'containers': [container],
    'volumes': [
      {'name': 'shared', 'persistentVolumeClaim': {'claimName': 'CLAIM'}}
    ],
  }
  if resources.minutes:
    # It saves at the signal that ends it, and an attempt is used up.
    pod['activeDeadlineSeconds'] = 60 * resources.minutes
  job = {
    'completionMode': 'Indexed',
    'completions': len(names),
    'parallelism': min(at_once or len(names), len(names)),
    'backoffLimitPerIndex': _RETRIES,
    'template': {'spec': pod},
  }
  return {
    'apiVersion': 'jobset.x-k8s.io/v1alpha2',
    'kind': 'JobSet',
    'metadata': {'name': _dns(workdir.resolve().name)},
    'spec': {
      'replicatedJobs': [
        {'name': 'programs', 'replicas': 1, 'template': {'spec': job}}
      ]
    },
  }


def _dns(name):
  """Returns a name as Kubernetes takes it: at most 40 of a-z, 0-9 and -."""
  return re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')[:40] or 'sweep'
