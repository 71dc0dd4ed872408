"""The functions of the torch adapter, in plain torch.

Their first argument is the loss, so that ``F.cross_entropy``, the module and a user's own kernel are called by the same
code. The source of these functions is part of scripts (see ``source_text``), so they use nothing but torch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

Loss = Callable[..., Tensor]

# The first gradient in a process imports this module, and sympy with it, which takes longer than everything else that a
# short-lived worker does. Imported here, it is loaded once, before workers are forked.
with suppress(ImportError):
    import_module("torch.fx.experimental.symbolic_shapes")


def softmax(logits: Tensor) -> Tensor:
    """Softmax over the class axis."""
    return F.softmax(logits, dim=0 if logits.ndim == 1 else 1)


def log_softmax(logits: Tensor) -> Tensor:
    """Logarithm of the softmax over the class axis."""
    return F.log_softmax(logits, dim=0 if logits.ndim == 1 else 1)


def nll_loss(log_probs: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Negative log-likelihood of class indices."""
    return F.nll_loss(log_probs, target, **options)


def one_hot(logits: Tensor, target: Tensor) -> Tensor:
    """One-hot rows of class indices, in the shape and dtype of the logits."""
    axis = 0 if logits.ndim == 1 else 1
    return F.one_hot(target.long(), logits.shape[axis]).movedim(-1, axis).to(logits.dtype)


def layer(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """The module form of the loss."""
    return nn.CrossEntropyLoss(**options)(logits, target)  # type: ignore[no-any-return]


def vjp(
    function: Loss,
    cotangent: Tensor,
    logits: Tensor,
    target: Tensor,
    *,
    repeats: int = 1,
    upstream: str = "leaf",
    **options: Any,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Loss, gradient of the logits, and gradient of probability targets (None for class indices).

    With ``repeats=2``, backward runs on one graph for cotangent / -2 first. With ``upstream="scaled"`` the logits are
    not a leaf of the graph but 2 * leaf, with leaf = logits / 2; their gradient is exactly half of the leaf's. With
    ``upstream="interleaved"`` the loss of -logits, with the first target for all rows, is computed before backward, and
    with ``upstream="shared"`` that of the same logits.
    """
    scale = 2 if upstream == "scaled" else 1
    leaf = (logits / scale).detach() if upstream == "scaled" else logits.detach()
    leaf.requires_grad_()
    x = leaf * scale if upstream == "scaled" else leaf
    inputs = [leaf]
    if target.is_floating_point():
        target = target.detach().requires_grad_()
        inputs.append(target)
    loss = function(x, target, **options)
    # The graph of the other loss is alive while backward runs on the first one.
    other = None
    if upstream in ("interleaved", "shared"):
        same = target.detach()[:1].expand_as(target).contiguous() if target.ndim else target
        other = function(x if upstream == "shared" else (-logits).detach().requires_grad_(), same, **options)
    for given in [cotangent / -2, cotangent] if repeats > 1 else [cotangent]:
        # A kernel need not differentiate its targets. Without them, torch raises if the logits have no gradient.
        grads = torch.autograd.grad(loss, inputs, given, retain_graph=repeats > 1, allow_unused=len(inputs) > 1)
    del other
    return loss.detach(), grads[0] / scale, grads[1] if len(grads) > 1 else None


def pullback(function: Loss, cotangent: Tensor, logits: Tensor) -> Tensor:
    """Gradient of <function(logits), cotangent>, for a function of logits alone."""
    x = logits.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x), x, cotangent)
    return gradient


def hvp(function: Loss, vector: Tensor, cotangent: Tensor, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Derivative of <vjp(cotangent), vector> with respect to the logits, by differentiating backward."""
    x = logits.detach().requires_grad_()
    (grad,) = torch.autograd.grad(function(x, target, **options), x, cotangent, create_graph=True)
    (product,) = torch.autograd.grad(grad, x, vector)
    return product
