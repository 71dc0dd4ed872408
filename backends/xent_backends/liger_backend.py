"""Adapter for Liger Kernel: its Triton kernel of cross-entropy, run by Triton's interpreter on the CPU.

The interpreter does the kernel's arithmetic with NumPy, a block at a time. So the formulas, masks and indices of the
kernel are judged, but not its compilation for a GPU.
"""

from __future__ import annotations

import os
from typing import Any

from torch import Tensor

from xent_backends import triton_interpreter
from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Precision

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
        triton_interpreter.REMARK,
    ),
)


def loss(logits: Tensor, target: Tensor, reduction: str = "mean", **options: Any) -> Tensor:
    """The loss through the function form."""
    value: Tensor = liger_cross_entropy(logits, target, reduction=reduction, **options)
    return value


def backend() -> TorchDifferentiable:
    """The registered backend ``liger-interpreted``."""
    setup = "from liger_kernel.transformers.functional import liger_cross_entropy"
    name, libraries = "liger-interpreted", ("liger-kernel", "triton")
    return library_loss(name, loss, CAPABILITIES, libraries=libraries, setup=setup, twice=False, interpreted=True)
