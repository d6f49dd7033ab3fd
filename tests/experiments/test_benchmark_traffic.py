"""The bytes that a compiled program moves."""

from experiments.benchmark.accelerator import traffic

# A fusion that reads 2x3 float32 and 3 bfloat16 numbers and writes 2x3 of the
# first; a product of it; and a copy in the branch of a condition.
PROGRAM = """HloModule step, is_scheduled=true

%fused_add (param_0: f32[2,3], param_1: bf16[3]) -> f32[2,3] {
  %param_0 = f32[2,3]{1,0} parameter(0)
  %param_1 = bf16[3]{0} parameter(1)
  %convert.1 = f32[3]{0} convert(%param_1)
  %broadcast.1 = f32[2,3]{1,0} broadcast(%convert.1), dimensions={1}
  ROOT %add.1 = f32[2,3]{1,0} add(%param_0, %broadcast.1)
}

%branch (given: pred[5]) -> pred[5] {
  %given = pred[5]{0} parameter(0)
  ROOT %copy.1 = pred[5]{0} copy(%given)
}

ENTRY %main (x: f32[2,3], b: bf16[3], p: pred[5], i: s32[]) -> pred[5] {
  %x = f32[2,3]{1,0} parameter(0), sharding={replicated}
  %b = bf16[3]{0} parameter(1)
  %p = pred[5]{0} parameter(2)
  %i = s32[] parameter(3)
  %fusion.1 = f32[2,3]{1,0} fusion(%x, %b), kind=kLoop, calls=%fused_add
  %gemm = (f32[2,2]{1,0}, s8[64]{0}) custom-call(%fusion.1, %x), metadata={}
  %one = f32[2,2]{1,0} get-tuple-element(%gemm), index=0
  ROOT %out = pred[5]{0} conditional(%i, %p), branch_computations={%branch}
}
"""


def test_traffic_is_what_kernels_read_and_write():
  fusion = 24 + 24 + 6
  product = 24 + 24 + 16 + 64
  copy = 5 + 5
  assert traffic.of(PROGRAM) == fusion + product + copy
