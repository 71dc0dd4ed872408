"""A gap between logits that overflows the dtype is multiplied by a share of zero: nan for a finite smoothed loss."""
# mlx 0.32.4: wrong number, first seen 2026-11-28

import mlx.core as mx
from mlx import nn

logits, shares = mx.array([[-3e38, 3e38]]), mx.array([[0.0, 1.0]])
loss = nn.losses.cross_entropy(logits, shares, label_smoothing=0.5, reduction="sum")
print("loss:", loss.item(), "should be 1.5e+38")
# prints: loss: nan should be 1.5e+38
