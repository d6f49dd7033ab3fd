"""Each thing is added in one place, and a config then finds it by its name."""

import contextlib
import functools
import sys
import types

import jax
import jax.numpy as jnp
import pytest

from configs import base
from ganjax import (
  augment,
  losses,
  networks,
  optimizers,
  priors,
  regularizers,
  steps,
)
from ganjax.arrays import Batch
from ganjax.config import games, runs
from ganjax.lookup import gather
from ganjax.players import Pair

SHAPE = (4, 4, 1)


@pytest.fixture
def config():
  config = base.get_config()
  config.network = 'mlp'
  config.generator = {'widths': (4,), 'norm': 'none'}
  config.discriminator = {'widths': (4,), 'statistics': base.statistics()}
  config.prior.size = 3
  config.batch_size = 4
  return config


def one_step(config):
  """Returns the state and the metrics after one step of a config."""
  [phase] = runs.phases(config, SHAPE)
  batch = Batch(jnp.linspace(-1, 1, 4 * 16).reshape(4, *SHAPE))
  return jax.jit(lambda: phase.step(runs.start(config, SHAPE)(), batch))()


def test_a_loss_is_one_pair_of_its_module(config, monkeypatch):
  mine = Pair(lambda real, fake: 7 + 0 * fake, lambda real, fake: fake - real)
  monkeypatch.setattr(losses, 'mine', mine, raising=False)
  config.loss = 'mine'
  _, metrics = one_step(config)
  assert metrics['loss/generator'] == 7
  config.loss = 'none_such'
  with pytest.raises(
    ValueError, match='choose from .*squares, mine, minimax, non_sat'
  ):
    one_step(config)


def test_a_regularizer_is_one_function_of_its_module(config, monkeypatch):
  def drift(critic, real, power):
    return critic(real) ** power

  monkeypatch.setattr(regularizers, 'drift', drift, raising=False)
  section = config.regularizers.discriminator
  section.drift = {'weight': 2.0, 'every': 1, 'power': 2}
  _, metrics = one_step(config)
  assert metrics['regularizer/drift'] > 0
  section.drift.force = 1
  with pytest.raises(ValueError, match='takes no force; it takes critic, real'):
    one_step(config)
  del section.drift
  section.drif = {'weight': 2.0, 'every': 1}
  with pytest.raises(ValueError, match="did you mean 'drift'"):
    one_step(config)


def test_a_prior_is_one_function_of_its_module(config, monkeypatch):
  def mine(size, value):
    return lambda key, number: jnp.full((number, size), value)

  monkeypatch.setattr(priors, 'mine', mine, raising=False)
  config.prior = {'name': 'mine', 'size': 3, 'value': 0.5}
  game = games.schedule(config, SHAPE)(0)
  assert (game.prior(jax.random.key(0), 5) == jnp.full((5, 3), 0.5)).all()
  config.prior.name = 'none_such'
  with pytest.raises(ValueError, match='choose from mine, normal, sphere'):
    games.schedule(config, SHAPE)


def test_an_optimizer_is_one_function_of_its_module(config, monkeypatch):
  def mine(learning_rate, b1, b2, eps, eps_root):
    return optimizers.sgd(0 * learning_rate, b1, b2)

  monkeypatch.setattr(optimizers, 'mine', mine, raising=False)
  config.optimizers.generator.name = 'mine'
  before = jax.jit(runs.start(config, SHAPE))().params
  after = one_step(config)[0].params
  close = functools.partial(jnp.allclose, atol=1e-6)
  same = [
    all(jax.tree.leaves(jax.tree.map(close, *pair)))
    for pair in zip(before, after, strict=True)
  ]
  assert same == [True, False]
  config.optimizers.generator.name = 'none_such'
  with pytest.raises(ValueError, match='choose from adam, mine, optimistic'):
    one_step(config)
  # Transforms of optimisers are no optimisers.
  config.optimizers.generator.name = 'lookahead'
  with pytest.raises(ValueError, match="no optimizer 'lookahead'"):
    one_step(config)


