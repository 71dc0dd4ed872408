"""A reduction that does not exist is accepted, and is the sum."""
# liger-kernel 0.8.5: wrong acceptance, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

print("average:", round(liger_cross_entropy(torch.zeros(2, 2), torch.tensor([0, 1]), reduction="average").item(), 5))
# prints: average: 1.38629
