"""A game is two scalar functions of both players' parameters.

`gan` builds the two from networks, a loss, a prior and regularisers; the update
rules of `ganjax.steps` minimise them and know nothing of what they are made of.
A function `step -> Game` is a schedule: whatever changes while training runs
(an annealed penalty, a fade) is in the schedule and nowhere else.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.arrays import Metrics, Scalar, Tree
from ganjax.losses import Loss
from ganjax.players import PLAYERS, Discriminator, Generator, Pair
from ganjax.priors import Prior

# Initialisation needs shapes only; packs and groups of 2, 3 and 4 divide it.
_EXAMPLES = 12


class Game(NamedTuple):
  """The objectives of two players, their initialisation, and their samples.

  Attributes:
    init: `key -> (params, buffers)`, each a `Pair`.
    generator: `(params, buffers, batch, key, fake=None) -> value, (buffers,
      metrics)`: a scalar that the generator minimises in its own parameters.
      The batch is images `[N, ...]` or a tree of them; metrics are scalars by
      name. Only the player's own buffers are changed. The fakes are the given
      `Fake`, or drawn from the key.
    discriminator: the same of the discriminator.
    prior: `(key, number) -> latents [number, Z]`.
    sample: `(params, buffers, latents, key=None, train=False) -> images`, where
      params are a generator's (raw, or their moving average), buffers are the
      `Pair`, and the key is for networks that draw noise. `train` is a Python
      bool: statistics of this batch, or running ones.
    fake: `(params, buffers, latents, key) -> Fake`, of two `Pair`s, in training
      mode: for updates that share their fakes. None where they cannot.
    mapping: the first half of `sample`, with its arguments: latents -> styles.
    synthesis: the second half, likewise: styles -> images.
  """

  init: Callable[[jax.Array], tuple[Pair, Pair]]
  generator: Callable[..., tuple[jax.Array, tuple[Pair, Metrics]]]
  discriminator: Callable[..., tuple[jax.Array, tuple[Pair, Metrics]]]
  prior: Prior
  sample: Callable[..., Tree]
  fake: Callable[[Pair, Pair, jax.Array, jax.Array], 'Fake'] | None = None
  mapping: Callable[..., Tree] | None = None
  synthesis: Callable[..., Tree] | None = None


class Fake(NamedTuple):
  """Fakes, with what they were made from.

  Attributes:
    latents: `[N, Z]`.
    styles: the latents after the mapping.
    images: `[N, ...]`, or a tree of them.
    buffers: those of the generator's network afterwards.
  """

  latents: jax.Array
  styles: Tree
  images: Tree
  buffers: Tree


class Turn(NamedTuple):
  """What a regulariser can use in an update of a player.

  Attributes:
    real: the reals, prepared for the discriminator: images `[N, ...]`, or a
      tree of them.
    fake: the generator's images, likewise, as a function of its parameters.
    real_logits: `[M]`, the logits of the reals; M is N, except with packs.
    fake_logits: `[M]`, the logits of the fakes.
    latents: `[N, Z]`, from which the fakes are made.
    styles: the latents after the mapping.
    critic: images -> logits `[M]`, with the parameters bound.
    features: images -> the critic's last activations `[M, D]`, likewise.
    generate: latents -> images, with the parameters bound.
    synthesis: styles -> images, likewise.
    key: for the random draws of the regulariser.
  """

  real: Tree
  fake: Tree
  real_logits: jax.Array
  fake_logits: jax.Array
  latents: jax.Array
  styles: Tree
  critic: Callable[[Tree], jax.Array]
  features: Callable[[Tree], jax.Array]
  generate: Callable[[jax.Array], Tree]
  synthesis: Callable[[Tree], Tree]
  key: jax.Array


class Regularizer(NamedTuple):
  """A term added to a player's value, with a memory from update to update.

  Attributes:
    apply: `(turn, memory) -> (values [N], memory)`; the mean of the values is
      added.
    init: `() -> memory`, any tree of arrays.
  """

  apply: Callable[[Turn, Tree], tuple[jax.Array, Tree]]
  init: Callable[[], Tree]


def stateless(values: Callable[[Turn], jax.Array]) -> Regularizer:
  """Returns the `Regularizer` of `turn -> values [N]`, without a memory."""
  return Regularizer(lambda turn, memory: (values(turn), memory), lambda: ())


def lazily(regularizer: Regularizer, every: int) -> Regularizer:
  """Returns the `Regularizer` applied at each `every`-th update, times `every`.

  Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
  arXiv:1912.04958, section 3.1. Under `vmap` both branches are computed, so
  that it saves nothing; and training with the relativistic loss fails when R1
  and R2 are lazy.

  Args:
    regularizer: any `Regularizer`.
    every: updates of the player from one application to the next, at least 1.
  """

  def apply(turn, memory):
    count, inner = memory

    def applied(inner):
      values, inner = regularizer.apply(turn, inner)
      return every * values, inner

    def left_out(inner):
      values, _ = jax.eval_shape(applied, inner)
      return jnp.zeros(values.shape, values.dtype), inner

    values, inner = jax.lax.cond(count % every == 0, applied, left_out, inner)
    return values, (count + 1, inner)

  return Regularizer(apply, lambda: (jnp.int32(0), regularizer.init()))


def gan(
  generator: Generator,
  discriminator: Discriminator,
  loss: Pair[Loss],
  prior: Prior,
  regularizers: Pair[dict[str, Regularizer]] | None = None,
) -> Game:
  """Returns the unconditional `Game` of two networks, over images or trees.

  Both objectives run the networks in training mode. An update stores only the
  player's own buffers, so the generator's leaves the running statistics of the
  discriminator alone (in PyTorch's DCGAN example both change them).

  Args:
    generator: a `Generator`.
    discriminator: a `Discriminator`.
    loss: a `Pair` of functions of logits, `(real [N], fake [N]) -> [N]`.
    prior: `(key, number) -> latents [number, Z]`.
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
      real_logits, critic_buffers = discriminator.apply(
        params.discriminator, networks.discriminator, real, keys['real'], True
      )
      fake_logits, critic_buffers = discriminator.apply(
        params.discriminator, critic_buffers, fake.images, keys['fake'], True
      )

      def bound(function):
        return lambda images: function(
          params.discriminator, critic_buffers, images, keys['fake'], True
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
        critic=lambda images: bound(discriminator.apply)(images)[0],
        features=bound(discriminator.features),
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
      memory, before = {}, getattr(buffers, player)['memory']
      for name, term in terms.items():
        values, memory[name] = term.apply(
          turn._replace(key=keys[name]), before[name]
        )
        metrics[f'regularizer/{name}'] = values.mean()
        total += values.mean()
      own = {
        'network': getattr(Pair(fake.buffers, critic_buffers), player),
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

  objectives = Pair(*map(objective, PLAYERS))
  return Game(init, *objectives, prior, sample, fake, mapping, synthesis)


def truncated(game: Game, psi: Scalar, mean_latents: jax.Array) -> Game:
  """Returns the `Game` whose samples have truncated styles.

  Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative
  Adversarial Networks", 2019, arXiv:1812.04948, appendix B: styles are moved
  towards their mean, which trades variety for quality. In networks without a
  mapping, styles are the latents.

  Args:
    game: a `Game` with a mapping.
    psi: factor of the distance to the mean: 0 is the mean, 1 leaves styles as
      they are; an array `[L, 1]` has one for each layer. May be traced.
    mean_latents: `[M, Z]`, drawn from the prior, whose styles give the mean.
      The original takes a moving average during training.
  """

  def mapping(params, buffers, latents, key=None, train=False):
    styles = game.mapping(params, buffers, latents, key, train)
    mean = game.mapping(params, buffers, mean_latents).mean(0)
    return (1 - psi) * mean + psi * styles

  def sample(params, buffers, latents, key=None, train=False):
    styles = mapping(params, buffers, latents, key, train)
    return game.synthesis(params, buffers, styles, key, train)

  return game._replace(mapping=mapping, sample=sample)
