"""Compiled by ``torch.compile``, ``F.cross_entropy`` accepts bool labels: they are taken for the classes 0 and 1."""
# torch 2.13.0: wrong acceptance, first seen 2026-11-29

import torch
from torch.nn import functional as F

x, labels = torch.tensor([[0.0, 1.0]]), torch.tensor([True])
try:
    F.cross_entropy(x, labels)
except RuntimeError as error:
    print(f"not compiled: {error}")
print(f"compiled: {torch.compile(F.cross_entropy)(x, labels).item():.5f}")
# prints: not compiled: expected target dtype to be Long or Byte, but got Bool
# prints: compiled: 0.31326
