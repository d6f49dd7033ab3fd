"""From a config to the phases and the loop of its training run."""

import functools
import math
import warnings as pywarnings

import jax
from ml_collections import ConfigDict

from ganjax import capacity, files, growth, steps
from ganjax.config import datasets, games, purpose, ranges, schedules
from ganjax.data import decode, images
from ganjax.lookup import choose
from ganjax.metrics import diversity
from ganjax.players import PLAYERS
from ganjax.training import compilation, dispatch, loop, warnings


def check(config):
  """Raises ValueError if a config makes no training, whatever its data are.

  Nothing is read, computed or written.

  Args:
    config: of a training on images.
  """
  purpose.checked(config, purpose.TRAINING)
  size, channels = config.data.resolution, config.data.channels or 1
  decode.check(size, channels, config.data.crop)
  choose(
    'function of labels', games.fake_label_names(), config.fake_labels.name
  )
  batch = config.batch_size * config.critic_steps
  capacity.check(
    {
      f'a batch of {batch} images of {size} pixels': batch
      * size**2
      * channels
      * 4
    },
    'choose a smaller resolution or batch_size',
  )
  own = config.copy_and_resolve_references()
  own.classes = max(own.classes, 2)  # Their number is that of the data.
  with pywarnings.catch_warnings():
    pywarnings.simplefilter('ignore')  # They come when it is built again.
    planned = phases(own, (size, size, channels))
  for phase in planned:
    _check_divisible(config, phase.rows // config.critic_steps)


def _check_divisible(config, batch):
  """Raises ValueError if a batch cannot be packed, or normalised in groups."""
  values = files.flat(config)
  for name in 'pack', 'generator.groups', 'discriminator.groups':
    if batch % values.get(name, 1):
      raise ValueError(
        f'{name} is {values[name]}, which does not divide a batch of {batch} '
        f'images; change {name} or batch_size.'
      )


def phases(config, shape):
  """Returns the training of a config as a tuple of `dispatch.Phase`.

  Where networks grow, a stage is two phases of one program: the new resolution
  fades in, and is then trained by itself. Each phase but the first begins by
  resetting the optimisers.

  Args:
    config: of a training on images.
    shape: of one image, (H, W, C).

  Raises:
    ValueError: if the config names something that there is not.
  """
  found = []
  for own, period, schedule, images_seen in _stages(config, shape):
    step = games.update_step(own, schedule, images_seen)
    sample = steps.sample(schedule, config.classes if config.labels else 0)
    optimizers = games.optimizer_pair(own, images_seen)
    restart = functools.partial(steps.restart, optimizers)
    for number in (period.fade, period.hold):
      if number:
        found.append(
          dispatch.Phase(
            step=step,
            sample=sample,
            rows=schedules.rows_taken(own),
            counted=schedules.rows(own),
            steps=number,
            begin=restart if found else lambda state: state,
            preprocess=datasets.preprocess(config),
            title=_title(period.stage),
          )
        )
  return tuple(found)


def game(config, shape, step):
  """Returns the `Game` of a config at a step, a Python int."""
  last = 0
  for _, period, schedule, _ in _stages(config, shape):
    game = schedule
    last += period.fade + period.hold
    if step <= last:
      break
  return game(step)


def _stages(config, shape):
  """Yields, for each `growth.Period`, what its phases are made from.

  That is the config of the stage, the period, its `step -> Game`, and its
  `step -> images seen` before the step.
  """
  first = seen = 0
  for period in _periods(config, shape):
    own, number = _at_stage(config, period.stage), period.fade + period.hold
    rows = schedules.rows(own)
    images_seen = functools.partial(_images_seen, first, seen, rows)
    schedule = _schedule(own, shape, period, first, images_seen)
    yield own, period, schedule, images_seen
    first += number
    seen += number * rows


def start(config, shape):
  """Returns `() -> TrainState`, the state that a run begins in."""
  schedule, optimizers = (
    games.schedule(config, shape),
    games.optimizer_pair(config),
  )
  return lambda: steps.init(schedule, optimizers, jax.random.key(config.seed))


def _periods(config, shape):
  """Returns the tuple of `growth.Period`; one if nothing grows."""
  if 'growth' not in config:
    return (
      growth.Period(None, 0, math.ceil(config.images / schedules.rows(config))),
    )
  return growth.plan(
    first=growth.stage_of(config.growth.first or shape[0]),
    last=growth.stage_of(shape[0]),
    images=config.images,
    fade=config.growth.fade,
    hold=config.growth.hold,
    rows=lambda stage: schedules.rows(_at_stage(config, stage)),
  )


def check_longer(before, now, shape):
  """Raises ValueError if a longer run does not begin as a shorter one ends.

  Args:
    before: the JSON values of the config of the shorter run.
    now: those of the longer one, which differ in `images` alone.
    shape: of one image, (H, W, C).
  """
  if 'growth' not in now:
    return
  periods = (_periods(ConfigDict(own), shape) for own in (before, now))
  if not growth.continues(*periods):
    raise ValueError(
      f'images was {before["images"]}, which ends while a stage fades in, and '
      f'{now["images"]} would make that fade longer: the run cannot go on as '
      'if it had been so from the start. Take another workdir.'
    )


def _at_stage(config, stage):
  """Returns the config with the batch size and learning rates of a stage."""
  if stage is None:
    return config
  own = config.copy_and_resolve_references()
  sizes = config.growth.batch_size or (config.batch_size,)
  rates = config.growth.rate
  with own.ignore_type():
    own.batch_size = sizes[min(stage, len(sizes) - 1)]
    for optimizer in own.optimizers.values():
      optimizer.learning_rate *= rates[min(stage, len(rates) - 1)]
  return own


def _images_seen(first, seen, rows, step):
  """Returns the images seen before a step, of which `seen` before `first`."""
  # Floats, for a run may see more than 2^31 images.
  return seen + float(rows) * (step - first)


def _schedule(config, shape, period, first, images_seen):
  """Returns `step -> Game` of a period that begins with step `first`."""

  def stage(step):
    if period.stage is None:
      return {}
    alpha = growth.alpha(step, first, period.fade)
    return {'stage': period.stage, 'alpha': alpha}

  return games.schedule(config, shape, stage, images_seen)


def _title(stage):
  return '' if stage is None else f'{growth.resolution(stage)} pixels'


def run(config, data, mesh, processes=0):
  """Returns the `loop.Run` of a config.

  Args:
    config: of a training on images.
    data: the `ImageSet` that `dataset` returns.
    mesh: with an axis 'data'.
    processes: as in `datasets.loader`.

  Raises:
    ValueError: if a number is outside its range, a name is unknown, a batch
      cannot be divided among the devices, or the memory is too small.
  """
  ranges.check(config)
  shape = data.images.shape[1:]
  planned = phases(config, shape)
  for phase in planned:
    batches = config.critic_steps + config.generator_batches
    if (size := phase.rows // batches) % mesh.size:
      raise ValueError(
        f'A batch of {size} cannot be divided among {mesh.size} devices; set '
        f'batch_size to a multiple of {mesh.size}, or mesh.data to a number '
        'that divides it.'
      )
  params = check_memory(jax.eval_shape(start(config, shape))).params
  # Of about 256 reals, to compare that of the samples with.
  reals = images.scale(data.images[:: max(1, len(data.images) // 256)][:256])
  # A single image is a common check, and like a set of equal ones.
  several = len(reals) > 1
  real_distance = diversity.pairwise_distance(reals) if several else 0.0
  samples, columns = _grid(config)
  return loop.Run(
    phases=planned,
    loader=datasets.loader(config, data, mesh, processes),
    mesh=mesh,
    steps_together=config.steps_together or compilation.steps_together(params),
    every=loop.Every(
      config.log.every,
      config.samples.every,
      config.checkpoint.every,
      config.evaluate.every if config.evaluate.measures else math.inf,
    ),
    samples=samples,
    columns=columns,
    keep=config.checkpoint.keep,
    summary=lambda means: (
      f'loss G {means["loss/generator"]:.3f} '
      f'D {means["loss/discriminator"]:.3f}'
    ),
    paper_images=config.get('paper_images', 0),
    memory_advice=_memory_advice(config),
    metrics_warning=warnings.on_balance,
    samples_warning=lambda samples: warnings.on_diversity(
      diversity.pairwise_distance(samples), real_distance
    ),
  )


def _memory_advice(config):
  """Returns what of a config needs less memory, as an imperative."""
  found = [f'a batch_size below {config.batch_size}']
  for player in PLAYERS:
    if config[player].get('remat') is False:
      found.append(f'{player}.remat=true')
  if config.dtype == 'float32':
    found.append('dtype=bfloat16 (on an accelerator)')
  return f'choose {", or ".join(found)}'


def check_memory(state):
  """Returns a state, if it and its gradients fit into the memory.

  Args:
    state: a `TrainState` of shapes, as `jax.eval_shape` returns it.

  Raises:
    ValueError: if they do not.
  """
  capacity.check(
    {
      'the parameters, their averages and optimisers': capacity.size(state),
      'their gradients': capacity.size(state.params),
    },
    'choose narrower networks, a smaller resolution or prior.size',
  )
  return state


def _grid(config):
  """Returns the number of samples in a grid, and its columns: one a class."""
  if not config.labels or config.classes > 32:
    return 64, None
  return config.classes * max(1, 64 // config.classes), config.classes
