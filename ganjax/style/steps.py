"""One step of whatever makes pictures: a picture, a network, or latents.

Style transfer optimises the pixels of a picture, feed-forward stylisation the
parameters of a network, and inversion the latents of a generator. All of them
descend the same terms of an encoder's features. The encoder's parameters, the
targets and the weights are arguments of the step, to be passed to compiled
programs as such, because XLA would spend minutes on folding constants.
"""

from typing import Any

import flax
import jax
import jax.numpy as jnp

from ganjax.style import objective


@flax.struct.dataclass
class State:
  """The state of an optimisation between two steps.

  Attributes:
    step: int32, evaluations so far.
    params: where the objective is evaluated next.
    opt_state: of the optimiser.
  """

  step: jax.Array
  params: Any
  opt_state: Any


def init(optimizer, params):
  """Returns the `State` before the first step.

  Args:
    optimizer: of `ganjax.style.optimizers`.
    params: a tree of arrays.
  """
  return State(jnp.int32(0), params, optimizer.init(params))


def each(losses):
  """Returns losses `[N]` as they are: every picture has its own parameters."""
  return losses


def stepper(render, encoder, terms, optimizer, reduce=each):
  """Returns the step that moves parameters under terms of features.

  It is a function `(state, encoder_params, targets, weights, *inputs) ->
  (state, best, losses)` of one evaluation. `best` are the best parameters so
  far, which for Adam are the newest. Losses are those at `state.params`, before
  the step, by the terms' names, and their weighted sum as 'loss'.

  Args:
    render: `(params, *inputs) -> pictures [N, H, W, 3]` in [0, 1]: the identity
      for pictures, a network's `apply`, or a generator of latents.
    encoder: of `ganjax.style.encoders`; in place of its own parameters those
      passed to the step are used.
    terms: a sequence of `objective.Term`.
    optimizer: of `ganjax.style.optimizers`.
    reduce: what becomes of the losses `[N]` of each term: `each` where the
      parameters have an axis of N, and `jnp.mean` where all pictures share
      them.
  """

  def step(state, encoder_params, targets, weights, *inputs):
    def total(params):
      pictures = render(params, *inputs)
      losses = {
        name: reduce(values)
        for name, values in objective.losses(
          encoder, terms, encoder_params, pictures, targets
        ).items()
      }
      loss = sum(weights[name] * value for name, value in losses.items())
      return loss.sum(), losses | {'loss': loss}

    gradients, losses = jax.grad(total, has_aux=True)(state.params)
    params, best, opt_state = optimizer.update(
      state.params, losses['loss'], gradients, state.opt_state
    )
    state = state.replace(
      step=state.step + 1, params=params, opt_state=opt_state
    )
    return state, best, losses

  return step
