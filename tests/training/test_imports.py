"""The loop trains anything with phases, and needs no GAN to be imported."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_loop_loads_no_game_loss_or_network():
  done = subprocess.run(
    [
      sys.executable,
      '-c',
      'import sys, ganjax.training.loop\n'
      'print(*(name for name in sys.modules if name.startswith("ganjax.")))',
    ],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  loaded = {name.split('.')[1] for name in done.stdout.split()}
  assert {'training', 'data', 'parallel', 'pictures'} <= loaded
  gans = {'game', 'losses', 'regularizers', 'networks', 'steps', 'updates'}
  assert not loaded & (gans | {'remedies', 'priors', 'growth', 'config'})
