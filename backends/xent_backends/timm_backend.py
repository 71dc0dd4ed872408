"""Adapter for timm: ``LabelSmoothingCrossEntropy``, which its training script uses, on the CPU.

``SoftTargetCrossEntropy``, for distributions, is another class and has no smoothing.
"""

from __future__ import annotations

from torch import Tensor

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities

try:
    from timm.loss import LabelSmoothingCrossEntropy
except ImportError as error:
    raise unavailable("timm", error) from error

from xent_backends.torch_callable import TorchCallable, library_loss
from xent_backends.validation import FLOATING

CAPABILITIES = Capabilities(
    logits_dtypes=FLOATING,
    target_dtypes=("int32", "int64"),
    label_smoothing=True,
    # "assert smoothing < 1.0".
    max_label_smoothing=0.99,
    reductions=("mean",),
)


def loss(logits: Tensor, target: Tensor, reduction: str = "mean", label_smoothing: float = 0.0) -> Tensor:
    """The mean: there is no other reduction."""
    if reduction != "mean":
        raise ValueError(f"reduction must be mean, got {reduction!r}")
    value: Tensor = LabelSmoothingCrossEntropy(label_smoothing)(logits, target)
    return value


def backend() -> TorchCallable:
    """The registered backend ``timm``."""
    setup = "from timm.loss import LabelSmoothingCrossEntropy"
    return library_loss("timm", loss, CAPABILITIES, libraries=("timm",), setup=setup)
