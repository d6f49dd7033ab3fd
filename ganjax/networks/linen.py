"""Linen modules as a `Generator` or a `Discriminator`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.players import Discriminator, Generator

# Transforms of module classes that a config can choose: True computes the
# activations of a module again in the backward pass, instead of storing them.
REMATS = {False: lambda module: module, True: nn.remat}


def generator(
  module: nn.Module, mapping: Callable = lambda latents: latents
) -> Generator:
  """Returns the `Generator` of a module `(styles, train) -> images`.

  In a conditional game the module is called as `(styles, labels, train)`, and
  has a use for the labels, int32 `[N]`.

  Args:
    module: a linen module, the synthesis.
    mapping: a function `latents -> styles` without parameters.
  """

  def init(key, latents, *labels):
    return _init(module)(key, mapping(latents), *labels)

  def mapped(params, buffers, latents, key, train, *labels):
    return mapping(latents), buffers

  return Generator(init, mapped, _apply(module))


def generator_of_two(mapping: nn.Module, synthesis: nn.Module) -> Generator:
  """Returns the `Generator` of two modules.

  Its parameters and buffers are dicts with the keys 'mapping' and 'synthesis'.

  Args:
    mapping: a linen module `(latents, train) -> styles`, which is called as
      `(latents, labels, train)` in a conditional game.
    synthesis: a linen module `(styles, train) -> images`.
  """
  modules = {'mapping': mapping, 'synthesis': synthesis}

  def init(key, latents, *labels):
    params, buffers, inputs = {}, {}, (latents, *labels)
    keys = jax.random.split(key)
    for name, key in zip(modules, keys, strict=True):
      params[name], buffers[name] = _init(modules[name])(key, *inputs)
      outputs, _ = part(name, params, buffers, key, True, *inputs)
      inputs = (outputs,)
    return params, buffers

  def part(name, params, buffers, key, train, *inputs):
    outputs, changed = _apply(modules[name])(
      params[name], buffers[name], inputs[0], key, train, *inputs[1:]
    )
    return outputs, {**buffers, name: changed}

  def mapped(params, buffers, latents, key, train, *labels):
    return part('mapping', params, buffers, key, train, latents, *labels)

  def synthesized(params, buffers, styles, key, train, *labels):
    return part('synthesis', params, buffers, key, train, styles)

  return Generator(init, mapped, synthesized)


def discriminator(
  module: nn.Module, prepare_real: Callable = lambda images: images
) -> Discriminator:
  """Returns the `Discriminator` of a module `(images, train) -> logits [N]`.

  Args:
    module: a linen module. Its features are the activations that it sows by
      `self.sow('features', 'last', activations)`, flattened.
    prepare_real: images -> images: turns reals into what the module takes.
  """
  return Discriminator(
    _init(module), _apply(module), prepare_real, _with_features(module)
  )


def _init(module):
  def init(key, *inputs):
    buffers = module.init(key, *inputs, train=True)
    params = buffers.pop('params')
    buffers.pop('features', None)
    return params, buffers

  return init


def _apply(module):
  def apply(params, buffers, inputs, key, train, *labels):
    outputs, changed = module.apply(
      {'params': params, **buffers},
      inputs,
      *labels,
      train=train,
      rngs=_rngs(key),
      mutable=list(buffers) if train else [],
    )
    return outputs, {**buffers, **changed}

  return apply


def _with_features(module):
  def with_features(params, buffers, images, key, train, *labels):
    logits, changed = module.apply(
      {'params': params, **buffers},
      images,
      *labels,
      train=train,
      rngs=_rngs(key),
      mutable=[*(buffers if train else ()), 'features'],
    )
    if 'features' not in changed:
      raise ValueError(
        f'{type(module).__name__} sows no features, which feature matching '
        'compares and classes are projected on; before its last layer, call '
        "self.sow('features', 'last', activations)."
      )
    (activations,) = changed.pop('features')['last']
    features = activations.reshape(len(activations), -1).astype(jnp.float32)
    return (logits, features), {**buffers, **changed}

  return with_features


def _rngs(key):
  return {} if key is None else {'noise': key}
