"""A batch without rows is an error: the check of the labels asks for their maximum."""
# liger-kernel 0.8.5: crash, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

try:
    print("loss:", liger_cross_entropy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), reduction="sum").item())
except RuntimeError as error:
    print(str(error).partition(":")[0], "should be a loss of 0")
# prints: max() should be a loss of 0
