"""Games with a memory: what they carry from update to update and read again."""

from collections.abc import Callable

from ganjax.arrays import Metrics, Tree
from ganjax.game import Game
from ganjax.players import PLAYERS, Pair

# These do not read the buffers; all other functions of a game do.
_WITHOUT_BUFFERS = ('init', 'prior', 'fake_labels')
_OBJECTIVES = (*PLAYERS, 'penalties')


def carrying(
  game: Game,
  make: Callable[[Pair], Game],
  init: Callable[[Pair], Pair],
  update: Callable[[str, Tree, Pair, Metrics], Tree],
) -> Game:
  """Returns the `Game` that is made anew from a memory, which it updates.

  Every function of the game runs as that of `make(memory)`, where the memory is
  a `Pair`: each player's own part is updated after its updates, and both parts
  are read by both players. The game's `penalties` read the memory, and leave it
  as it is.

  Args:
    game: the `Game` without a memory, whose initialisation, prior and labels
      are used.
    make: `memory -> Game`, which differs from `game` in its values alone: it
      has the same parameters and buffers.
    init: `params -> memory`, the initial one, of a `Pair` of parameters.
    update: `(player, memory, params, metrics) -> memory`: the player's own part
      after an update of the player, whose metrics these are.

  Returns:
    A `Game`, whose buffers are a `Pair` of dicts with the keys 'game', the
    buffers of the game within, and 'memory'.
  """

  def apart(buffers):
    return (
      Pair(*(buffer['memory'] for buffer in buffers)),
      Pair(*(buffer['game'] for buffer in buffers)),
    )

  def begin(key):
    params, buffers = game.init(key)
    return params, Pair(
      *(
        {'game': inner, 'memory': memory}
        for inner, memory in zip(buffers, init(params), strict=True)
      )
    )

  def objective(player, of, changed):
    def value(params, buffers, *arguments):
      memory, inner = apart(buffers)
      total, (inner, metrics) = getattr(of(make(memory)), player)(
        params, inner, *arguments
      )
      own = {
        'game': getattr(inner, player),
        'memory': changed(player, getattr(memory, player), params, metrics),
      }
      return total, (buffers._replace(**{player: own}), metrics)

    return value

  def forwarded(name):
    def function(params, buffers, *arguments, **named):
      memory, inner = apart(buffers)
      return getattr(make(memory), name)(params, inner, *arguments, **named)

    return function

  others = {
    name: forwarded(name)
    for name, function in game._asdict().items()
    if function is not None and name not in (*_WITHOUT_BUFFERS, *_OBJECTIVES)
  }
  objectives = {
    player: objective(player, lambda game: game, update) for player in PLAYERS
  }
  if game.penalties is not None:
    objectives['penalties'] = Pair(
      *(
        objective(
          player,
          lambda game: game.penalties,
          lambda player, memory, params, metrics: memory,
        )
        for player in PLAYERS
      )
    )
  return game._replace(init=begin, **objectives, **others)
