"""The sum over more than 65504 classes overflows float16 on the CPU: the loss is infinite and every gradient zero."""
# torch 2.13.0: wrong number, first seen 2026-11-23

import torch
from torch.nn import functional as F

x = torch.zeros(1, 65520, dtype=torch.float16, requires_grad=True)
loss = F.cross_entropy(x, torch.tensor([0]))
loss.backward()
print("loss:", loss.item(), "should be 11.09; probability of class 1:", x.grad[0, 1].item(), "should be 1.526e-05")
# prints: loss: inf should be 11.09; probability of class 1: 0.0 should be 1.526e-05
