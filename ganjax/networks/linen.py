"""A linen module as a `Generator` or a `Discriminator`."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.players import Discriminator, Generator

# A module class whose activations are computed again in the backward pass.
remat = nn.remat


def generator(module, mapping=lambda latents: latents):
  """The `Generator` of a module `(styles, train) -> images`.

  Args:
    module: a linen module, the synthesis.
    mapping: a function `latents -> styles` without parameters.
  """

  def init(key, latents):
    return _init(module)(key, mapping(latents))

  def mapped(params, buffers, latents, key, train):
    return mapping(latents), buffers

  return Generator(init, mapped, _apply(module))


def generator_of_two(mapping, synthesis):
  """The `Generator` of two modules, each with a part of params and buffers.

  Args:
    mapping: a linen module `(latents, train) -> styles`; its part is 'mapping'.
    synthesis: a linen module `(styles, train) -> images`; likewise.
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


def discriminator(module, prepare_real=lambda images: images):
  """The `Discriminator` of a module `(images, train) -> logits [N]`.

  Args:
    module: a linen module. Its features are what it sows as
      `self.sow('features', 'last', activations)`, flattened.
    prepare_real: how a real image is shown to it, `images -> images`.
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
