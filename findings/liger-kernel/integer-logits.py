"""Logits that are integers or booleans are accepted: the loss of each row is cut to an integer."""
# liger-kernel 0.8.5: wrong acceptance, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

logits = torch.tensor([[0, 0], [0, 0]], dtype=torch.int8)
print(liger_cross_entropy(logits, torch.tensor([0, 1]), reduction="none"), "should be an error")
# prints: tensor([0, 0], dtype=torch.int8) should be an error
