"""Compiled by ``torch.compile``, ``F.cross_entropy`` refuses the uint8 labels that it takes without the compiler."""
# torch 2.13.0: wrong refusal, first seen 2026-11-29

import logging

import torch
from torch.nn import functional as F

logging.disable()
x, labels = torch.tensor([[0.0, 1.0]]), torch.tensor([0], dtype=torch.uint8)
print(f"not compiled: {F.cross_entropy(x, labels).item():.5f}")
try:
    torch.compile(F.cross_entropy)(x, labels)
except RuntimeError as error:
    print("compiled:", str(error).partition("RuntimeError('")[2].partition("'")[0])
# prints: not compiled: 1.31326
# prints: compiled: gather(): Expected dtype int32/int64 for index, but got torch.uint8
