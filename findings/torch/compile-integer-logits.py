"""Compiled by ``torch.compile``, ``F.cross_entropy`` accepts integer logits, and truncates its loss to an integer."""
# torch 2.13.0: wrong acceptance, first seen 2026-11-29

import torch
from torch.nn import functional as F

x, labels = torch.zeros(1, 3, dtype=torch.int64), torch.tensor([0])
try:
    F.cross_entropy(x, labels)
except NotImplementedError as error:
    print(f"not compiled: {error}")
print(f"compiled: {torch.compile(F.cross_entropy)(x, labels).item():.5f}, not log(3) = 1.09861")
# prints: not compiled: "log_softmax_lastdim_kernel_impl" not implemented for 'Long'
# prints: compiled: 1.00000, not log(3) = 1.09861
