"""A ``label_smoothing`` that is nan is accepted and means none: it is neither below 0 nor at least 1."""
# mlx 0.32.4: wrong acceptance, first seen 2026-11-28

import mlx.core as mx
from mlx import nn

loss = nn.losses.cross_entropy(mx.zeros((1, 2)), mx.array([0]), label_smoothing=float("nan"), reduction="sum")
print("loss:", round(loss.item(), 5), "should be an error")
# prints: loss: 0.69315 should be an error
