"""Style transfer is a package of its own, which needs no GAN."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Convolutions that XLA runs fast, shared with the GANs' networks.
SHARED = {
  'ganjax.networks',
  'ganjax.networks.convolution',
  'ganjax.networks.layers',
  'ganjax.networks.resample',
  'ganjax.networks.winograd',
  'ganjax.training',
  'ganjax.training.compilation',
}
# Rooms without knowledge of GANs: files, tables of names, pictures, measures.
NEUTRAL = (
  'style',
  'weights',
  'metrics',
  'arrays',
  'files',
  'lookup',
  'pictures',
)


def test_style_transfer_loads_no_gan_module():
  script = """
import importlib, pkgutil, sys
import ganjax.style
for found in pkgutil.iter_modules(ganjax.style.__path__):
  importlib.import_module(f'ganjax.style.{found.name}')
print(*(name for name in sys.modules if name.split('.')[0] == 'ganjax'))
"""
  done = subprocess.run(
    [sys.executable, '-c', script],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  loaded = set(done.stdout.split())
  assert {
    'ganjax.style.transfer',
    'ganjax.style.image_transformation',
  } <= loaded
  others = {
    name
    for name in loaded - {'ganjax'} - SHARED
    if name.split('.')[1] not in NEUTRAL
  }
  assert not others
