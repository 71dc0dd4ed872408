"""Adapter for Liger Kernel: its Triton kernel of cross-entropy, run by Triton's interpreter on the CPU.

The interpreter does the kernel's arithmetic with NumPy, a block at a time. So the formulas, masks and indices of the
kernel are judged, but not its compilation for a GPU.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from threading import Lock
from typing import Any

from torch import Tensor

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Precision, Vjp

# Triton reads this variable when it is imported.
os.environ.setdefault("TRITON_INTERPRET", "1")

try:
    from liger_kernel.transformers.functional import liger_cross_entropy
except ImportError as error:
    raise unavailable("liger-interpreted", error) from error

from xent_backends.torch_callable import TorchDifferentiable, library_loss
from xent_backends.validation import DEFAULT_IGNORE_INDEX

#: "Please refer to torch.nn.CrossEntropyLoss for the math": the conventions are PyTorch's.
CAPABILITIES = Capabilities(
    logits_dtypes=("float16", "float32"),
    target_dtypes=("int64",),
    tolerated_target_dtypes=("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64"),
    ignore_index=True,
    default_ignore_index=DEFAULT_IGNORE_INDEX,
    label_smoothing=True,
    lse_square_scale=True,
    # Of more than five times as many, a call exceeds its time limit.
    max_rows=5000,
    # "Here we use a trick to store X_ptr gradient in X_ptr so we can save memory".
    overwrites_logits=True,
    # max + log(sum) - x_t; losses of rows are stored in the dtype of the logits before they are added.
    precision=Precision(form="B", batch_sum="native"),
    left_out=(
        ("logits bfloat16", "the interpreter multiplies two of them as integers"),
        ("logits float64", "the kernel computes in float32"),
        # Compiled, the kernel is given tensors.
        ("weight", "the interpreter gives the kernel numbers of Python, which have no method `to`"),
        ("softcap", "the interpreter gives the kernel numbers of Python, which have no method `to`"),
        ("many rows", "the interpreter takes milliseconds for each: calls have at most 5000"),
        ("calls from several threads", "calls are made one at a time: a launch replaces functions of Triton"),
    ),
)

#: Held during a call.
_INTERPRETER = Lock()


def loss(logits: Tensor, target: Tensor, reduction: str = "mean", **options: Any) -> Tensor:
    """The loss through the function form."""
    value: Tensor = liger_cross_entropy(logits, target, reduction=reduction, **options)
    return value


@dataclass(frozen=True)
class LigerInterpreted(TorchDifferentiable):
    """The loss and its gradients, of one call at a time."""

    def cross_entropy(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        """Loss through the function form."""
        with _INTERPRETER:
            return super().cross_entropy(logits, target, **options)

    def cross_entropy_vjp(self, cotangent: Tensor, logits: Tensor, target: Tensor, **options: Any) -> Vjp:
        """Loss and gradients by one backward, or several on one graph."""
        with _INTERPRETER:
            return super().cross_entropy_vjp(cotangent, logits, target, **options)


def backend() -> LigerInterpreted:
    """The registered backend ``liger-interpreted``."""
    setup = "from liger_kernel.transformers.functional import liger_cross_entropy"
    name, libraries = "liger-interpreted", ("liger-kernel", "triton")
    made = library_loss(name, loss, CAPABILITIES, libraries=libraries, setup=setup, twice=False)
    return LigerInterpreted(**vars(made))
