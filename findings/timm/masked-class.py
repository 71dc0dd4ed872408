"""Without smoothing too a class that is masked with -inf makes the loss nan: the mean of all is multiplied by zero."""
# timm 1.0.31: wrong number, first seen 2026-11-28

import torch
from timm.loss import LabelSmoothingCrossEntropy

loss = LabelSmoothingCrossEntropy(smoothing=0.0)(torch.tensor([[0.0, -torch.inf]]), torch.tensor([0]))
print("loss:", loss.item(), "should be 0.0")
# prints: loss: nan should be 0.0
