"""The loss of a batch without rows is an error: ``logsumexp`` refuses empty arrays."""
# mlx 0.32.4: crash, first seen 2026-11-28

import mlx.core as mx
from mlx import nn

try:
    loss = nn.losses.cross_entropy(mx.zeros((0, 3)), mx.zeros(0, mx.int32), reduction="sum")
    print("loss:", loss.item())
except ValueError as error:
    print(error, "should be a loss of 0")
# prints: [logsumexp] Received empty array. should be a loss of 0
