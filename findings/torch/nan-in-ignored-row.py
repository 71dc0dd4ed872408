"""The gradient of a row that is ignored is nan where its logits are: backward multiplies its softmax by zero."""
# torch 2.13.0: wrong gradient, first seen 2026-11-23

import torch
from torch.nn import functional as F

x = torch.tensor([[float("nan"), 0.0], [1.0, 0.0]], requires_grad=True)
F.cross_entropy(x, torch.tensor([-100, 0]), reduction="sum").backward()
print("gradient of the ignored row:", x.grad[0].tolist(), "should be [0.0, 0.0]")
# prints: gradient of the ignored row: [nan, nan] should be [0.0, 0.0]
