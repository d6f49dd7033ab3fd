"""The benchmark of a training step of DCGAN, beside PyTorch."""

import functools

import jax
import jax.numpy as jnp
import optax

from experiments.benchmark import (
  compiled,
  dcgan_cases,
  dcgan_torch,
  memory,
  rounds,
)
from ganjax import losses, priors, regularizers, steps
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import dcgan
from ganjax.players import Pair
from ganjax.training import population
from ganjax.turns import stateless


def measured(case, task):
  """Returns the row of a case.

  Args:
    case: a `dcgan_cases.Case`.
    task: a `task.Task`.
  """
  if task.tiny:
    case = case._replace(resolution=16, width=4, batch=4, steps=1)
  images = dcgan_cases.batch(case)
  own = functools.partial(ganjax_side, case, images)
  makers = {
    'ganjax': own,
    'ganjax, shared fakes': functools.partial(own, shared_latents=True),
  }
  sides = {'ganjax': ('jax', ganjax_side, case, images)}
  if task.torch_too:
    makers |= {
      name: functools.partial(dcgan_torch.side, case, images, options)
      for name, options in dcgan_torch.PEERS.items()
      # To compile takes minutes, whatever the sizes.
      if not (task.tiny and options.compiled)
    }
    plain = dcgan_torch.Options()
    sides['torch'] = 'torch', dcgan_torch.side, case, images, plain
  found = rounds.compare(task, makers, case.batch)
  return memory.added(found, sides) if case.memory else found


def ganjax_side(
  case,
  images,
  dtype=jnp.float32,
  precision=None,
  precision_name='',
  shared_latents=False,
):
  """Returns the `Side` of ganjax, with one step in each dispatch.

  Args:
    case: a `dcgan_cases.Case`.
    images: `[N, H, W, C]` in [-1, 1], the batch of every step.
    dtype: of both networks.
    precision: as in `compiled.side`, with its name.
    precision_name: likewise.
    shared_latents: whether both turns have the same fakes.
  """
  update, state, batch = step_of(case, images, dtype, shared_latents)
  return compiled.side(
    update, state, (batch,), case.steps, precision, precision_name
  )


def step_of(case, images, dtype=jnp.float32, shared_latents=False):
  """Returns the update of a case, its first state, and a step's `Batch`.

  Args:
    case: a `dcgan_cases.Case`.
    images: as in `ganjax_side`, with dtype and shared_latents.
    dtype: likewise.
    shared_latents: likewise.
  """
  game, optimizers = game_of(case, dtype)
  state = jax.jit(lambda key: steps.init(game, optimizers, key))(
    jax.random.key(0)
  )
  update = steps.alternating(game, optimizers, shared_latents=shared_latents)
  return update, state, Batch(jnp.asarray(images))


def game_of(case, dtype=jnp.float32):
  """Returns the `Game` of a case, and its `Pair` of optimisers.

  Args:
    case: a `dcgan_cases.Case`.
    dtype: of both networks.
  """
  term = stateless(
    lambda turn: case.penalty * regularizers.r1(turn.critic, turn.real)
  )
  shape = case.resolution, case.channels, case.width
  game = gan(
    dcgan.generator(*shape, dtype=dtype),
    dcgan.discriminator(*shape, dtype=dtype),
    losses.non_saturating,
    priors.normal(case.latents),
    Pair({}, {'r1': term} if case.penalty else {}),
  )
  rate, b1 = case.adam
  return game, Pair(optax.adam(rate, b1), optax.adam(rate, b1))


def training(case, number):
  """Returns the `population.Training` of a run, whose data is one `Batch`.

  Args:
    case: a `dcgan_cases.Case`.
    number: of steps of a run.
  """
  game, optimizers = game_of(case)
  update = steps.alternating(game, optimizers)
  return population.Training(
    init=lambda key, numbers, data: steps.init(game, optimizers, key),
    step=lambda state, numbers, data: update(state, data),
    evaluate=lambda state, numbers, data: (),
    steps=number,
    every=number,
  )
