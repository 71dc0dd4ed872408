"""The functions of the torch adapter for the loss with a fused linear map, in plain torch (see ``torch_calls``)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

#: ``F.linear_cross_entropy`` came with torch 2.13.
AVAILABLE = hasattr(F, "linear_cross_entropy")


def load_compiler() -> None:
    """Import what torch would import, and set an environment variable by, in the first chunked loss."""
    if AVAILABLE:
        import_module("torch._dynamo")


def linear_cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, **options: Any) -> Tensor:
    """The loss in chunks of two rows or in 64 chunks, which torch has without smoothing only.

    Without chunks it composes the loss of ``F.linear`` and ``F.cross_entropy``.
    """
    size = max(2, target.shape[0] // 64)
    chunks = None if options.get("label_smoothing") else nn.LinearCrossEntropyOptions(batch_chunk_size=size)
    return F.linear_cross_entropy(hidden, weight, target, linear_bias=bias, options=chunks, **options)


def linear_vjp(
    function: Callable[..., Tensor],
    cotangent: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    **options: Any,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Loss and gradients of hidden, weight and bias (None without a bias) of a loss with a linear map."""
    inputs = [x.detach().requires_grad_() for x in (hidden, weight, bias) if x is not None]
    loss = function(inputs[0], inputs[1], None if bias is None else inputs[2], target, **options)
    # The loss of narrow inputs may be float32.
    gradients = torch.autograd.grad(loss, inputs, cotangent.to(loss.dtype))
    return loss.detach(), gradients[0], gradients[1], None if bias is None else gradients[2]


def linear_cross_entropy_vjp(
    cotangent: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, **options: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Loss and gradients of hidden, weight and bias (None without a bias)."""
    return linear_vjp(linear_cross_entropy, cotangent, hidden, weight, bias, target, **options)
