"""Target probabilities are smoothed in their own dtype: with float32 logits, eps / C of bfloat16 ones has 8 bits."""
# torch 2.13.0: lost accuracy, first seen 2026-11-28

import torch
from torch.nn import functional as F

logits = torch.tensor([[0.0, 0.0, 0.0]])
for dtype in (torch.float32, torch.bfloat16):
    target = torch.tensor([[0.0, 1.0, 0.0]], dtype=dtype)
    print(dtype, round(F.cross_entropy(logits, target, label_smoothing=0.5).item(), 5))
# prints: torch.float32 1.09861
# prints: torch.bfloat16 1.10076
