r"""The protocols of mode collapse, named and frozen.

  python -m experiments.mode_collapse --workdir runs/NAME \
    --config configs/mode_collapse.py:NAME

Each name is a function of `configs.protocols`, with its paper, what that leaves
open, and where each number is from; where the sources are silent the line says
so. A remedy is what it changes in the protocol, in one line.

A run is one seed of one remedy. From the time of a step, a plain one takes on
one core, where others compute as well (x86-64, 2 cores): `ring` 5 seconds,
`unrolled_ring` 2 minutes, `pacgan_ring` 2 hours, `wgan_gp_toys` 6 hours. In
`unrolled_ring`, 10 unrolled moves take 4 times as long, and minibatch
discrimination 7 times. Those of Stacked MNIST, but `stacked_mnist`, want an
accelerator. `--length=0.25` runs a quarter.
"""

from configs.protocols import bench, stacked, toys


def get_config(name='ring'):
  """The config of a protocol, locked."""
  if name not in PROTOCOLS:
    raise ValueError(
      f'There is no protocol {name!r}; choose from {", ".join(PROTOCOLS)}.'
    )
  config = PROTOCOLS[name]()
  config.protocol = name
  return config.lock()


PROTOCOLS = {
  protocol.__name__: protocol
  for protocol in (
    bench.ring,
    bench.grid,
    bench.spiral,
    stacked.stacked_mnist,
    toys.dirac,
    toys.pacgan_ring,
    toys.pacgan_grid,
    toys.unrolled_ring,
    toys.unrolled_ring_demo,
    toys.wgan_gp_toys,
    toys.wgan_gp_grid,
    toys.wgan_gp_spiral,
    stacked.stacked_mnist_unrolled_quarter,
    stacked.stacked_mnist_unrolled_half,
    stacked.stacked_mnist_pacgan,
    stacked.stacked_mnist_r3gan,
  )
}
