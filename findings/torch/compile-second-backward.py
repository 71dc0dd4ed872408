"""Compiled with dynamic shapes, ``F.cross_entropy`` has no backward that retains its graph for a second one: it raises."""
# torch 2.13.0: wrong refusal, first seen 2026-11-29

import torch
from torch.nn import functional as F

for dynamic in (False, True):
    x = torch.zeros(5, 7, requires_grad=True)
    loss = torch.compile(F.cross_entropy, dynamic=dynamic)(x, torch.zeros(5, dtype=torch.int64))
    try:
        loss.backward(retain_graph=True)
        loss.backward()
        print(f"dynamic={dynamic}: twice the gradient, {x.grad[0, 0].item():.5f}")
    except RuntimeError as error:
        print(f"dynamic={dynamic}:", str(error).partition(" which")[0])
# prints: dynamic=False: twice the gradient, -0.34286
# prints: dynamic=True: This backward function was compiled with non-empty donated buffers
