r"""Trains the GAN of a config, or resumes the run in the workdir.

  python -m experiments.train --config configs/dcgan.py --workdir runs/dcgan
  python -m experiments.train --config configs/msg.py:digits \
    --workdir runs/msg --config.loss=hinge --config.images=200_000
  python -m experiments.train --config configs/msg.py:style128 --dry_run
  python -m experiments.train --workdir runs/c --config.evaluate.measures=fid
  python -m experiments.train --workdir runs/b --config.init_from.run=runs/dcgan

Any field of the config can be overridden, as in the second example. The third
says what a run would cost: operations, memory and time; the fourth measures
samples as it trains, and keeps the best checkpoint; the fifth begins with the
networks of another run. The workdir holds config.json, metrics.jsonl,
tensorboard/, samples/ (of the same latents), checkpoints/, reals.png,
samples.png at the end, and index.html, a page on all of it. The same command
again resumes, to the bit, also with more --config.images; Ctrl-C saves first.
"""

import itertools

import jax
from absl import flags
from tqdm import tqdm

from ganjax import distributed, launch, parallel, pictures
from ganjax.config import datasets, flag, runs, warm_start, workdir
from ganjax.evaluation import while_training
from ganjax.training import dispatch, dry_run, loop, warnings

_CONFIG = flag.define(
  'configs/dcgan.py',
  'The file of the training, of configs/; a preset of it follows a colon.',
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'The folder of the run.')
_DRY_RUN = flags.DEFINE_bool(
  'dry_run', False, 'Take a few steps, write nothing, say what all would cost.'
)
distributed.define()
_LOADERS = flags.DEFINE_integer(
  'loader_processes', 0, 'How many processes decode streamed images.', 0
)
flags.register_multi_flags_validator(
  ['workdir', 'dry_run'],
  lambda given: given['workdir'] is not None or given['dry_run'],
  '--workdir has no value; give the folder of the run, or --dry_run.',
)


def main():
  """Trains, alone or with other processes; returns the exit code."""
  with distributed.joined():
    return _run()


def _run():
  """Makes what is asked for; returns the exit code."""
  config = _CONFIG.value
  runs.check(config)
  data = datasets.dataset(config)
  config = datasets.with_classes(config, data)
  mesh = parallel.mesh(config.mesh.data)
  run = runs.run(config, data, mesh, _LOADERS.value)
  place, start = _WORKDIR.value, runs.start(config, data.images.shape[1:])
  if _DRY_RUN.value:
    about = _introduction(config, data, run, start)
    for sentence in itertools.chain(about, dry_run.forecast(run, start)):
      tqdm.write(sentence)
    return 0
  run = run._replace(
    evaluation=while_training.evaluation(config, data),
    page=_page,
    note=workdir.note,
  )
  history = []
  if config.init_from.run and not workdir.started(place):
    begin, history = warm_start.begin(config, start)
    run = run._replace(begin=begin)
  with workdir.claimed(place, config, data, history) as (folder, records):
    return _train(config, data, run, start, folder, records)


def _train(config, data, run, start, folder, records):
  """Trains in a folder; returns the exit code."""
  main = jax.process_index() == 0
  announce = tqdm.write if main else lambda sentence: None
  for sentence in _introduction(config, data, run, start):
    announce(sentence)
  for sentence in records['history']:
    announce(sentence)
  state, finished = loop.fit(run, start, folder, records, announce)
  if not finished:
    return launch.STOPPED
  sample = jax.jit(run.phases[-1].sample, static_argnums=1)
  samples = pictures.finest(sample(state, run.samples))
  picture = pictures.grid(samples, run.columns)
  if main:
    pictures.save(folder / 'samples.png', picture, zoom=2)
  done = dispatch.images_seen(run.phases, int(state.step))
  announce(
    f'Done after {done} images. In {folder}: index.html (a page on all of it), '
    'samples.png, reals.png, samples/ (the same latents over time), '
    'checkpoints/, config.json, metrics.jsonl, tensorboard/.'
  )
  return 0


def _page(folder):
  try:  # Its libraries are those of an extra.
    from ganjax.reports import run_page
  except ModuleNotFoundError as error:
    raise ImportError(launch.missing_extra(error) or f'{error}') from error
  run_page.write(folder, warnings.on_balance)


def _introduction(config, data, run, start):
  """Yields sentences on what is going to be trained."""
  reached, asked = run.phases[-1].title, f'{config.data.resolution} pixels'
  if reached not in ('', asked):
    yield (
      f'Warning: {config.images} images end at {reached}, and not at {asked}; '
      'raise images, or lower growth.fade and growth.hold.'
    )
  generator, discriminator = (
    sum(leaf.size for leaf in jax.tree.leaves(params))
    for params in jax.eval_shape(start).params
  )
  yield (
    f'{config.network} on {data.name}: the generator has {generator:,} '
    f'parameters, the discriminator {discriminator:,}; {run.mesh.size} '
    f'{jax.default_backend()} device(s), {run.steps_together} step(s) a '
    'dispatch.'
  )
  if run.evaluation:
    yield (
      f'Measures {config.evaluate.measures} every {config.evaluate.every} '
      f'images, of {config.evaluate.samples} samples with '
      f'{config.evaluate.weights} weights (features: '
      f'{run.evaluation.settings["features"]}), and keeps the checkpoint with '
      f'the best {run.evaluation.best}.'
    )


if __name__ == '__main__':
  launch.run(main)
