"""uint8 labels are accepted without spatial dimensions and refused with them."""
# torch 2.13.0: wrong refusal, first seen 2026-11-23

import torch
from torch.nn import functional as F

print("(1, 2):", F.cross_entropy(torch.zeros(1, 2), torch.tensor([0], dtype=torch.uint8)).item())
try:
    print("(1, 2, 1):", F.cross_entropy(torch.zeros(1, 2, 1), torch.tensor([[0]], dtype=torch.uint8)).item())
except RuntimeError as error:
    print("(1, 2, 1):", error)
# prints: (1, 2): 0.6931471824645996
# prints: (1, 2, 1): expected scalar type Long but found Byte
