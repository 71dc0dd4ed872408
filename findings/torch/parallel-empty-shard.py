"""In ``loss_parallel()`` four classes on three ranks fail: the rank without classes raises, and the others wait for it."""
# torch 2.13.0: crash, first seen 2026-11-29
# not listed: the adapters claim no number of classes of which a rank has none

import tempfile
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed as dist
from torch import multiprocessing as mp
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn import functional as F


def work(rank, size, folder):
    place, patience = f"file://{folder}/store", timedelta(seconds=3)
    dist.init_process_group("gloo", init_method=place, rank=rank, world_size=size, timeout=patience)
    x = distribute_tensor(torch.zeros(1, 4), init_device_mesh("cpu", (size,)), [Shard(1)])
    with loss_parallel():
        try:
            said = F.cross_entropy(x, torch.tensor([0])).full_tensor()
        except RuntimeError as error:
            said = error if rank == 2 else "waits for rank 2 until it gives up"
    Path(folder, str(rank)).write_text(f"rank {rank}: {said}, should be 1.3863")


with tempfile.TemporaryDirectory() as folder:
    mp.start_processes(work, (3, folder), 3, start_method="fork")
    for rank in range(3):
        print(Path(folder, str(rank)).read_text())
# prints: rank 0: waits for rank 2 until it gives up, should be 1.3863
# prints: rank 1: waits for rank 2 until it gives up, should be 1.3863
# prints: rank 2: index 0 is out of bounds for dimension 1 with size 0, should be 1.3863
