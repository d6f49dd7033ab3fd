"""A linen module as a `Generator` or a `Discriminator`."""

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
    module: a linen module.
    view: how a real image is shown to it, `images -> images`.
  """
  return Discriminator(_init(module), _apply(module), view)


def _init(module):
  def init(key, examples):
    buffers = module.init(key, examples, train=True)
    params = buffers.pop('params')
    return params, buffers

  return init


def _apply(module):
  def apply(params, buffers, inputs, key, train):
    outputs, changed = module.apply(
      {'params': params, **buffers},
      inputs,
      train=train,
      rngs={} if key is None else {'noise': key},
      mutable=list(buffers) if train else [],
    )
    return outputs, {**buffers, **changed}

  return apply
