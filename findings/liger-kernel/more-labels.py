"""More labels than rows are accepted, and count in the divisor of the mean."""
# liger-kernel 0.8.5: wrong acceptance, first seen 2026-11-28

import os

os.environ["TRITON_INTERPRET"] = "1"
import torch
from liger_kernel.transformers.functional import liger_cross_entropy

for labels in ([1], [1, 0], [1, 0, 0]):
    print(labels, round(liger_cross_entropy(torch.tensor([[0.0, 1.0]]), torch.tensor(labels)).item(), 5))
# prints: [1] 0.31326
# prints: [1, 0] 0.15663
# prints: [1, 0, 0] 0.10442
