"""The stepper of pictures, networks and latents, which inverts a generator."""

import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.networks import mlp
from ganjax.style import encoders, objective, pretrained

PAGE = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'style.md'


def linear():
  """Returns an encoder of one layer, whose features are sums of colours."""

  def apply(params, pictures, layers):
    return dict.fromkeys(layers, pictures @ params)

  mixed = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
  return encoders.Encoder(
    'linear', mixed, apply, ('one',), ('one',), ('one',), 1
  )


def test_latents_are_recovered_from_the_features_of_an_image(monkeypatch):
  generator = mlp.generator((8, 8, 3), (32,))
  wanted = jax.random.normal(jax.random.key(0), (2, 4))
  params, buffers = generator.init(jax.random.key(0), wanted)

  def render(latents):
    images, _ = generator.synthesis(params, buffers, latents, None, False)
    return (images + 1) / 2

  # The snippet of the page does the rest.
  monkeypatch.setattr(pretrained, 'choose', lambda: (linear(), ''))
  names = {
    'jax': jax,
    'render': render,
    'pictures': render(wanted),
    'latents': wanted[::-1],
  }
  [snippet] = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
  exec(compile(snippet, PAGE.name, 'exec'), names)
  state, encoder = names['state'], names['encoder']
  first = objective.losses(
    encoder,
    names['terms'],
    encoder.params,
    render(wanted[::-1]),
    names['targets'],
  )
  # Each image has latents, and a loss, of its own.
  assert names['losses']['loss'].shape == (2,)
  assert jnp.all(names['losses']['loss'] < 0.01 * first['content'])
  np.testing.assert_allclose(state.params, wanted, atol=0.1)
  np.testing.assert_array_equal(names['best'], state.params)
  assert state.step == 200
