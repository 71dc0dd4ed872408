"""In float64 the loss is as accurate as in float32: exponentials are those of float32."""
# mlx 0.32.4: lost accuracy, first seen 2026-11-28
# not listed: the adapter does not claim float64
# upstream: https://github.com/ml-explore/mlx/issues/3047

import mlx.core as mx
from mlx import nn

mx.set_default_device(mx.cpu)
loss = nn.losses.cross_entropy(mx.array([[0.0, -1.0]], mx.float64), mx.array([0]), reduction="sum")
print(f"loss: {loss.item():.9f} should be 0.313261688")
# prints: loss: 0.313261694 should be 0.313261688
