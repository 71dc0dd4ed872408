"""With ``label_smoothing`` the uint8 label 156 is taken for ``ignore_index`` = -100, which is 156 in 8 bits."""
# torch 2.13.0: wrong number, first seen 2026-11-27

import torch
from torch.nn import functional as F

x = torch.zeros(1, 160)
for dtype in (torch.int64, torch.uint8):
    loss = F.cross_entropy(x, torch.tensor([156], dtype=dtype), label_smoothing=0.5, reduction="sum")
    print(f"{dtype}: {loss.item():.5f}, should be 5.07517")
# prints: torch.int64: 5.07517, should be 5.07517
# prints: torch.uint8: 2.53759, should be 5.07517
