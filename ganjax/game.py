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

from ganjax import passes
from ganjax.arrays import Batch, Metrics, Tree
from ganjax.losses import Loss
from ganjax.players import (
  PLAYERS,
  Discriminator,
  Generator,
  Pair,
  activations,
  head_outputs,
)
from ganjax.priors import Prior
from ganjax.turns import Regularizer, Turn

# Initialisation needs shapes only; packs and groups of 2, 3 and 4 divide it.
_EXAMPLES = 12
# Folded into keys; that of an update, `ganjax.updates` folds 2^32 - 3 into.
_LABELS, _REALS = 2**32 - 1, 2**32 - 4


class Game(NamedTuple):
  """The objectives of two players, their initialisation, and their samples.

  Attributes:
    init: `key -> (params, buffers)`, each a `Pair`.
    generator: `(params, buffers, batch, key, fake=None) -> value, (buffers,
      metrics)`: a scalar that the generator minimises in its own parameters.
      The batch is a `Batch`; metrics are scalars by name. Only the player's own
      buffers are changed. The fakes are the given `Fake`, or drawn from the
      key.
    discriminator: the same of the discriminator.
    prior: `(key, number) -> latents [number, Z]`.
    sample: `(params, buffers, latents, key=None, train=False, labels=None) ->
      images`, where params are a generator's (raw, or their moving average),
      buffers are the `Pair`, and the key is for networks that draw noise.
      `train` is a Python bool: statistics of this batch, or running ones.
      Labels are int32 `[number]` in conditional games.
    fake_labels: `(key, labels) -> labels` of fakes, from those of the reals;
      both are None in unconditional games.
    fake: `(params, buffers, latents, key, labels=None) -> Fake`, of two
      `Pair`s, in training mode: for updates that share their fakes. None where
      they cannot.
    mapping: the first half of `sample`, with its arguments: latents -> styles.
    synthesis: the second half, likewise: styles -> images.
    penalties: a `Pair` of functions like `generator` and `discriminator`, whose
      values are penalties alone, which `lazy` descends; None without such.
  """

  init: Callable[[jax.Array], tuple[Pair, Pair]]
  generator: Callable[..., tuple[jax.Array, tuple[Pair, Metrics]]]
  discriminator: Callable[..., tuple[jax.Array, tuple[Pair, Metrics]]]
  prior: Prior
  sample: Callable[..., Tree]
  fake_labels: Callable
  fake: Callable[..., 'Fake'] | None = None
  mapping: Callable[..., Tree] | None = None
  synthesis: Callable[..., Tree] | None = None
  penalties: Pair[Callable] | None = None


class Fake(NamedTuple):
  """Fakes, with what they were made from.

  Attributes:
    latents: `[N, Z]`.
    labels: int32 `[N]`, or None in unconditional games.
    styles: the latents after the mapping.
    images: `[N, ...]`, or a tree of them.
    buffers: those of the generator's network afterwards.
  """

  latents: jax.Array
  labels: jax.Array | None
  styles: Tree
  images: Tree
  buffers: Tree


