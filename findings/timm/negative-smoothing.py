"""A negative smoothing is accepted, and gives a negative loss."""
# timm 1.0.31: wrong acceptance, first seen 2026-11-28

import torch
from timm.loss import LabelSmoothingCrossEntropy

loss = LabelSmoothingCrossEntropy(smoothing=-0.5)
print(round(loss(torch.tensor([[9.0, 0.0]]), torch.tensor([0])).item(), 5), "should be an error")
# prints: -2.24988 should be an error
