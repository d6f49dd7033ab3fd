"""Trains what a config says, or goes on where the run in the workdir stopped.

  python -m experiments.train --config configs/dcgan.py --workdir runs/dcgan

The same command again resumes. Any field of the config can be overridden:
--config.loss=hinge --config.batch_size=128.
"""

import jax
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from ganjax import launch, parallel, pictures
from ganjax.config import runs, workdir
from ganjax.training import checkpoint, dispatch, loop

_CONFIG = config_flags.DEFINE_config_file(
  'config', 'configs/dcgan.py', 'Which training: a file of configs/.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Where the run is written.')
_COORDINATOR = flags.DEFINE_string(
  'coordinator', None, 'HOST:PORT of process 0, where several share a run.'
)
_PROCESSES = flags.DEFINE_integer('num_processes', 1, 'How many share it.')
_PROCESS = flags.DEFINE_integer('process_id', 0, 'Which of them this one is.')
flags.mark_flag_as_required('workdir')


def main():
  """Trains; returns the exit code."""
  if _COORDINATOR.value:
    jax.distributed.initialize(
      _COORDINATOR.value, _PROCESSES.value, _PROCESS.value
    )
  announce = tqdm.write if jax.process_index() == 0 else lambda words: None
  config = _CONFIG.value
  mesh = parallel.mesh(config.mesh.data)
  data = runs.dataset(config)
  run = runs.run(config, data, mesh)
  folder, values = workdir.claim(_WORKDIR.value, config)
  if jax.process_index() == 0:
    workdir.describe(folder, data)
  start = runs.start(config, data.images.shape[1:])
  manager = checkpoint.manager(folder / 'checkpoints', config.checkpoint.keep)
  state = checkpoint.restore(manager, checkpoint.abstract(start, mesh))
  if state is None:
    state = jax.jit(start, out_shardings=parallel.whole(mesh))()
  sizes = [
    sum(leaf.size for leaf in jax.tree.leaves(params))
    for params in state.params
  ]
  done = dispatch.images_seen(run.phases, int(state.step))
  reached, asked = run.phases[-1].title, f'{config.data.resolution} pixels'
  if reached not in ('', asked):
    announce(
      f'Warning: {config.images} images end at {reached}, and not at {asked}; '
      'raise images, or lower growth.fade and growth.hold.'
    )
  announce(
    f'{config.network} on {data.name}: '
    f'{sizes[0]:,} parameters generate, {sizes[1]:,} discriminate; '
    f'{mesh.size} {jax.default_backend()} device(s), {run.together} step(s) a '
    f'dispatch; ' + (f'resuming after {done} images.' if done else 'a new run.')
  )
  try:
    state = loop.fit(run, state, folder, manager, values, announce)
  finally:
    checkpoint.close(manager)
  done = dispatch.images_seen(run.phases, int(state.step))
  if done < config.images:
    announce(
      f'Stopped by a signal after {done} of {config.images} images; the same '
      'command goes on from there.'
    )
    return launch.LEFT
  sample = jax.jit(run.phases[-1].sample, static_argnums=1)
  picture = pictures.grid(pictures.finest(sample(state, 64)))
  if jax.process_index() == 0:
    pictures.save(folder / 'samples.png', picture, zoom=2)
  announce(
    f'Done after {done} images. In {folder}: samples.png, samples/ (the '
    'same latents over time), checkpoints/, config.json, metrics.jsonl, '
    'tensorboard/.'
  )
  return 0


if __name__ == '__main__':
  launch.run(main)