def gan(
  generator: Generator,
  discriminator: Discriminator,
  loss: Pair[Loss],
  prior: Prior,
  regularizers: Pair[dict[str, Regularizer]] | None = None,
  fake_labels: Callable | None = None,
  paired_draws: bool = False,
  critic_pass: Callable = passes.separate,
  reals: Callable | None = None,
  penalties: Pair[dict[str, Regularizer]] | None = None,
) -> Game:
  """Returns the `Game` of two networks, over images or trees of them.

  Both objectives run the networks in training mode. An update stores only the
  player's own buffers, so the generator's leaves the running statistics of the
  discriminator alone (in PyTorch's DCGAN example both change them).

  Args:
    generator: a `Generator`.
    discriminator: a `Discriminator`.
    loss: a `Pair` of functions of logits, `(real [N], fake [N]) -> [N]`.
    prior: `(key, number) -> latents [number, Z]`.
    regularizers: a `Pair` of dicts from a name to a `Regularizer`.
    fake_labels: a function of `ganjax.labels`, `(key, labels of the reals) ->
      labels of the fakes`, which makes the game conditional: its batches have
      labels, and its networks take them. None makes it unconditional.
    paired_draws: whether what the discriminator draws (augmentations, noise,
      dropout) is the same for the real and the fake of each index, as losses
      that compare the two may want it, or independent.
    critic_pass: a function of `ganjax.passes`, which the discriminator runs on
      reals and fakes by in its own updates. In the generator's they are always
      separate, for its gradient does not pass through the reals.
    reals: `(real, fake, key) -> Batch`, of two `Batch`es: what updates of the
      discriminator take for reals, such as `adaptive.pseudo(p)`; None: reals.
    penalties: as `regularizers`, of other names; they are no part of the
      players' values, but are the game's `penalties`.

  Raises:
    ValueError: when an unconditional game is given labels, or a conditional one
      is not; when traced, as `critic_pass` says; and if the draws of a joint
      pass are to be paired.
  """
  if paired_draws and critic_pass is passes.joint:
    raise ValueError(
      'paired_draws is True, but a joint pass draws for each example; set it '
      'to False, or choose the pass separate.'
    )
  regularizers = regularizers or Pair({}, {})

  def given(labels):
    """Returns labels as the last arguments of the players' functions."""
    if labels is None and fake_labels is not None:
      raise ValueError(
        'This game is conditional, but there are no labels; give it '
        'Batch(images, labels), and its samples their labels.'
      )
    if labels is not None and fake_labels is None:
      raise ValueError(
        f'This game is unconditional, but there are {len(labels)} labels; '
        'leave them out, or give `gan` fake_labels and conditional networks.'
      )
    return () if labels is None else (labels,)

  def drawn_labels(key, labels):
    own = given(labels)
    return fake_labels(jax.random.fold_in(key, _LABELS), *own) if own else None

  def init(key):
    latents_key, generator_key, discriminator_key = jax.random.split(key, 3)
    latents = prior(latents_key, _EXAMPLES)
    labels = () if fake_labels is None else (jnp.zeros(_EXAMPLES, jnp.int32),)
    params, network = generator.init(generator_key, latents, *labels)
    shared = latents_key, True, *labels
    styles, _ = generator.mapping(params, network, latents, *shared)
    images, _ = generator.synthesis(params, network, styles, *shared)
    networks = Pair(
      (params, network), discriminator.init(discriminator_key, images, *labels)
    )
    params = Pair(*(params for params, _ in networks))
    buffers = Pair(
      *(
        {
          'network': network,
          'memory': {name: term.init() for name, term in (own | more).items()},
        }
        for (_, network), own, more in zip(
          networks, regularizers, penalties or Pair({}, {}), strict=True
        )
      )
    )
    return params, buffers

  def generated(params, network, latents, key, labels):
    mapping_key, synthesis_key = jax.random.split(key)
    own = given(labels)
    styles, network = generator.mapping(
      params, network, latents, mapping_key, True, *own
    )
    images, network = generator.synthesis(
      params, network, styles, synthesis_key, True, *own
    )
    return Fake(latents, labels, styles, images, network)

  def objective(player, adversarial, terms):
    run = critic_pass if player == 'discriminator' else passes.separate

    def value(params, buffers, batch, key, fake=None):
      names = 'latents', 'generated', 'real', 'fake', *terms
      keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
      if paired_draws:
        keys['real'] = keys['fake']
      networks = Pair(*(buffer['network'] for buffer in buffers))
      if fake is None:
        fake = generated(
          params.generator,
          networks.generator,
          prior(keys['latents'], len(jax.tree.leaves(batch.images)[0])),
          keys['generated'],
          drawn_labels(keys['latents'], batch.labels),
        )
      real = batch._replace(images=discriminator.prepare_real(batch.images))
      if reals is not None and player == 'discriminator':
        own = jax.random.fold_in(key, _REALS)
        real = reals(real, Batch(fake.images, fake.labels), own)

      def critic(function, labels, key='fake'):
        return lambda images, buffers: function(
          params.discriminator, buffers, images, keys[key], True, *given(labels)
        )

      def bound(function, labels, key='fake'):
        run = critic(function, labels, key)
        return lambda images: run(images, critic_buffers)[0]

      def examined(read, labels, key='fake'):
        run = bound(discriminator.with_features, labels, key)
        return lambda images: read(run(images)[1])

      judge = discriminator.apply
      real_logits, fake_logits, critic_buffers, gradients = run(
        lambda batch, buffers, which: critic(judge, batch.labels, which)(
          batch.images, buffers
        ),
        networks.discriminator,
        real,
        Batch(fake.images, fake.labels),
      )

      mapping_key, synthesis_key = jax.random.split(keys['generated'])
      labels = given(fake.labels)

      def synthesis(styles):
        return generator.synthesis(
          params.generator, fake.buffers, styles, synthesis_key, True, *labels
        )[0]

      turn = Turn(
        real=real.images,
        fake=fake.images,
        labels=real.labels,
        fake_labels=fake.labels,
        real_logits=real_logits,
        fake_logits=fake_logits,
        gradients=gradients,
        latents=fake.latents,
        styles=fake.styles,
        critic=bound(judge, real.labels),
        fake_critic=bound(judge, fake.labels),
        features=examined(activations, real.labels),
        fake_features=examined(activations, fake.labels),
        heads=examined(head_outputs, real.labels, 'real'),
        fake_heads=examined(head_outputs, fake.labels),
        generate=lambda latents: synthesis(
          generator.mapping(
            params.generator, fake.buffers, latents, mapping_key, True, *labels
          )[0]
        ),
        synthesis=synthesis,
        key=key,
      )
      total = adversarial(real_logits, fake_logits).mean()
      metrics = {f'loss/{player}': total}
      if player == 'discriminator':
        metrics |= {
          'logits/real': real_logits.mean(),
          'logits/fake': fake_logits.mean(),
          # A logit of 0 is right by half; the mean sign is 2 accuracy - 1.
          'accuracy/real': jnp.heaviside(real_logits, 0.5).mean(),
          'accuracy/fake': jnp.heaviside(-fake_logits, 0.5).mean(),
        }
      before = getattr(buffers, player)['memory']
      memory = dict(before)
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

  def half(function):
    def run(params, buffers, inputs, key=None, train=False, labels=None):
      own = buffers.generator['network'], inputs, key, train, *given(labels)
      return function(params, *own)[0]

    return run

  mapping, synthesis = half(generator.mapping), half(generator.synthesis)

  def sample(params, buffers, latents, *rest, **named):
    styles = mapping(params, buffers, latents, *rest, **named)
    return synthesis(params, buffers, styles, *rest, **named)

  def fake(params, buffers, latents, key, labels=None):
    network = buffers.generator['network']
    return generated(params.generator, network, latents, key, labels)

  no_loss = [lambda real, fake: jnp.zeros(())] * 2
  return Game(
    init,
    *Pair(*map(objective, PLAYERS, loss, regularizers)),
    prior,
    sample,
    drawn_labels,
    fake,
    mapping,
    synthesis,
    penalties and Pair(*map(objective, PLAYERS, no_loss, penalties)),
  )
