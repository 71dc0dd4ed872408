"""A ``label_smoothing`` below 0 or above 1 is accepted; the one below has a gradient that is not its loss's."""
# liger-kernel 0.8.5: wrong acceptance, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

for amount in (-0.5, 0.0, 2.0):
    x = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = liger_cross_entropy(x, torch.tensor([1]), label_smoothing=amount)
    loss.backward()
    print(amount, round(loss.item(), 4), [round(value, 4) for value in x.grad[0].tolist()])
# prints: -0.5 0.3133 [0.5189, -0.5189]
# prints: 0.0 0.3133 [0.2689, -0.2689]
# prints: 2.0 1.3133 [-0.7311, 0.7311]
