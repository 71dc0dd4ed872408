"""The softmax of bfloat16 or float16 logits adds in their dtype: the sum stops growing, and rows add up to 16."""
# mlx 0.32.4: wrong number, first seen 2026-11-28

import mlx.core as mx

for dtype in (mx.bfloat16, mx.float16):
    shares = mx.softmax(mx.zeros((1, 4096), dtype=dtype), axis=1)
    print(dtype, "row sum:", shares.astype(mx.float32).sum().item(), "should be 1")
# prints: mlx.core.bfloat16 row sum: 16.0 should be 1
# prints: mlx.core.float16 row sum: 2.0 should be 1
