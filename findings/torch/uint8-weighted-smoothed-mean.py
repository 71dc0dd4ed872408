"""uint8 labels are accepted with weights and smoothing, but for the mean, which gathers the weights by them."""
# torch 2.13.0: wrong refusal, first seen 2026-11-27

import torch
from torch.nn import functional as F

target = torch.tensor([0], dtype=torch.uint8)
for reduction in ("sum", "mean"):
    try:
        loss = F.cross_entropy(
            torch.zeros(1, 2), target, weight=torch.ones(2), label_smoothing=0.25, reduction=reduction
        )
        print(f"{reduction}:", loss.item())
    except RuntimeError as error:
        print(f"{reduction}:", str(error).partition("\n")[0])
# prints: sum: 0.6931471824645996
# prints: mean: gather(): Expected dtype int32/int64 for index
