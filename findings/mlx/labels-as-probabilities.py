"""Integer labels in the shape of the logits are taken for probabilities."""
# mlx 0.32.4: wrong acceptance, first seen 2026-11-28

import mlx.core as mx
from mlx import nn

loss = nn.losses.cross_entropy(mx.array([[1.0, 2.0]]), mx.array([[1, 2]]))
print("loss:", [round(value, 5) for value in loss.tolist()], "should be an error")
# prints: loss: [1.31326] should be an error
