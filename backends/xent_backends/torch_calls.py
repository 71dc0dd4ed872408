"""What the torch adapter calls, in plain torch.

The functions take the loss as their first argument, so that ``F.cross_entropy``, the module and a user's own kernel go
through the same code. Reproducers print these functions as they stand (see ``source_text``), which is why they use
nothing but torch.
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

# The first gradient in a process imports it, and sympy with it, which takes longer than all else that a short-lived
# process does. Imported here, it is there already in a process that is forked.
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
    """The distributions of class indices, shaped and typed like the logits."""
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
    """Loss, gradient of the logits and of probability targets, None for class indices.

    Backward runs ``repeats`` times on one graph and the last pass counts. With ``upstream="scaled"`` the loss sees
    x = 2 * leaf for leaf = logits / 2; the gradient at x is half of the leaf's, exactly.
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
    for _ in range(repeats):
        # A kernel need not differentiate its targets; logits without a gradient are torch's own error.
        grads = torch.autograd.grad(loss, inputs, cotangent, retain_graph=repeats > 1, allow_unused=len(inputs) > 1)
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
