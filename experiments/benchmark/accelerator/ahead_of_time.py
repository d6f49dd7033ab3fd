r"""Compiles a training step for an NVIDIA H100, which need not be there.

  export JAX_SKIP_CUDA_CONSTRAINTS_CHECK=1
  export XLA_FLAGS='--xla_gpu_autotune_level=0'
  XLA_FLAGS+=' --xla_gpu_enable_triton_gemm=false'
  python -m experiments.benchmark.accelerator.ahead_of_time \
    --config configs/stylegan2.py:auto32 --config.dtype=bfloat16

needs CUDA's libraries (`pip install 'jax[cuda12]'`) and no GPU. It prints the
processor's seconds of tracing and of compiling, the memory that the step needs
beside its arguments, and what its kernels read and write. XLA cannot try
kernels on a GPU that is not there, so that it chooses them by rules.
"""

import time

import jax
from jax.experimental import topologies

from experiments.benchmark import configured
from experiments.benchmark.accelerator import traffic
from ganjax import launch
from ganjax.config import flag, games

_CONFIG = flag.define('configs/stylegan2.py:auto32', 'The config of the step.')

# As XLA describes an H100, in the text format of its `GpuTargetConfigProto`.
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 84929347584
  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
runtime_version { major: 12 minor: 9 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


def main():
  """Compiles the step, and prints what is known of it."""
  config = _CONFIG.value
  shape = (config.data.resolution,) * 2 + (config.data.channels or 3,)
  try:
    device = topologies.get_topology_desc(
      platform='cuda', topology='1x1x1', target_config=H100
    )
  except NotImplementedError as error:
    raise ValueError(
      f"jax cannot compile for CUDA here ({error}); pip install 'jax[cuda12]', "
      'and set JAX_SKIP_CUDA_CONSTRAINTS_CHECK=1 where there is no GPU.'
    ) from error
  place = jax.sharding.NamedSharding(
    topologies.make_mesh(device, (1,), ('data',)), jax.sharding.PartitionSpec()
  )
  state = jax.eval_shape(lambda: configured.initial(config, shape))
  given = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
    (state, configured.batch(config, shape)),
  )
  times = [time.process_time()]
  step = games.update_step(config, games.schedule(config, shape))
  lowered = jax.jit(step).lower(*given)
  times.append(time.process_time())
  program = lowered.compile()
  times.append(time.process_time())
  print(
    f'traced in {times[1] - times[0]:.0f} s, compiled in '
    f'{times[2] - times[1]:.0f} s; '
    f'{program.memory_analysis().temp_size_in_bytes / 1e9:.1f} GB beside the '
    f'arguments; {traffic.of(program.as_text()) / 1e9:.0f} GB read and written'
  )
  return 0


if __name__ == '__main__':
  launch.run(main)
