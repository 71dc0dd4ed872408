"""An ignored row of logits that rows share sets them to zero for the rows after it, and changes the loss."""
# liger-kernel 0.8.5: wrong number, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

logits = torch.tensor([[2.0, 0.0]]).expand(2, 2)
loss = liger_cross_entropy(logits, torch.tensor([-100, 0]), reduction="sum")
print("loss:", round(loss.item(), 5), "should be 0.12693")
# prints: loss: 0.69315 should be 0.12693
