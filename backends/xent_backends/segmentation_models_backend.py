"""Adapter for segmentation-models-pytorch: ``SoftCrossEntropyLoss`` on the CPU.

Its documentation calls it a drop-in replacement for ``torch.nn.CrossEntropyLoss`` with label smoothing, so it is held
to the conventions of PyTorch.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities

try:
    from segmentation_models_pytorch.losses import SoftCrossEntropyLoss
except ImportError as error:
    raise unavailable("segmentation-models-pytorch", error) from error

from xent_backends.torch_callable import TorchCallable, library_loss
from xent_backends.validation import DEFAULT_IGNORE_INDEX

CAPABILITIES = Capabilities(
    logits_dtypes=("bfloat16", "float32", "float64"),
    target_dtypes=("int32", "int64"),
    ignore_index=True,
    default_ignore_index=DEFAULT_IGNORE_INDEX,
    label_smoothing=True,
    # The losses of rows keep an axis for the class: see findings.
    reductions=("sum", "mean"),
    spatial=True,
    left_out=(
        ("reduction='none'", "the losses have an axis of length one in place of the classes"),
        # See findings: it does with 7357 classes of equal logits, and in the sum of a few hundred rows.
        ("logits float16", "the sum of all log-probabilities overflows, and is multiplied by a smoothing of zero"),
    ),
)


def loss(logits: Tensor, target: Tensor, label_smoothing: float = 0.0, **options: Any) -> Tensor:
    """The loss; without a ``smooth_factor`` the class raises a TypeError, so none is zero here."""
    value: Tensor = SoftCrossEntropyLoss(smooth_factor=label_smoothing, **options)(logits, target)
    return value


def backend() -> TorchCallable:
    """The registered backend ``segmentation-models-pytorch``."""
    setup = "from segmentation_models_pytorch.losses import SoftCrossEntropyLoss"
    name = "segmentation-models-pytorch"
    return library_loss(name, loss, CAPABILITIES, libraries=(name,), setup=setup)
