"""A smoothed loss of distributions is nan where a class of -inf makes it infinite: -inf is multiplied by zero first."""
# mlx 0.32.4: wrong number, first seen 2026-11-28

import mlx.core as mx
from mlx import nn

logits = mx.array([[0.0, -mx.inf]])
for target in (mx.array([[1.0, 0.0]]), mx.array([0])):
    print(nn.losses.cross_entropy(logits, target, label_smoothing=0.5, reduction="sum").item(), "should be inf")
# prints: nan should be inf
# prints: inf should be inf
