"""What is not finite in a state is named; what may be infinite is let be."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from ganjax.training import divergence


class State(NamedTuple):
  step: Any
  key: Any
  params: Any
  opt_state: Any


def state(weight=0.0, moment=0.0):
  params = {'a': jnp.zeros(3), 'b': jnp.array([1.0, weight])}
  moments = {'best': jnp.array(moment), 'count': jnp.int32(2)}
  return State(jnp.int32(7), jax.random.key(0), params, moments)


@pytest.mark.parametrize('value', [jnp.nan, jnp.inf, -jnp.inf])
def test_what_is_not_finite_is_named(value):
  with pytest.raises(
    FloatingPointError, match=r"After step 7, params\['b'\] b"
  ):
    divergence.check_state(state(value))


def test_optimisers_may_remember_infinity_but_nothing_undefined():
  divergence.check_state(state(1e38))
  divergence.check_state(state(moment=jnp.inf))
  with pytest.raises(FloatingPointError, match=r"opt_state\['best'\]"):
    divergence.check_state(state(moment=jnp.nan))
