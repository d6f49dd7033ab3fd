"""A linen module as a `Generator` or a `Discriminator`."""

import jax.numpy as jnp

from ganjax.players import Discriminator, Generator


def generator(module):
  """The `Generator` of a module `(latents, train) -> images`; no mapping."""
  return Generator(
    init=_init(module),
    mapping=lambda params, buffers, latents, key, train: (latents, buffers),
    synthesis=_apply(module),
  )


def discriminator(module, view=lambda images: images):
  """The `Discriminator` of a module `(images, train) -> logits [N]`.

  Args:
    module: a linen module. Its features are what it sows as
      `self.sow('features', 'last', activations)`, flattened.
    view: how a real image is shown to it, `images -> images`.
  """
  return Discriminator(_init(module), _apply(module), view, _features(module))


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
