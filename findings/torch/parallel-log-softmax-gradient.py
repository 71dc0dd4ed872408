"""In ``loss_parallel()`` the gradient of a ``log_softmax`` that no cross-entropy follows is that of the identity."""
# torch 2.13.0: wrong gradient, first seen 2026-11-29

import torch
from torch import distributed as dist
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn import functional as F

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
x = distribute_tensor(torch.zeros(1, 5, requires_grad=True), mesh, [Shard(1)])
with loss_parallel():
    F.log_softmax(x, 1)[0, 0].backward()
print([round(g, 5) for g in x.grad.full_tensor()[0].tolist()], "should be [0.8, -0.2, -0.2, -0.2, -0.2]")
# prints: [1.0, 0.0, 0.0, 0.0, 0.0] should be [0.8, -0.2, -0.2, -0.2, -0.2]
