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

  Args:
    module: a linen module, the synthesis.
    mapping: a function `latents -> styles` without parameters.
  """

  def init(key, latents):
    return _init(module)(key, mapping(latents))

  def mapped(params, buffers, latents, key, train):
    return mapping(latents), buffers

  return Generator(init, mapped, _apply(module))


def generator_of_two(mapping: nn.Module, synthesis: nn.Module) -> Generator:
  """Returns the `Generator` of two modules.

  Its parameters and buffers are dicts with the keys 'mapping' and 'synthesis'.

  Args:
    mapping: a linen module `(latents, train) -> styles`.
    synthesis: a linen module `(styles, train) -> images`.
  """
  modules = {'mapping': mapping, 'synthesis': synthesis}

  def init(key, latents):
    params, buffers, inputs = {}, {}, latents
    keys = jax.random.split(key)
    for name, key in zip(modules, keys, strict=True):
      params[name], buffers[name] = _init(modules[name])(key, inputs)
      inputs, _ = part(name)(params, buffers, inputs, key, True)
    return params, buffers

  def part(name):
    def apply(params, buffers, inputs, key, train):
      outputs, changed = _apply(modules[name])(
        params[name], buffers[name], inputs, key, train
      )
      return outputs, {**buffers, name: changed}

    return apply

  return Generator(init, *map(part, modules))


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
    _init(module), _apply(module), prepare_real, _features(module)
  )


def _init(module):
  def init(key, examples):
    buffers = module.init(key, examples, train=True)
    params = buffers.pop('params')
    buffers.pop('features', None)
    return params, buffers

  return init


def _apply(module):
  def apply(params, buffers, inputs, key, train):
    outputs, changed = _run(
      module,
      params,
      buffers,
      inputs,
      key,
      train,
      mutable=list(buffers) if train else [],
    )
    return outputs, {**buffers, **changed}

  return apply


def _features(module):
  def features(params, buffers, images, key, train):
    _, sown = _run(
      module,
      params,
      buffers,
      images,
      key,
      train,
      mutable=[*buffers, 'features'],
    )
    if 'features' not in sown:
      raise ValueError(
        f'{type(module).__name__} sows no features, which feature matching '
        "compares; before its last layer, call self.sow('features', 'last', "
        'activations).'
      )
    (activations,) = sown['features']['last']
    return activations.reshape(len(activations), -1).astype(jnp.float32)

  return features


def _run(module, params, buffers, inputs, key, train, mutable):
  return module.apply(
    {'params': params, **buffers},
    inputs,
    train=train,
    rngs={} if key is None else {'noise': key},
    mutable=mutable,
  )
