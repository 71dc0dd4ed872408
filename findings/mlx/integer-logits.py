"""Logits that are integers are accepted: their exponentials are float32."""
# mlx 0.32.4: wrong acceptance, first seen 2026-11-28

import mlx.core as mx
from mlx import nn

loss = nn.losses.cross_entropy(mx.array([[3, 0]], mx.int8), mx.array([0]), reduction="sum")
print("loss:", round(loss.item(), 5), "should be an error")
# prints: loss: 0.04859 should be an error
