"""A training that begins with the networks of another run.

That is fine-tuning (Wang et al., "Transferring GANs: generating images from
limited data", 2018, arXiv:1805.01677), and a way for a conditional GAN to begin
as an unconditional one, which does not collapse as easily (Shahbazi et al.,
"Collapse by Conditioning", 2022, arXiv:2201.06578, make the way gradual).
"""

import functools

import jax
import jax.numpy as jnp

from ganjax import lookup
from ganjax.config import restore
from ganjax.players import PLAYERS

_PARAMETERS = 'params', 'ema_params'
_OF_THE_GENERATOR = 'ema_params', 'ema_buffers'


def begin(config, start):
  """Returns what a new run does to its first state, and sentences on it.

  Of the players that `config.init_from.players` names the state then has the
  parameters of the other run, the buffers of their networks, and the
  generator's averages of both; the optimisers, the memories of regularisers and
  of games, and the key stay those of a new run. Where that is conditional and
  the other one is not, whatever only labels reach is 0, so that all labels give
  what the other run gives.

  Args:
    config: of the new run, whose `init_from.run` is the other run's folder.
    start: `() -> TrainState`, its first state.

  Returns:
    `state -> state`, and a list of sentences.

  Raises:
    FileNotFoundError: if there is no such run, or it has no such checkpoint.
    ValueError: if a name is unknown, or the networks do not fit.
  """
  about = config.init_from
  table = dict(zip(PLAYERS, PLAYERS, strict=True))
  players = [
    lookup.choose('player', table, name.strip())
    for name in about.players.split(',')
  ]
  read = lookup.choose('checkpoint', restore.CHECKPOINTS, about.checkpoint)
  run = read(about.run)
  labels = config.classes if config.labels and not run.config.labels else 0
  transplant = functools.partial(
    _transplanted, run.state, players, labels, about.run
  )
  jax.eval_shape(transplant, jax.eval_shape(start))  # Raises what it raises.
  title = restore.title(run, 'raw and averaged', about.checkpoint)
  named = ' and the '.join(players)
  return transplant, [f'Began with the {named} of {about.run}: {title}.']


def _transplanted(other, players, labels, place, state):
  """Returns a state with players of another.

  Args:
    other: the `TrainState` whose players are taken.
    players: a list of their names.
    labels: how many classes the state's networks take where the other's do not.
    place: of the other run.
    state: the `TrainState` that is changed.

  Raises:
    ValueError: if parameters have other shapes, or are of one run alone.
  """
  given = {
    _name(path): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(other)
    if _is_of(path, players)
  }
  misfits = []

  def leaf(path, own):
    if not _is_of(path, players):
      return own
    name = _name(path)
    taken = given.pop(name, None)
    if taken is None and name[0] not in _PARAMETERS:
      return own
    if taken is None and labels:
      return jnp.zeros_like(own)
    padded = None if taken is None else _padded(taken, own.shape, labels)
    if padded is None:
      there = 'nothing' if taken is None else taken.shape
      misfits.append(f'{".".join(name)} is {own.shape} here and {there} there')
    return own if padded is None else padded

  state = jax.tree_util.tree_map_with_path(leaf, state)
  misfits += [
    f'{".".join(name)} is nothing here and {leaf.shape} there'
    for name, leaf in given.items()
    if name[0] in _PARAMETERS
  ]
  if misfits:
    raise ValueError(
      f'The {" and the ".join(players)} of {place} do not fit this run: '
      f'{misfits[0]} (the first of {len(misfits)} that differ). Train with the '
      'networks and the resolution of that run, or name the player that fits '
      'in init_from.players.'
    )
  return state


def _is_of(path, players):
  """Returns whether a leaf of a state belongs to the networks of players."""
  part, *inner = _keys(path)
  if part in _OF_THE_GENERATOR:
    return 'generator' in players
  return (
    part in ('params', 'buffers')
    and inner[0] in players
    and 'memory' not in inner
  )


def _name(path):
  """Returns the name of a leaf, whatever its game or network is wrapped in."""
  return tuple(key for key in _keys(path) if key not in ('game', 'network'))


def _keys(path):
  return [str(getattr(key, 'name', getattr(key, 'key', key))) for key in path]


def _padded(taken, shape, labels):
  """Returns an array of a shape, 0 where labels come in; None if it cannot."""
  if taken.ndim != len(shape):
    return None
  more = [new - old for new, old in zip(shape, taken.shape, strict=True)]
  if any(more) and sorted(more) != [0] * (len(more) - 1) + [labels]:
    return None
  return jnp.pad(taken, [(0, number) for number in more])
