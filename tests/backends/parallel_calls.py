"""Calls of ranks, each in a process that has no other threads, since ranks are forked: what a function here prints."""

import os
import signal
import sys
import time

import numpy as np
import torch
from torch import distributed as dist

from xent_backends import torch_parallel_backend as parallel
from xent_backends.torch_ranks import Ranks, RanksError

FACTORIES = {2: parallel.on_two_ranks, 3: parallel.on_three_ranks}
#: Numbers of classes for each number of ranks: the last rank has one, fewer than others or as many.
CLASSES = {2: (3,), 3: (3, 5)}


def rank_of_each():
    """Another result on each rank."""
    return torch.tensor(float(dist.get_rank()))


def raises_on_one(error):
    """One rank raises, and the others wait for it."""
    if dist.get_rank() == 1:
        raise KeyError(error)
    dist.barrier()


def raises_on_all():
    """All ranks raise the same."""
    raise IndexError(f"on rank {dist.get_rank()}")


def dies_on_one():
    """One rank dies."""
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()


def waits():
    """One rank waits for the others, which never answer: gloo does so in C++."""
    if dist.get_rank() == 0:
        dist.barrier()
    time.sleep(1000)


def strides(tensor):
    """What a rank is given, and its strides."""
    return tensor.clone(), torch.tensor(tensor.stride())


def closed_form():
    """The largest errors of losses and gradients, with weights and ignored rows, of every kind of division."""
    generator = torch.Generator().manual_seed(0)
    for size, factory in FACTORIES.items():
        backend, worst = factory(), 0.0
        for classes in CLASSES[size]:
            x = torch.randn(4, classes, generator=generator, dtype=torch.float64, requires_grad=True)
            y = torch.tensor([0, classes - 1, -100, classes // 2])
            for options in (
                {"reduction": "sum"},
                {"reduction": "mean", "weight": torch.rand(classes, generator=generator, dtype=torch.float64)},
            ):
                want = torch.nn.functional.cross_entropy(x, y, **options)
                worst = max(worst, (backend.cross_entropy(x, y, **options) - want).abs().item())
                # The gradient with weights and an ignored row is a known deviation.
                labels = y.clamp(0) if "weight" in options else y
                want = torch.nn.functional.cross_entropy(x, labels, **options)
                (slope,) = torch.autograd.grad(want, x)
                one = torch.tensor(1.0, dtype=torch.float64)
                got = backend.cross_entropy_vjp(one, x, labels, **options, repeats=2, upstream="scaled")
                worst = max(worst, (got.loss - want).abs().item(), (got.grad_logits - slope).abs().max().item())
        print(size, worst < 1e-14)


def script():
    """The methods that have scripts, and whether those of the gradients, which have all steps, give the same."""
    backend = parallel.on_two_ranks()
    parts = backend.reproducer()
    print(*parts.calls)
    g, x, y = torch.tensor(0.5), torch.tensor([[1.0, 0.0, 2.0], [0.5, -1.0, 0.0]]), torch.tensor([2, 0])
    for method, given in {"cross_entropy_vjp": (g, x, y), "log_softmax_vjp": (x, x)}.items():
        names = {"np": np}
        exec(f"{parts.setup}\n{parts.calls[method]}", names)
        returned = getattr(backend, method)(*given), names[method](*given)
        pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in returned), strict=True)
        print(method, all(a is b is None or torch.equal(a, b) for a, b in pairs))


def failures():
    """What is said of ranks that do not do the same, and that the next call has new ones."""
    ranks = Ranks(3, dict)
    for call in (rank_of_each, (raises_on_one, "no"), raises_on_all, dies_on_one):
        function, *arguments = call if isinstance(call, tuple) else (call,)
        try:
            ranks.call(function, *arguments)
        except (RanksError, IndexError) as error:
            print(f"{type(error).__name__}: {error}")
    print(*(part.tolist() for part in ranks.call(strides, torch.arange(12.0).reshape(3, 4).T[::2])))


def hang():
    """Waits forever, after the pids of the ranks."""
    ranks = Ranks(2, dict)
    ranks.call(raises_on_none)
    print(*(process.pid for process in ranks._processes), flush=True)
    ranks.call(waits)


def raises_on_none():
    """Nothing."""
    return torch.zeros(())


if __name__ == "__main__":
    globals()[sys.argv[1]]()
