"""Inversion: the latents whose sample comes nearest to a picture.

Metz, Poole, Pfau and Sohl-Dickstein, "Unrolled Generative Adversarial
Networks", 2017, arXiv:1611.02163, section 3.4.1, measure by it which of its
training images a generator can make, with L-BFGS. Srivastava et al., "VEEGAN:
Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017,
arXiv:1705.07761, take the best of three starts. Karras et al., "Analyzing and
Improving the Image Quality of StyleGAN", 2020, arXiv:1912.04958, appendix D,
invert in the space of styles, with Adam; its schedule of rates is used here for
latents too.

Images are float32 `[N, H, W, C]` in [-1, 1], as a generator makes them. The
stepper is that of style transfer, whose pictures are in [0, 1].
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.latent_spaces import Space
from ganjax.style import encoders, objective, optimizers, steps
from ganjax.training import compilation

NO_FEATURES = encoders.Encoder(
  'none', {}, lambda params, pictures, layers: {}, (), (), (), 1
)
"""The encoder without layers: the error of pixels is all that is minimised."""

_PART = 256  # images at most that are made at once, of up to 64 pixels
_EVERY = 50  # steps at most from one report to the next


class Method(NamedTuple):
  """How latents are searched for.

  Attributes:
    steps: of Adam, at least 1.
    learning_rate: the highest; it rises over the first 5 % of the steps and
      falls over the last 25 %.
    draws: latents that are drawn, at least 1. The search begins with those
      whose samples come nearest to the image in their pixels.
    restarts: how many of these it begins with, each by itself.
    noise: standard deviation of the noise on what is searched for, at the first
      step, in units of the spread of the draws; it falls to 0 within 75 % of
      the steps. Karras et al. take .05 for styles.
    features: weight of the relative error of features, beside the relative
      error of pixels, which has 1.
  """

  steps: int = 500
  learning_rate: float = 0.1
  draws: int = 1000
  restarts: int = 4
  noise: float = 0.0
  features: float = 1.0


class Inversion(NamedTuple):
  """What was found for N images.

  Attributes:
    points: latents or styles, `[N, ...]`.
    labels: int32 `[N]`, or None where the game is unconditional.
    images: their samples, `[N, H, W, C]` in [-1, 1].
    error: mean squared error of the pixels in units of [0, 1], `[N]`.
    features: relative squared error of the features, `[N]`; None without any.
    radius: distance of the points from the mean of what was drawn, `[N]`, in
      units of the root mean square of the draws: far above 1, the points are
      such as are never drawn.
    path: the points from the start to the end, `[F, N, ...]`.
  """

  points: np.ndarray
  labels: np.ndarray | None
  images: np.ndarray
  error: np.ndarray
  features: np.ndarray | None
  radius: np.ndarray
  path: np.ndarray


def learning_rate(method: Method) -> Callable[[jax.Array], jax.Array]:
  """Returns `step -> rate` of a `Method`, as StyleGAN2's projector has it."""

  def rate(step):
    share = step / method.steps
    falling = 0.5 - 0.5 * jnp.cos(jnp.pi * jnp.minimum(1, (1 - share) / 0.25))
    return method.learning_rate * falling * jnp.minimum(1, share / 0.05)

  return rate


class _Programs(NamedTuple):
  """The compiled functions of an inversion.

  `wanted` are images in [0, 1], `rows` is what belongs to each point: its label
  (or None), the key of its noise, and its target; `shared` is what belongs to
  all: the generator's weights, the encoder's, and the spread of the draws.
  """

  distances: Callable  # (given, points, labels, wanted) -> [N, P], squared
  targets: Callable  # (encoder's weights, wanted) -> targets
  init: Callable  # points -> state
  advance: Callable  # (number, state, rows, shared) -> state, of many steps
  measure: Callable  # (points, rows, shared, wanted) -> a tree of [P, ...]


