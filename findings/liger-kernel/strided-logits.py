"""Where the classes of the logits are not contiguous the gradient is the logits: none is computed for the copy."""
# liger-kernel 0.8.5: wrong gradient, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

logits = torch.tensor([[3.0, 0.0, 5.0, 0.0]])[:, ::2].requires_grad_()
(gradient,) = torch.autograd.grad(liger_cross_entropy(logits, torch.tensor([0])), logits)
(expected,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, torch.tensor([0])), logits)
print([round(value, 3) for value in gradient[0].tolist()], end=" should be ")
print([round(value, 3) for value in expected[0].tolist()])
# prints: [3.0, 5.0] should be [-0.881, 0.881]
