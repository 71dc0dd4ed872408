"""A ``view`` of a DTensor without elements never returns: the search for groups of dimensions does not end for a zero more."""
# torch 2.13.0: crash, first seen 2026-11-29

import signal

import torch
from torch import distributed as dist
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))


def expired(*_):
    print("did not return in 3 s, should be a tensor of shape (2, 5, 0, 0)")
    raise SystemExit


signal.signal(signal.SIGALRM, expired)
signal.alarm(3)
x = distribute_tensor(torch.zeros(2, 5, 0), mesh, [Shard(1)])
print(x.view(2, 5, 0, 0).shape)
# prints: did not return in 3 s, should be a tensor of shape (2, 5, 0, 0)