def _programs(space, method, encoder):
  terms = [objective.content_term([objective.PIXELS])._replace(name='pixels')]
  if encoder.layers:
    own = objective.content_term(encoder.content)
    terms.append(own._replace(name='features'))
  weights = {'pixels': 1.0, 'features': method.features}
  optimizer = optimizers.adam(learning_rate(method), 0.9, 0.999)

  def render(points, given, labels, noise=0.0):
    return (space.render(given, points + noise, labels) + 1) / 2

  descend = steps.stepper(render, encoder, terms, optimizer)

  def noise(state, keys, spread):
    if not method.noise:
      return 0.0
    left = jnp.maximum(0, 1 - state.step / (0.75 * method.steps))
    keys = jax.vmap(jax.random.fold_in, (0, None))(keys, state.step)
    shape = state.params.shape[1:]
    drawn = jax.vmap(lambda key: jax.random.normal(key, shape))(keys)
    return method.noise * spread * left**2 * drawn

  def step(state, rows, shared):
    (labels, keys, targets), (given, encoder_params, spread) = rows, shared
    inputs = given, labels, noise(state, keys, spread)
    return descend(state, encoder_params, targets, weights, *inputs)[0]

  many = jax.jit(
    lambda number, state, *rest: jax.lax.fori_loop(
      0, number, lambda _, state: step(state, *rest), state
    )
  )
  single = jax.jit(step)

  def advance(number, state, rows, shared):
    # Where a loop is slow, steps are dispatched one by one.
    if compilation.steps_together(shared) > 1:
      return many(number, state, rows, shared)
    for _ in range(number):
      state = single(state, rows, shared)
    return state

  def distances(given, points, labels, wanted):
    made = render(points, given, labels).reshape(len(points), -1)
    wanted = wanted.reshape(len(wanted), -1)
    product = jnp.matmul(wanted, made.T, precision='highest')
    return (wanted**2).sum(1)[:, None] - 2 * product + (made**2).sum(1)

  def measure(points, rows, shared, wanted):
    (labels, _, targets), (given, encoder_params, _) = rows, shared
    made = render(points, given, labels)
    losses = objective.losses(encoder, terms, encoder_params, made, targets)
    return {
      'images': 2 * made - 1,
      'error': jnp.mean((made - wanted) ** 2, (1, 2, 3)),
      'features': losses.get('features'),
      'loss': sum(weights[name] * own for name, own in losses.items()),
    }

  def targets(encoder_params, wanted):
    return objective.targets(encoder, terms, encoder_params, wanted, ())

  def init(points):
    return steps.init(optimizer, points)

  return _Programs(
    jax.jit(distances),
    jax.jit(targets),
    jax.jit(init),
    advance,
    jax.jit(measure),
  )


