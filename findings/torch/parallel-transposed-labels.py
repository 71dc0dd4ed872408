"""In ``loss_parallel()`` the gradient of logits (N, C, H, W) is wrong: it takes labels for those of the transposed image."""
# torch 2.13.0: wrong gradient, first seen 2026-11-29

import torch
from torch import distributed as dist
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn import functional as F

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
x = torch.zeros(1, 5, 2, 2, requires_grad=True)
y = torch.tensor([[[0, 1], [2, 3]]])
F.cross_entropy(x, y, reduction="sum").backward()
parallel = distribute_tensor(x, mesh, [Shard(1)])
with loss_parallel():
    F.cross_entropy(parallel, y, reduction="sum").backward()
print(
    "pixel with a negative gradient of class 1:",
    (parallel.grad.full_tensor()[0, 1] < 0).nonzero().tolist(),
    "should be [[0, 1]]",
)
# prints: pixel with a negative gradient of class 1: [[1, 0]] should be [[0, 1]]
