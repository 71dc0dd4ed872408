"""Rows of logits that share memory get wrong gradients: each is written over the logits of the others."""
# liger-kernel 0.8.5: wrong gradient, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

logits = torch.zeros(2).expand(2, 2).requires_grad_()
loss = liger_cross_entropy(logits, torch.tensor([0, 1]), reduction="sum")
(gradient,) = torch.autograd.grad(loss, logits)
print("loss:", round(loss.item(), 5), "should be 1.38629")
print(
    "gradient:",
    [[round(value, 3) for value in row] for row in gradient.tolist()],
    "should be [[-0.5, 0.5], [0.5, -0.5]]",
)
# prints: loss: 1.00641 should be 1.38629
# prints: gradient: [[0.269, -0.269], [0.269, -0.269]] should be [[-0.5, 0.5], [0.5, -0.5]]