def inverter(
  space: Space, method: Method, encoder: encoders.Encoder = NO_FEATURES
) -> Callable[..., Inversion]:
  """Returns a function that inverts a generator, and compiles once.

  It is `(key, given, images, labels=None, classes=0, frames=0, report=None) ->
  Inversion`, and runs on the host:

  - key: of the draws, and of the noise.
  - given: the generator's weights, a tree of arrays.
  - images: `[N, H, W, C]` in [-1, 1], of the generator's size.
  - labels: int32 `[N]`, the classes in which latents are searched for; None for
    all classes. Each search stays in the class that it begins in.
  - classes: how many there are; 0 in an unconditional game.
  - frames: points of the path between its start and its end, at least.
  - report: called as `report(done, total)`, of the steps of all parts, before
    the first one and after some of them.

  Of all restarts the one that ends with the lowest loss is taken. The function
  raises FloatingPointError if a sample that was found is not finite.

  Args:
    space: where it searches.
    method: how.
    encoder: of `ganjax.style.encoders`, for the generator's images in [0, 1].
  """
  programs = _programs(space, method, encoder)

  def starts(candidates, given, wanted, labels, size):
    """Returns which candidates each image begins with, `[N, restarts]`."""
    own = candidates.points, candidates.labels
    found = np.concatenate(
      [programs.distances(given, *part, wanted) for part in _parts(own, size)],
      1,
    )[:, : len(candidates.points)]
    if labels is not None:
      other = np.asarray(candidates.labels) != np.asarray(labels)[:, None]
      found = np.where(other, np.inf, found)
    # There may be fewer than restarts: the mean is one.
    number = np.isfinite(found).sum(1, keepdims=True)
    ranks = np.arange(method.restarts) % np.maximum(number, 1)
    return np.take_along_axis(np.argsort(found, 1, kind='stable'), ranks, 1)

  def invert(key, given, images, labels=None, classes=0, frames=0, report=None):
    wanted = (np.asarray(images, np.float32) + 1) / 2
    size = max(1, min(_PART, _PART * 64**2 // np.prod(wanted.shape[1:3])))
    draw_key, noise_key = jax.random.split(key)
    candidates = space.draw(draw_key, given, method.draws, classes)
    chosen = starts(candidates, given, wanted, labels, size)
    restart = np.arange(chosen.size) % method.restarts
    begun = (
      candidates.points[chosen.ravel()],
      _at(candidates.labels, chosen.ravel()),
      jax.vmap(jax.random.fold_in, (None, 0))(noise_key, restart),
      np.arange(chosen.size) // method.restarts,
    )
    shared = given, encoder.params, candidates.spread
    every = max(1, min(_EVERY, method.steps // (frames + 1)))
    found, total = [], -(-chosen.size // size) * method.steps
    if report:
      report(0, total)
    for points, own_labels, keys, which in _parts(begun, size):
      targets = programs.targets(encoder.params, wanted[which])
      rows = own_labels, keys, targets
      state = programs.init(points)
      path = [points]
      for first in range(0, method.steps, every):
        number = min(every, method.steps - first)
        state = programs.advance(number, state, rows, shared)
        path.append(state.params)
        if report:
          report(len(found) * method.steps + first + number, total)
      measured = programs.measure(state.params, rows, shared, wanted[which])
      measured['path'] = np.stack(path if frames else path[-1:], 1)
      measured['labels'] = own_labels
      found.append(jax.device_get(measured))
    return _best(found, candidates, chosen.shape)

  return invert


def _best(parts, candidates, shape):
  """Returns the `Inversion` by the best of the restarts.

  Args:
    parts: a list of what `_Programs.measure` returns, with the path
      `[P, F, ...]` and the labels of the points.
    candidates: the `Candidates`.
    shape: the numbers of images and of restarts.
  """
  number = int(np.prod(shape))
  found = jax.tree.map(lambda *own: np.concatenate(own)[:number], *parts)
  loss = np.nan_to_num(found['loss'], nan=np.inf).reshape(shape)
  if broken := int(np.sum(~np.isfinite(loss).any(1))):
    raise FloatingPointError(
      f'The searches for {broken:,} of {len(loss):,} images ended with samples '
      'that are infinite or undefined; lower the learning rate, or take an '
      'earlier checkpoint or other weights.'
    )
  rows = loss.argmin(1) + np.arange(number)[:: shape[1]]
  best = jax.tree.map(lambda leaf: leaf[rows], found)
  points = best['path'][:, -1]
  away = (points - candidates.center).reshape(len(points), -1)
  return Inversion(
    points=points,
    labels=best['labels'],
    images=best['images'],
    error=best['error'],
    features=best['features'],
    radius=np.linalg.norm(away, axis=1) / np.asarray(candidates.spread),
    path=best['path'].swapaxes(0, 1),
  )


def _at(array, rows):
  return None if array is None else array[rows]


def _parts(tree, size):
  """Yields a tree of arrays `[N, ...]` in parts of the same size, at most N.

  The last one is filled up with the first rows, to compile only once.
  """
  number = len(jax.tree.leaves(tree)[0])
  size = min(size, number)
  rows = np.arange(number + -number % size) % number
  for own in rows.reshape(-1, size):
    yield jax.tree.map(lambda leaf, own=own: leaf[own], tree)
