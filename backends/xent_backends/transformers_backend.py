"""Adapter for transformers: ``ForCausalLMLoss``, the loss of its language models, with labels shifted already."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Conventions

try:
    from transformers.loss.loss_utils import ForCausalLMLoss
except ImportError as error:
    raise unavailable("transformers", error) from error

from xent_backends.torch_callable import TorchCallable, library_loss
from xent_backends.validation import DEFAULT_IGNORE_INDEX

#: "Upcast to float if we need to compute the loss to avoid potential precision issues": what is wider is narrowed.
_UPCAST = "https://github.com/huggingface/transformers/blob/main/src/transformers/loss/loss_utils.py"

CAPABILITIES = Capabilities(
    logits_dtypes=("float16", "bfloat16", "float32"),
    target_dtypes=("int64",),
    tolerated_target_dtypes=("uint8",),
    ignore_index=True,
    default_ignore_index=DEFAULT_IGNORE_INDEX,
    divisor=True,
    reductions=("sum", "mean"),
    conventions=Conventions(output_dtype="float32", documentation={"output_dtype": _UPCAST}),
    left_out=(("logits float64", "they are narrowed to float32"),),
)


def loss(
    logits: Tensor, target: Tensor, reduction: str = "mean", divisor: float | None = None, **options: Any
) -> Tensor:
    """The mean, of the number of tokens that is given, or the sum: what is divided by a number of tokens of one."""
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction must be sum or mean, got {reduction!r}")
    items = 1 if reduction == "sum" else divisor
    value: Tensor = ForCausalLMLoss(
        logits, None, logits.shape[-1], num_items_in_batch=items, shift_labels=target, **options
    )
    return value


def backend() -> TorchCallable:
    """The registered backend ``transformers``."""
    setup = "from transformers.loss.loss_utils import ForCausalLMLoss"
    return library_loss("transformers", loss, CAPABILITIES, libraries=("transformers",), setup=setup)
