"""In ``loss_parallel()`` a label outside of [0, C) is accepted, and its row has a loss of 0."""
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
    print("loss:", abs(F.cross_entropy(x, torch.tensor([5])).full_tensor().item()), "should be an error")
# prints: loss: 0.0 should be an error
