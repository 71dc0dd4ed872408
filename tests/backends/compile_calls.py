"""Calls of compiled losses, in a process of their own, which compiling changes: what a function here prints."""

import os
import sys

import numpy as np
import torch
from torch._dynamo.utils import counters
from torch.nn import functional as F  # noqa: N812 - its name everywhere
from torch.profiler import profile

from xent_backends import torch_backend, torch_compile_backend

G, X, Y = torch.tensor(0.5), torch.tensor([[1.0, 0.0, 2.0], [0.5, -1.0, 0.0]]), torch.tensor([2, 0])


def programs():
    """How many programs this process has compiled."""
    return counters["stats"]["unique_graphs"]


def closed_form():
    """Whether losses and gradients are torch's, and the programs that each shape needs."""
    backend = torch_compile_backend.backend()
    generator = torch.Generator().manual_seed(0)
    one = torch.tensor(1.0, dtype=torch.float64)
    for rows, classes, mark in ((4, 3, -1), (5, 40, -2)):
        before = programs()
        x = torch.randn(rows, classes, generator=generator, dtype=torch.float64, requires_grad=True)
        y = torch.tensor([0, classes - 1, mark, classes // 2, 1])[:rows]
        options = {"weight": torch.rand(classes, generator=generator, dtype=torch.float64), "ignore_index": mark}
        want = F.cross_entropy(x, y, **options)
        (slope,) = torch.autograd.grad(want, x)
        got = backend.cross_entropy_vjp(one, x, y, **options)
        errors = (got.loss - want).abs().item(), (got.grad_logits - slope).abs().max().item()
        print(programs() - before, max(errors) < 1e-14)


def compiled():
    """Whether the operations of a call are torch's own, and what is raised where torch is told not to compile."""
    backend = torch_compile_backend.backend()
    for call in (F.cross_entropy, backend.cross_entropy):
        call(X, Y, reduction="sum")
        with profile() as seen:
            call(X, Y, reduction="sum")
        print(any("aten::" in event.name for event in seen.events()))
    torch.compiler.set_stance("force_eager")
    try:
        print(backend.cross_entropy(X, Y, reduction="sum"))
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}")


def mode():
    """Whether the loss of a callable is compiled, and torch's, in the mode "compiled"."""
    backend = torch_backend.from_callable(F.cross_entropy, spec="torch:loss")
    before, want = programs(), F.cross_entropy(X, Y, reduction="sum")
    print(backend.modes()["compiled"]().cross_entropy(X, Y, reduction="sum").equal(want), programs() - before > 0)


def left_alone():
    """Whether a call changes the environment, the recursion limit or the number of threads."""
    backend = torch_compile_backend.backend()
    before = dict(os.environ), sys.getrecursionlimit(), torch.get_num_threads()
    backend.cross_entropy(X, Y, reduction="sum")
    print(before == (dict(os.environ), sys.getrecursionlimit(), torch.get_num_threads()))


def script():
    """The methods that have scripts, and whether these give the same."""
    backend = torch_compile_backend.backend()
    parts = backend.reproducer()
    given = {
        "cross_entropy": ((X, Y), {"reduction": "sum"}),
        "cross_entropy_vjp": ((G, X, Y), {"reduction": "sum"}),
        "softmax": ((X,), {}),
        "log_softmax": ((X,), {}),
        "softmax_vjp": ((X, X), {}),
        "log_softmax_vjp": ((X, X), {}),
        "nll_loss": ((X, Y), {"reduction": "sum"}),
    }
    print(sorted(given) == sorted(parts.calls))
    for method, (arguments, options) in given.items():
        names = {"np": np}
        exec(f"{parts.setup}\n{parts.calls[method]}", names)
        returned = getattr(backend, method)(*arguments, **options), names[method](*arguments, **options)
        pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in returned), strict=True)
        print(method, all(a is b is None or torch.equal(a, b) for a, b in pairs))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        globals()[name]()
