"""``label_smoothing=1`` multiplies the unsmoothed loss by zero: where that overflows float16 the loss is nan."""
# torch 2.13.0: wrong number, first seen 2026-11-23

import torch
from torch.nn import functional as F

x = torch.tensor([[0.0, 60000.0], [0.0, 60000.0]], dtype=torch.float16)
loss = F.cross_entropy(x, torch.tensor([0, 0]), reduction="sum", label_smoothing=1.0)
print("loss:", loss.item(), "should be 60000.0")
# prints: loss: nan should be 60000.0
