"""A ``label_smoothing`` that is negative, or nan, is accepted and means none."""
# torch 2.13.0: wrong acceptance, first seen 2026-11-23

import torch
from torch.nn import functional as F

for amount in (-0.1, float("nan"), 0.0):
    loss = F.cross_entropy(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), label_smoothing=amount)
    print(f"label_smoothing={amount}: {loss.item():.5f}")
# prints: label_smoothing=-0.1: 0.31326
# prints: label_smoothing=nan: 0.31326
# prints: label_smoothing=0.0: 0.31326
