"""A game is two scalar functions of both players' parameters.

`gan` builds the two from networks, a loss, a prior and regularisers; the update
rules of `ganjax.steps` descend them and know nothing of what they are made of.
A function `step -> Game` is a schedule: whatever changes while training runs
(an annealed penalty, a fade) is said there and nowhere else.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ganjax.players import PLAYERS, Pair

# Initialising looks at shapes only; packs and groups of 2, 3 and 4 divide it.
_EXAMPLES = 12


class Game(NamedTuple):
  """Two players' objectives, and how the game begins and is shown.

  Attributes:
    init: `key -> (params, buffers)`, each a `Pair`.
    generator: `(params, buffers, batch, key, fake=None) -> value, (buffers,
      metrics)`: what the generator descends in its own parameters. Batch is
      images `[N, ...]` or a tree of them; metrics are scalars by name. Only the
      player's own buffers are changed. The fakes are the given `Fake`, or drawn
      from the key.
    discriminator: likewise.
    prior: `(key, number) -> latents [number, Z]`.
    sample: `(params, buffers, latents, key=None, train=False) -> images`:
      params of a generator (raw, or their moving average), buffers the `Pair`,
      and a key for networks that draw noise. `train` is a Python bool: batch
      statistics of these very latents, or running ones.
    fake: `(params, buffers, latents, key) -> Fake`, both `Pair`s, in training
      mode: for turns that share their fakes. None where none can.
    mapping: the first half of `sample`, with its arguments: latents -> styles.
    synthesis: the second half, likewise: styles -> images.
  """

  init: Callable
  generator: Callable
  discriminator: Callable
  prior: Callable
  sample: Callable
  fake: Callable | None = None
  mapping: Callable | None = None
  synthesis: Callable | None = None


class Fake(NamedTuple):
  """What the generator made of latents.

  Attributes:
    latents: `[N, Z]`.
    styles: the same after the mapping.
    images: `[N, ...]`, or a tree of them.
    buffers: of the generator's network, after it.
  """

  latents: jax.Array
  styles: Any
  images: Any
  buffers: Any


class Turn(NamedTuple):
  """What a regulariser may look at when a player moves.

  Attributes:
    real: the reals as the discriminator is shown them.
    fake: the generator's images, a function of its parameters.
    real_logits: `[M]`, those of the reals in the loss; M is N but for packs.
    fake_logits: `[M]`, those of the fakes.
    latents: `[N, Z]`, where the fakes come from.
    styles: the same after the mapping.
    critic: images -> logits `[M]`, parameters bound.
    features: images -> the critic's last activations `[M, D]`, likewise.
    generate: latents -> images, parameters bound.
    synthesis: styles -> images, parameters bound.
    key: for the regulariser's own draws.
  """

  real: Any
  fake: Any
  real_logits: jax.Array
  fake_logits: jax.Array
  latents: jax.Array
  styles: Any
  critic: Callable
  features: Callable
  generate: Callable
  synthesis: Callable
  key: jax.Array


class Regularizer(NamedTuple):
  """A term added to a player's value, with what it remembers between turns.

  Attributes:
    apply: `(turn, memory) -> (values [N], memory)`.
    init: `() -> memory`, any tree of arrays.
  """

  apply: Callable
  init: Callable


def stateless(values):
  """The `Regularizer` of `turn -> values [N]`, which remembers nothing."""
  return Regularizer(lambda turn, memory: (values(turn), memory), lambda: ())


def lazily(regularizer, every):
  """The `Regularizer` of each `every`-th turn only, `every` times as strong.

  Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
  arXiv:1912.04958, section 3.1. Under `vmap` both branches run, so nothing is
  saved there; R1 and R2 beside the relativistic loss fail when lazy.

  Args:
    regularizer: any `Regularizer`.
    every: turns from one application to the next, at least 1.
  """

  def apply(turn, memory):
    turns, inner = memory

    def busy(inner):
      values, inner = regularizer.apply(turn, inner)
      return every * values, inner

    def idle(inner):
      values, _ = jax.eval_shape(busy, inner)
      return jnp.zeros(values.shape, values.dtype), inner

    values, inner = jax.lax.cond(turns % every == 0, busy, idle, inner)
    return values, (turns + 1, inner)

  return Regularizer(apply, lambda: (jnp.int32(0), regularizer.init()))


def gan(generator, discriminator, loss, prior, regularizers=None):
  """The `Game` of two networks, unconditional, over images or trees of images.

  Both players see their networks in training mode. A turn stores only the
  player's own buffers, so the generator's turn leaves the discriminator's
  running statistics alone (PyTorch's DCGAN example moves them twice a step).

  Args:
    generator: a `Generator`.
    discriminator: a `Discriminator`.
    loss: a `Pair` of functions of logits, `(real [N], fake [N]) -> [N]`.
    prior: `(key, number) -> latents`.
    regularizers: a `Pair` of dicts from a name to a `Regularizer`.
  """
  regularizers = regularizers or Pair({}, {})

  def init(key):
    latents_key, generator_key, discriminator_key = jax.random.split(key, 3)
    latents = prior(latents_key, _EXAMPLES)
    params, network = generator.init(generator_key, latents)
    styles, _ = generator.mapping(params, network, latents, latents_key, True)
    images, _ = generator.synthesis(params, network, styles, latents_key, True)
    networks = Pair(
      (params, network), discriminator.init(discriminator_key, images)
    )
    params = Pair(*(params for params, _ in networks))
    buffers = Pair(
      *(
        {
          'network': network,
          'memory': {name: term.init() for name, term in terms.items()},
        }
        for (_, network), terms in zip(networks, regularizers, strict=True)
      )
    )
    return params, buffers

  def generated(params, network, latents, key):
    mapping_key, synthesis_key = jax.random.split(key)
    styles, network = generator.mapping(
      params, network, latents, mapping_key, True
    )
    images, network = generator.synthesis(
      params, network, styles, synthesis_key, True
    )
    return Fake(latents, styles, images, network)

  def objective(player):
    terms = getattr(regularizers, player)

    def value(params, buffers, batch, key, fake=None):
      keys = dict(
        zip(
          ('latents', 'generated', 'real', 'fake', *terms),
          jax.random.split(key, 4 + len(terms)),
          strict=True,
        )
      )
      networks = Pair(*(buffer['network'] for buffer in buffers))
      if fake is None:
        number = jax.tree.leaves(batch)[0].shape[0]
        fake = generated(
          params.generator,
          networks.generator,
          prior(keys['latents'], number),
          keys['generated'],
        )
      real = discriminator.prepare_real(batch)
      real_logits, judged = discriminator.apply(
        params.discriminator, networks.discriminator, real, keys['real'], True
      )
      fake_logits, judged = discriminator.apply(
        params.discriminator, judged, fake.images, keys['fake'], True
      )

      def judge(function):
        return lambda images: function(
          params.discriminator, judged, images, keys['fake'], True
        )

      mapping_key, synthesis_key = jax.random.split(keys['generated'])

      def synthesis(styles):
        return generator.synthesis(
          params.generator, fake.buffers, styles, synthesis_key, True
        )[0]

      turn = Turn(
        real=real,
        fake=fake.images,
        real_logits=real_logits,
        fake_logits=fake_logits,
        latents=fake.latents,
        styles=fake.styles,
        critic=lambda images: judge(discriminator.apply)(images)[0],
        features=judge(discriminator.features),
        generate=lambda latents: synthesis(
          generator.mapping(
            params.generator, fake.buffers, latents, mapping_key, True
          )[0]
        ),
        synthesis=synthesis,
        key=key,
      )
      total = getattr(loss, player)(real_logits, fake_logits).mean()
      metrics = {f'loss/{player}': total}
      if player == 'discriminator':
        metrics |= {
          'logits/real': real_logits.mean(),
          'logits/fake': fake_logits.mean(),
          'accuracy/real': (real_logits > 0).mean(),
          'accuracy/fake': (fake_logits < 0).mean(),
        }
      memory, remembered = {}, getattr(buffers, player)['memory']
      for name, term in terms.items():
        values, memory[name] = term.apply(
          turn._replace(key=keys[name]), remembered[name]
        )
        metrics[f'regularizer/{name}'] = values.mean()
        total += values.mean()
      own = {
        'network': getattr(Pair(fake.buffers, judged), player),
        'memory': memory,
      }
      return total, (buffers._replace(**{player: own}), metrics)

    return value

  def mapping(params, buffers, latents, key=None, train=False):
    network = buffers.generator['network']
    return generator.mapping(params, network, latents, key, train)[0]

  def synthesis(params, buffers, styles, key=None, train=False):
    network = buffers.generator['network']
    return generator.synthesis(params, network, styles, key, train)[0]

  def sample(params, buffers, latents, key=None, train=False):
    styles = mapping(params, buffers, latents, key, train)
    return synthesis(params, buffers, styles, key, train)

  def fake(params, buffers, latents, key):
    network = buffers.generator['network']
    return generated(params.generator, network, latents, key)

  return Game(
    init, *map(objective, PLAYERS), prior, sample, fake, mapping, synthesis
  )


def truncated(game, psi, latents):
  """The `Game` whose samples have styles that are drawn towards their mean.

  Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative
  Adversarial Networks", 2019, arXiv:1812.04948, appendix B: fewer kinds of
  images, each of them better. For networks without a mapping, styles are the
  latents.

  Args:
    game: any `Game` with a mapping.
    psi: share of the distance to the mean that is left: 0 is the mean, 1 leaves
      styles as they are; an array `[L, 1]` has one for each layer. May be
      traced.
    latents: `[M, Z]`, of the prior, whose styles have the mean. The original's
      is a moving average of training.
  """

  def mapping(params, buffers, own, key=None, train=False):
    styles = game.mapping(params, buffers, own, key, train)
    mean = game.mapping(params, buffers, latents).mean(0)
    return (1 - psi) * mean + psi * styles

  def sample(params, buffers, own, key=None, train=False):
    styles = mapping(params, buffers, own, key, train)
    return game.synthesis(params, buffers, styles, key, train)

  return game._replace(mapping=mapping, sample=sample)
