"""Convolutions in groups against XLA's, with its derivatives."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmark.accelerator import convolutions
from ganjax.networks import grouped


@pytest.fixture(autouse=True)
def x64():
  with jax.enable_x64(True):
    yield


def drawn(groups, channels=20, features=40):
  shapes = (2, 5, 4, channels), (3, 3, channels // groups, features)
  keys = jax.random.split(jax.random.key(0))
  return tuple(map(jax.random.normal, keys, shapes))


def penalty(function, kernel, images):
  """R1 of a critic with one layer."""

  def total(images):
    return jnp.tanh(function(images, kernel)).sum()

  return (jax.grad(total)(images) ** 2).sum()


@pytest.mark.parametrize('groups', [1, 4, 20])
def test_it_is_the_grouped_convolution_with_its_derivatives(groups):
  images, kernel = drawn(groups)
  of_lax = functools.partial(convolutions.of_lax, groups=groups)
  np.testing.assert_allclose(
    grouped.convolution(images, kernel), of_lax(images, kernel), rtol=1e-10
  )
  found, expected = (
    jax.jit(jax.grad(functools.partial(penalty, function), argnums=(0, 1)))(
      kernel, images
    )
    for function in (grouped.convolution, of_lax)
  )
  for own, other in zip(found, expected, strict=True):
    np.testing.assert_allclose(own, other, rtol=1e-8)


@pytest.mark.parametrize('blocks', [1, 2, 4])
def test_blocks_of_groups_compute_what_the_groups_do(blocks):
  images, kernel = drawn(4)
  expected = convolutions.of_lax(images, kernel, 4)
  for found in (
    grouped.convolution_by_blocks(4, blocks, images, kernel),
    grouped.convolution_by_products(4, images, kernel),
  ):
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
  features = jnp.cos(expected)
  [expected] = jax.linear_transpose(
    lambda kernel: convolutions.of_lax(images, kernel, 4), kernel
  )(features)
  for found in (
    grouped.correlation_by_blocks(4, 3, blocks, images, features),
    grouped.correlation_by_products(4, 3, images, features),
  ):
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def _convolutions(text):
  """Returns how many convolutions a program of StableHLO comes to."""
  functions = dict(re.findall(r'func\.func \w+ @(\w+)(.*?)\n  }', text, re.S))

  def within(name):
    own = functions[name].count('stablehlo.convolution')
    called = re.findall(r'call @(\w+)', functions[name])
    return own + sum(map(within, called))

  return within('main')


@pytest.mark.parametrize(
  ('groups', 'width', 'blocks'),
  [(96, 16, 12), (48, 16, 6), (6, 16, 1), (4, 96, 4), (7, 64, 7), (2, 256, 2)],
)
def test_on_an_accelerator_blocks_have_128_channels_at_most(
  groups, width, blocks
):
  channels = groups * width
  shapes = (1, 4, 4, channels), (3, 3, width, channels)
  images, kernel = (jax.ShapeDtypeStruct(s, jnp.bfloat16) for s in shapes)
  traced = jax.jit(grouped.convolution).trace(images, kernel)
  for platform in 'cuda', 'rocm', 'tpu':
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert _convolutions(text) == blocks
    assert 'feature_group_count = 1' in text
