import importlib.metadata
import json
import os
import pathlib
import runpy
import signal
import sys
import tempfile

import pytest
from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parents[1]


def pytest_configure(config):
  """Caches of their own: a test leaves nothing in the user's."""
  # A shell that starts tests in the background has them ignore Ctrl-C, and
  # nohup has them ignore SIGHUP.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  signal.signal(signal.SIGHUP, signal.SIG_DFL)
  if hasattr(config, 'workerinput'):  # of xdist, which shares its parent's
    return
  folder = tempfile.TemporaryDirectory(prefix='ganjax-')
  config.add_cleanup(folder.cleanup)
  os.environ['XDG_CACHE_HOME'] = folder.name
  os.environ['JAX_COMPILATION_CACHE_DIR'] = f'{folder.name}/ganjax/xla'
  # Tests compile much and compute little. Without its emitters of fusions XLA
  # compiles for a CPU twice as fast, but then joins products and sums as it
  # pleases, which AVX cannot: programs of other lengths would round otherwise.
  # It also gets jax.hessian of a table's rows wrong, where jacrev of grad is
  # right. `make slow` goes with the emitters, as users do. XLA aborts at a flag
  # that it does not know.
  quick = ['--xla_backend_optimization_level=0']
  if importlib.metadata.version('jaxlib').startswith('0.10.'):
    quick += ['--xla_cpu_use_fusion_emitters=false', '--xla_cpu_max_isa=AVX']
  os.environ.setdefault('XLA_FLAGS', ' '.join(quick))


@pytest.fixture
def program(monkeypatch, capfd):
  """`(name, *flags) -> code, out, err` of a program, run in this process."""
  # The flags of `launch` and of libraries stay, others go.
  import grain  # noqa: F401
  import jax
  from array_record.python import array_record_data_source  # noqa: F401

  from ganjax import exits, launch  # noqa: F401

  monkeypatch.setattr(exits, 'leave', sys.exit)

  app.define_help_flags()
  common = set(flags.FLAGS)

  def run(name, *arguments):
    # A sweep that came first would begin a device for each core, and whatever
    # followed would be compiled once for each of them.
    jax.devices()
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    capfd.readouterr()
    try:
      with pytest.raises(SystemExit) as end:
        runpy.run_module(f'experiments.{name}', run_name='__main__')
    finally:
      for flag in set(flags.FLAGS) - common:
        delattr(flags.FLAGS, flag)
      flags.FLAGS.unparse_flags()
    return end.value.code, *capfd.readouterr()

  return run


@pytest.fixture
def measured(tmp_path):
  """The folder of a program in `tmp_path`, a protocol, without its arrays.

  It has measured one seed of the remedy r1 once.
  """
  place = tmp_path / 'programs' / 'one'
  place.mkdir(parents=True)
  row = {'setting': 0, 'seed': 0, 'program': 'one', 'evaluation': 1, 'of': 1}
  row |= {'step': 4, 'number': 8, 'seconds': 1.0}
  (place / 'evaluation.json').write_text(json.dumps({'measures': [row]}))
  (tmp_path / 'sweep.json').write_text(
    json.dumps({'settings': [{'remedy': 'r1'}]})
  )
  return place


@pytest.fixture
def tiny():
  """`(config, **changes) -> config`, small enough to train in a second."""

  def shrink(config, changes=()):
    for network in config.generator, config.discriminator:
      if 'width' in network:
        network.width = 4
      if 'base' in network:
        network.update(base=32, max_channels=8)
      if 'widths' in network:
        network.widths = (8,) * len(network.widths)
    config.data.resolution = 16
    config.batch_size = 8
    config.update_from_flattened_dict(dict(changes))
    return config

  return shrink
