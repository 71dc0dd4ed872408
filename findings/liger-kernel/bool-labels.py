"""Labels that are booleans are accepted, as classes 0 and 1."""
# liger-kernel 0.8.5: wrong acceptance, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

loss = liger_cross_entropy(torch.zeros(1, 2), torch.tensor([True]), reduction="sum")
print("loss:", round(loss.item(), 5), "should be an error")
# prints: loss: 0.69315 should be an error
