"""Fewer labels than rows are accepted: their losses are broadcast over the smoothing terms of all rows."""
# timm 1.0.31: wrong acceptance, first seen 2026-11-28

import torch
from timm.loss import LabelSmoothingCrossEntropy

logits = torch.tensor([[0.0, 1.0], [0.0, 1.0], [9.0, 0.0]])
print(
    "3 rows, 1 label:",
    round(LabelSmoothingCrossEntropy(0.1)(logits, torch.tensor([1])).item(), 5),
    "should be an error",
)
# prints: 3 rows, 1 label: 0.48616 should be an error
