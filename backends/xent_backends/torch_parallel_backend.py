"""Adapter for PyTorch's loss parallelism: ``F.cross_entropy`` with the classes divided among ranks, on the CPU.

Each rank is a process of its own (see ``torch_ranks``). All of them are given the whole arrays, keep their part of the
classes, and return the whole gradient; results that differ between ranks are an error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

from xent_backends.missing import unavailable
from xent_conformance.interface import Backend, BackendUnavailableError, Capabilities, Precision, Vjp

try:
    import torch
except ImportError as error:
    raise unavailable("torch", error) from error

import torch.distributed as dist
from torch import Tensor
from torch import multiprocessing as mp
from torch.nn import functional as F  # noqa: N812 - its name everywhere

if not (dist.is_available() and dist.is_gloo_available()):
    raise BackendUnavailableError(f"torch {torch.__version__} is built without gloo, by which ranks communicate")

from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import loss_parallel
from torch.distributed.tensor.parallel.loss import customized_loss_ops

from xent_backends import torch_state
from xent_backends.source_text import joined, one_line, plain_source
from xent_backends.torch_callable import SETUP, TorchArrays
from xent_backends.torch_calls import pullback, vjp
from xent_backends.torch_ranks import Ranks
from xent_backends.validation import DEFAULT_IGNORE_INDEX, FLOATING

#: log_softmax computes in float32, as torch's does, but the gradient is (exp(log_softmax) - [j = t]) times the upstream
#: one, of which each operation rounds to the dtype of the logits; so do sums and counts of rows.
_HALF = Precision(internals="native", batch_sum="native")

#: "one can use F.cross_entropy or CrossEntropyLoss as usual", with class indices, and weights that each rank has:
#: https://docs.pytorch.org/docs/stable/distributed.tensor.parallel.html
CAPABILITIES = Capabilities(
    logits_dtypes=FLOATING,
    tolerated_target_dtypes=("int32",),
    weight=True,
    ignore_index=True,
    default_ignore_index=DEFAULT_IGNORE_INDEX,
    unbatched=True,
    spatial=True,
    # DTensor derives the parts and the result of each new shape, which takes ten times as long as a call.
    static_shapes=True,
    precision={"float16": _HALF, "bfloat16": _HALF, "float32": Precision(), "float64": Precision()},
    left_out=(
        ("label_smoothing", '"Currently not supported"'),
        ("probability_targets", '"class probabilities currently not supported"'),
        ("second derivatives", "those of the gradient are wrong, and no error: it is computed by replaced operations"),
        ("fewer classes", "a rank without classes raises, and the others wait for it until they time out"),
    ),
)

_SETUP = f"""{SETUP}
import tempfile
from datetime import timedelta
from torch import distributed as dist, multiprocessing as mp
from torch.distributed.tensor import Replicate, Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor.parallel import loss_parallel"""


@cache
def mesh() -> DeviceMesh:
    """All ranks, in one row."""
    return init_device_mesh("cpu", (dist.get_world_size(),))


def axis(logits: Tensor) -> int:
    """The axis of the classes."""
    return 0 if logits.ndim == 1 else 1


def sharded(tensor: Tensor) -> DTensor:
    """A tensor with the shape of the logits, its classes divided among the ranks, which all have it."""
    return distribute_tensor(tensor, mesh(), [Shard(axis(tensor))], src_data_rank=None)


def replicated(tensor: Tensor) -> DTensor:
    """A tensor that each rank has as a whole."""
    return distribute_tensor(tensor, mesh(), [Replicate()], src_data_rank=None)


def whole(tensor: Any) -> Tensor:
    """What the ranks have of a DTensor, put together."""
    result: Tensor = tensor.full_tensor()
    return result


def loss(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """The loss on one rank."""
    with loss_parallel():
        return whole(F.cross_entropy(sharded(logits), target, **options))


def gradients(cotangent: Tensor, logits: Tensor, target: Tensor, **options: Any) -> tuple[Tensor, Tensor, None]:
    """Loss and gradient of the logits on one rank."""
    with loss_parallel():
        value, gradient, _ = vjp(F.cross_entropy, replicated(cotangent), sharded(logits), target, **options)
        return whole(value), whole(gradient), None


def log_probs(logits: Tensor) -> Tensor:
    """The log_softmax on one rank."""
    with loss_parallel():
        return whole(F.log_softmax(sharded(logits), axis(logits)))


def log_probs_gradient(cotangent: Tensor, logits: Tensor) -> Tensor:
    """Gradient of the log_softmax on one rank."""
    with loss_parallel():
        return whole(pullback(lambda x: F.log_softmax(x, axis(logits)), sharded(cotangent), sharded(logits)))


def surroundings() -> Mapping[str, object]:
    """The global settings of torch, and whether losses are parallel outside of the context manager too."""
    parallel = not customized_loss_ops.keys().isdisjoint(DTensor._op_dispatcher._custom_op_handlers)  # noqa: SLF001
    return {**torch_state.surroundings(), "torch loss parallelism": parallel}


@dataclass(frozen=True)
class TorchParallel(TorchArrays):
    """The loss, and log_softmax, which has the same code; each with its gradient."""

    ranks: Ranks = field(default_factory=lambda: Ranks(2, surroundings))

    def modes(self) -> Mapping[str, Callable[[], Backend]]:
        """None: each rank has its own function."""
        return {}

    def cross_entropy(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        """Loss on all ranks."""
        return self.ranks.call(loss, logits, target, **options)  # type: ignore[no-any-return]

    def cross_entropy_vjp(self, cotangent: Tensor, logits: Tensor, target: Tensor, **options: Any) -> Vjp:
        """Loss and gradients on all ranks, by one backward, or several on one graph."""
        return Vjp(*self.ranks.call(gradients, cotangent, logits, target, **options))

    def log_softmax(self, logits: Tensor) -> Tensor:
        """Logarithm of the softmax over the class axis, on all ranks."""
        return self.ranks.call(log_probs, logits)  # type: ignore[no-any-return]

    def log_softmax_vjp(self, cotangent: Tensor, logits: Tensor) -> Tensor:
        """Gradient of log_softmax on all ranks."""
        return self.ranks.call(log_probs_gradient, cotangent, logits)  # type: ignore[no-any-return]

    def surroundings(self) -> Mapping[str, object]:
        """The state of torch on rank 0."""
        return self.ranks.state()

    def _calls(self) -> dict[str, str]:
        bodies = {
            "cross_entropy": (loss,),
            "cross_entropy_vjp": (replicated, vjp, gradients),
            "log_softmax": (log_probs,),
            "log_softmax_vjp": (pullback, log_probs_gradient),
        }
        texts = {}
        for name, functions in bodies.items():
            call = f"on_ranks({self.ranks.size}, {functions[-1].__name__}, *arguments, **options)"
            texts[name] = joined(*map(plain_source, functions), one_line(name, "*arguments, **options", call))
        return texts


def work(rank: int, size: int, folder: str, function: Callable[..., Any], arguments: Any, options: Any) -> None:
    """In a script: what a rank does. What the function returns on rank 0 is written to a file."""
    place, patience = f"file://{folder}/store", timedelta(seconds=10)
    dist.init_process_group("gloo", init_method=place, rank=rank, world_size=size, timeout=patience)
    result = function(*arguments, **options)
    if rank == 0:
        torch.save(result, f"{folder}/result")


def on_ranks(size: int, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """In a script: what a function returns on rank 0 of a number of processes."""
    with tempfile.TemporaryDirectory() as folder:
        given = size, folder, function, arguments, options
        mp.start_processes(work, given, size, start_method="fork")  # type: ignore[attr-defined,no-untyped-call]
        return torch.load(f"{folder}/result")


def _of_size(size: int, least: int) -> TorchParallel:
    """The backend for a number of ranks; with ``least`` classes or more, each rank has some."""
    torch.set_num_threads(1)
    setup = joined(_SETUP, *map(plain_source, (work, on_ranks, mesh, axis, sharded, whole)))
    ranks = Ranks(size, surroundings)
    capabilities = replace(CAPABILITIES, min_classes=least)
    return TorchParallel(f"torch-parallel-{size}", capabilities, "cpu", loss, setup, "loss", ranks=ranks)


def on_two_ranks() -> TorchParallel:
    """The registered backend ``torch-parallel-2``."""
    return _of_size(2, least=2)


def on_three_ranks() -> TorchParallel:
    """The registered backend ``torch-parallel-3``: of four classes the first two ranks have two each."""
    return _of_size(3, least=5)
