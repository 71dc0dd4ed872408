"""A second backward of one graph has the cotangent's factor twice: backward scales what the forward pass saved."""
# liger-kernel 0.8.5: wrong gradient, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

x = torch.tensor([[0.0, 0.0]], requires_grad=True)
loss = liger_cross_entropy(x, torch.tensor([1]))
for _ in range(3):
    (gradient,) = torch.autograd.grad(loss, x, torch.tensor(4.0), retain_graph=True)
    print(gradient.tolist(), "should be [[2.0, -2.0]]")
# prints: [[2.0, -2.0]] should be [[2.0, -2.0]]
# prints: [[8.0, -8.0]] should be [[2.0, -2.0]]
# prints: [[32.0, -32.0]] should be [[2.0, -2.0]]
