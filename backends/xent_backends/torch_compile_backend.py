"""Adapter for ``torch.compile``: ``F.cross_entropy`` and its components, compiled by Inductor for the CPU.

Graphs are whole and have symbolic shapes (``fullgraph=True, dynamic=True``), so that one program serves almost all
shapes. What differs between programs are the dtypes, the ranks, a length of 1, strides of another order, the options
that are given, and each amount of smoothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from xent_backends.missing import unavailable
from xent_conformance.interface import Backend, Precision

try:
    import torch
except ImportError as error:
    raise unavailable("torch", error) from error

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from xent_backends import torch_calls
from xent_backends.source_text import joined, one_line, plain_source
from xent_backends.torch_backend import CPU
from xent_backends.torch_callable import SETUP, TorchDifferentiable
from xent_backends.torch_compiler import compiled, only_compiled, preload

#: Half formats are computed in float32, also the sum over the classes, but a sum over the batch is stored in the dtype
#: of the logits, where it may overflow, before it is scaled (measured on 2.13).
_HALF = Precision(batch_sum="cascade")

CAPABILITIES = replace(
    CPU,
    # uint8 is claimed as without the compiler; int32, which torch refuses there, is accepted, with the right result.
    tolerated_target_dtypes=("int32",),
    precision={"float16": _HALF, "bfloat16": _HALF, "float32": Precision(), "float64": Precision()},
    static_options=True,
    # Measured on 2.13, of 22 programs of losses without gradients.
    compile_seconds=2.5,
    left_out=(
        ("second derivatives", '"torch.compile with aot_autograd does not currently support double backward"'),
        (
            "calls in several threads at once",
            "torch counts compiled graphs of all threads together (https://github.com/pytorch/pytorch/pull/185138)",
        ),
    ),
)


@dataclass(frozen=True)
class TorchCompiled(TorchDifferentiable):
    """The compiled loss, and the compiled primitives that it is made of; gradients by autograd."""

    def modes(self) -> Mapping[str, Callable[[], Backend]]:
        """The function without the compiler."""
        eager = TorchDifferentiable(
            self.name, self.capabilities, self.device, F.cross_entropy, SETUP, "F.cross_entropy"
        )
        return {"eager": lambda: eager}

    def softmax(self, logits: Tensor) -> Tensor:
        """Softmax over the class axis."""
        return only_compiled(torch_calls.softmax)(logits)

    def log_softmax(self, logits: Tensor) -> Tensor:
        """Logarithm of the softmax over the class axis."""
        return only_compiled(torch_calls.log_softmax)(logits)

    def softmax_vjp(self, cotangent: Tensor, logits: Tensor) -> Tensor:
        """Gradient of the softmax by autograd."""
        return torch_calls.pullback(only_compiled(torch_calls.softmax), cotangent, logits)

    def log_softmax_vjp(self, cotangent: Tensor, logits: Tensor) -> Tensor:
        """Gradient of log_softmax by autograd."""
        return torch_calls.pullback(only_compiled(torch_calls.log_softmax), cotangent, logits)

    def nll_loss(self, log_probs: Tensor, target: Tensor, **options: Any) -> Tensor:
        """Negative log-likelihood of class indices."""
        return only_compiled(torch_calls.nll_loss)(log_probs, target, **options)

    def _calls(self) -> dict[str, str]:
        parts = {}
        for function in (torch_calls.softmax, torch_calls.log_softmax):
            name = function.__name__
            source = plain_source(function).replace(f"def {name}(", f"def plain_{name}(")
            call = one_line(name, "logits", f"compiled(plain_{name})(logits)")
            pull = one_line(f"{name}_vjp", "cotangent, logits", f"pullback(compiled(plain_{name}), cotangent, logits)")
            parts[name] = joined(source, call)
            parts[f"{name}_vjp"] = joined(source, plain_source(torch_calls.pullback), pull)
        parameters = "log_probs, target, **options"
        parts["nll_loss"] = one_line("nll_loss", parameters, f"compiled(F.nll_loss)({parameters})")
        return super()._calls() | parts


def backend() -> TorchCompiled:
    """The registered backend ``torch-compile``: the CPU, on one thread, where there is a C++ compiler."""
    preload()
    torch.set_num_threads(1)
    setup = joined(SETUP, plain_source(compiled))
    function = only_compiled(F.cross_entropy)
    return TorchCompiled("torch-compile", CAPABILITIES, "cpu", function, setup, "compiled(F.cross_entropy)")
