"""In chunks ``linear_cross_entropy`` has a nan gradient where every row is ignored; without chunks it is zero."""
# torch 2.13.0: wrong gradient, first seen 2026-11-26

import torch
from torch import nn
from torch.nn import functional as F

weight = torch.eye(2)
for options in (None, nn.LinearCrossEntropyOptions(batch_chunk_size=2)):
    hidden = torch.tensor([[1.0, 0.0]], requires_grad=True)
    F.linear_cross_entropy(hidden, weight, torch.tensor([-100]), options=options).backward()
    print("chunks:" if options else "no chunks:", hidden.grad.tolist())
# prints: no chunks: [[0.0, 0.0]]
# prints: chunks: [[nan, nan]]
