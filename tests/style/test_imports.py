"""Style transfer is a package of its own, which needs no GAN."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Rooms that know nothing of GANs.
NEUTRAL = {
  'arrays',
  'capacity',
  'exits',
  'files',
  'launch',
  'limits',
  'lookup',
  'metrics',
  'npz',
  'paths',
  'picture_files',
  'pictures',
  'style',
  'weights',
}
# Convolutions that XLA runs fast, what surrounds any training, and what any
# config is checked by.
SHARED = {
  'ganjax.config',
  'ganjax.config.flag',
  'ganjax.config.purpose',
  'ganjax.config.ranges',
  'ganjax.networks',
  'ganjax.networks.convolution',
  'ganjax.networks.cpu_convolution',
  'ganjax.networks.layers',
  'ganjax.networks.patches',
  'ganjax.networks.resample',
  'ganjax.networks.winograd',
  'ganjax.training',
  'ganjax.training.compilation',
  'ganjax.training.provenance',
  'ganjax.training.signals',
}
SCRIPTS = {
  'package': """
import importlib, pkgutil, ganjax.style
for found in pkgutil.iter_modules(ganjax.style.__path__):
  importlib.import_module(f'ganjax.style.{found.name}')
""",
  'program': 'import experiments.style_transfer',
}


@pytest.mark.parametrize('script', SCRIPTS.values(), ids=SCRIPTS)
def test_style_transfer_loads_no_gan_module(script):
  done = subprocess.run(
    [sys.executable, '-c', f'{script}\nimport sys; print(*sys.modules)'],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  loaded = {n for n in done.stdout.split() if n.startswith('ganjax.')}
  assert 'ganjax.style.transfer' in loaded
  others = {
    name for name in loaded - SHARED if name.split('.')[1] not in NEUTRAL
  }
  assert not others
