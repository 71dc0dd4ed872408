"""In ``loss_parallel()`` class weights and an ignored row make ``backward`` raise: the label -100 is an index of weights."""
# torch 2.13.0: wrong refusal, first seen 2026-11-29

import torch
from torch import distributed as dist
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn import functional as F

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
x = distribute_tensor(torch.zeros(2, 5, requires_grad=True), mesh, [Shard(1)])
with loss_parallel():
    loss = F.cross_entropy(x, torch.tensor([-100, 1]), weight=torch.ones(5))
    try:
        loss.backward()
    except RuntimeError as error:
        print(f"{error}, should be a gradient")
# prints: index -100 is out of bounds for dimension 1 with size 5, should be a gradient
