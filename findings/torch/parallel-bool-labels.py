"""In ``loss_parallel()`` bool labels are accepted: they are taken for the classes 0 and 1."""
# torch 2.13.0: wrong acceptance, first seen 2026-11-29

import torch
from torch import distributed as dist
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn import functional as F

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
x = distribute_tensor(torch.zeros(1, 5), mesh, [Shard(1)])
with loss_parallel():
    loss = F.cross_entropy(x, torch.tensor([True])).full_tensor()
print("loss:", round(loss.item(), 5), "should be an error")
# prints: loss: 1.60944 should be an error
