"""The mean where every row is ignored is 0; torch.nn.CrossEntropyLoss, which its documentation refers to, gives nan."""
# liger-kernel 0.8.5: wrong number, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

print("loss:", liger_cross_entropy(torch.zeros(1, 2), torch.tensor([-100])).item(), "should be nan")
# prints: loss: 0.0 should be nan
