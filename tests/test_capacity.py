import jax
import jax.numpy as jnp
import pytest

from ganjax import capacity


def test_what_does_not_fit_is_said_in_gibibytes(monkeypatch):
  monkeypatch.setattr(capacity, 'available', lambda: 2 * 2**30)
  capacity.check({'a': 2**30, 'b': 2**30}, 'take less')
  with pytest.raises(ValueError) as error:
    capacity.check({'images': 2**30, 'networks': 1.5 * 2**30}, 'take less')
  assert str(error.value) == (
    'At least 2.5 GiB of memory are needed (1.0 GiB for images, 1.5 GiB for '
    'networks), and there are 2.0 GiB; take less.'
  )


def test_bytes_are_those_of_arrays_and_shapes_and_not_of_keys():
  tree = {
    'a': jnp.zeros((3, 5)),
    'b': jax.ShapeDtypeStruct((2**20, 2**20, 2**20), jnp.bfloat16),
    'key': jax.random.key(0),
  }
  assert capacity.size(tree) == 60 + 2**61
  assert capacity.available() > 2**20
