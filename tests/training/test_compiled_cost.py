"""What compiled programs need, against counts by hand."""

import jax
import jax.numpy as jnp
import pytest

from ganjax import capacity
from ganjax.training import compiled_cost


def product(rows, donate=False):
  """A compiled product of `[rows, 64]` and `[64, 32]`, of float32."""
  function = jax.jit(
    lambda left, right: (left @ right, left + 1),
    donate_argnums=(0,) if donate else (),
  )
  shapes = [jnp.zeros((rows, 64)), jnp.zeros((64, 32))]
  return function.lower(*shapes).compile()


def test_operations_and_bytes_are_those_of_a_product():
  cost = compiled_cost.of(product(100))
  # A multiplication and an addition for each, and the sums.
  assert cost.flops == pytest.approx(2 * 100 * 64 * 32 + 100 * 64, rel=0.01)
  assert cost.arguments == 4 * (100 * 64 + 64 * 32)
  # Two results, and their table of two pointers.
  assert cost.outputs == pytest.approx(4 * (100 * 32 + 100 * 64), abs=64)
  assert cost.bytes == cost.arguments + cost.temporaries + cost.outputs
  # What takes the place of an argument needs no memory of its own.
  donated = compiled_cost.of(product(100, donate=True))
  assert donated.outputs == pytest.approx(4 * 100 * 32, abs=64)


def test_the_operations_of_several_steps_are_those_of_one():
  def steps(number):
    def run(x):
      return jax.lax.scan(lambda x, _: (x @ x, None), x, length=number)[0]

    return compiled_cost.of(jax.jit(run).lower(jnp.eye(50)).compile())

  assert steps(2).flops == pytest.approx(steps(40).flops, rel=0.01)
  assert steps(2).flops == pytest.approx(2 * 50**3, rel=0.01)


def test_words_name_both():
  cost = compiled_cost.CompiledCost(2.0e9, 2**30, 2**29, 0)
  assert compiled_cost.in_words(cost) == (
    '2 GFLOP a step, and about 1.50 GiB of memory'
  )
  unknown = cost._replace(flops=0.0)
  assert compiled_cost.in_words(unknown) == 'about 1.50 GiB of memory'


def test_the_largest_program_is_noted_and_compared():
  said, notes = [], []
  with compiled_cost.watched('', said.append, notes.append) as expect:
    for rows in 100, 1000, 10:
      expect(product(rows))
  estimates = [own['memory']['estimate']['bytes'] for own in notes]
  assert estimates[0] < estimates[1] == estimates[2]
  assert 'peak' not in notes[0]['memory']
  peak = notes[-1]['memory']['peak']
  assert peak['of'] == 'main memory' and peak['bytes'] > 2**25
  [sentence] = said
  assert sentence.startswith('Of memory 0.00 GiB were expected for a step, and')
  assert 'of main memory were held at most, with Python and its' in sentence


@pytest.mark.parametrize(
  'error', [MemoryError(), RuntimeError('RESOURCE_EXHAUSTED: Out of memory')]
)
def test_a_full_memory_names_what_was_expected_and_what_to_change(
  monkeypatch, error
):
  monkeypatch.setattr(capacity, 'available', lambda: 2**20)
  said, advice = [], 'choose a batch_size below 64'
  with (
    pytest.raises(MemoryError, match='about 0.01 GiB, 0.00 GiB of it for act'),
    compiled_cost.watched(advice, said.append) as expect,
  ):
    expect(product(20_000))
    raise error
  # It was said before.
  [warning] = said
  assert warning.startswith('Warning: a step needs about 0.01 GiB')
  assert warning.endswith('there are 0.00 GiB; choose a batch_size below 64.')


def test_other_errors_and_those_before_any_program_stay_as_they_are():
  for error in ValueError('x'), MemoryError('y'):
    with (
      pytest.raises(type(error), match=str(error)),
      compiled_cost.watched('', lambda sentence: None),
    ):
      raise error