def test_an_update_rule_is_one_function_of_its_module(config, monkeypatch):
  def mine(game, optimizers, ema_decay, unroll):
    step = steps.simultaneous(game, optimizers, ema_decay, unroll)

    def twice(state, batch):
      return step(step(state, batch)[0], batch)

    return twice

  monkeypatch.setattr(steps, 'mine', mine, raising=False)
  config.update_rule = 'mine'
  assert one_step(config)[0].step == 2
  config.critic_steps = 2
  with pytest.raises(ValueError, match=r"'mine' takes no critic_steps \(2\)"):
    runs.phases(config, SHAPE)
  config.update_rule = 'none_such'
  with pytest.raises(
    ValueError, match='lazy_regularization, mine, simultaneous'
  ):
    runs.phases(config, SHAPE)


NETWORK = """
import jax.numpy as jnp

from ganjax.players import Discriminator, Generator, Pair


def build(config, shape, dtype):
  generator = Generator(
    init=lambda key, latents: (jnp.full(shape, config.generator.start), {}),
    mapping=lambda params, buffers, latents, key, train: (latents, buffers),
    synthesis=lambda params, buffers, styles, key, train: (
      params + 0 * styles.sum(1).reshape(-1, 1, 1, 1), buffers
    ),
  )
  discriminator = Discriminator(
    init=lambda key, images: (jnp.ones(()), {}),
    apply=lambda params, buffers, images, key, train: (
      params * images.sum((1, 2, 3)), buffers
    ),
  )
  return Pair(generator, discriminator)


NETWORKS = {'mine': build}
"""


@contextlib.contextmanager
def second_folder(package, folder, monkeypatch):
  """A second folder of a package, whose modules are forgotten afterwards."""
  monkeypatch.setattr(package, '__path__', [*package.__path__, str(folder)])
  yield folder
  for path in folder.glob('*.py'):
    sys.modules.pop(f'{package.__name__}.{path.stem}', None)
    vars(package).pop(path.stem, None)


@pytest.fixture
def own_networks(tmp_path, monkeypatch):
  with second_folder(networks, tmp_path, monkeypatch) as folder:
    yield folder


@pytest.fixture
def own_augmentations(tmp_path, monkeypatch):
  with second_folder(augment, tmp_path, monkeypatch) as folder:
    yield folder


def test_a_network_is_one_file_of_its_package(config, own_networks):
  (own_networks / 'my_file.py').write_text(NETWORK)
  config.network = 'mine'
  config.generator = {'start': 0.25}
  state, _ = one_step(config)
  assert state.params.generator.shape == SHAPE
  assert runs.start(config, SHAPE)().params.generator[0, 0, 0] == 0.25
  config.network = 'mini'
  with pytest.raises(ValueError) as error:
    one_step(config)
  assert "no network 'mini'; did you mean 'mine'?" in str(error.value)
  assert 'choose from dcgan, mine, mlp, msg,' in str(error.value)


AUGMENTATION = """
def negated(policy='all'):
  return lambda images, key, p: images * (1 - 2 * p)


AUGMENTATIONS = {'mine': negated}
"""


def test_an_augmentation_is_one_file_of_its_package(config, own_augmentations):
  (own_augmentations / 'my_file.py').write_text(AUGMENTATION)
  plain = one_step(config)[1]['logits/real']
  config.augment.update(name='mine', p=0.0)
  assert one_step(config)[1]['logits/real'] == plain
  config.augment.p = 1.0
  assert one_step(config)[1]['logits/real'] != plain
  # Without a p, it is adapted to overfitting.
  config.augment.p = None
  assert one_step(config)[1]['augment/p'] == 0
  config.augment.name = 'min'
  with pytest.raises(ValueError) as error:
    one_step(config)
  assert "no augmentation 'min'; did you mean 'mine'?" in str(error.value)
  assert 'choose from ada, diffaugment, mine, none' in str(error.value)


def test_a_name_that_two_files_define_is_refused(own_networks):
  (own_networks / 'my_file.py').write_text("NETWORKS = {'dcgan': None}")
  with pytest.raises(ValueError, match=r"\.dcgan and of .*my_file .* 'dcgan'"):
    gather(networks, 'NETWORKS')


def test_modules_without_the_attribute_are_left_out():
  package = types.SimpleNamespace(
    __name__='ganjax.networks', __path__=networks.__path__
  )
  assert gather(package, 'NOTHING') == {}
