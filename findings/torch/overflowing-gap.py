"""A gap between logits that overflows the dtype is multiplied by a share of zero: nan for a loss of zero."""
# torch 2.13.0: wrong number, first seen 2026-11-26

import torch
from torch.nn import functional as F

loss = F.cross_entropy(torch.tensor([[-3.0e38, 3.0e38]]), torch.tensor([[0.0, 1.0]]))
print("loss:", loss.item(), "should be 0.0")
# prints: loss: nan should be 0.0
