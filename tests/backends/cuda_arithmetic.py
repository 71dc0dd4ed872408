"""The arithmetic of torch's CUDA kernels on the CPU, as their sources have it (torch 2.11, aten/src/ATen/native).

``log_softmax`` is that of cuda/SoftMax.cu, ``nll_loss`` that of cuda/Loss.cu and cuda/NLLLoss2d.cu, ``cross_entropy``
their composition in LossNLL.cpp. Half formats are added up in float32 and stored in the format wherever the kernels
store. The order of additions is not that of a device.
"""

from __future__ import annotations

import torch
from torch import Tensor


def _wide(dtype: torch.dtype) -> torch.dtype:
    """The type that a kernel adds up in."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def _sum(values: Tensor, *axes: int) -> Tensor:
    """A sum in the wide type, stored in the format."""
    return values.sum(axes or None, dtype=_wide(values.dtype)).to(values.dtype)


def log_softmax(logits: Tensor) -> Tensor:
    """(x - max) - log(sum) in the wide type, stored in the format."""
    return torch.log_softmax(logits.to(_wide(logits.dtype)), 0 if logits.ndim == 1 else 1).to(logits.dtype)


def nll_loss(
    log_probs: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """A kernel for a single row, one for a batch, and one for spatial logits, which adds samples in the format."""
    if log_probs.ndim > 2 and target.dtype != torch.int64:
        raise RuntimeError("expected scalar type Long but found Byte")
    axis = 0 if log_probs.ndim == 1 else 1
    labels = target.long()
    ignored = labels == ignore_index
    labels = labels.masked_fill(ignored, 0)
    picked = log_probs.gather(axis, labels.unsqueeze(axis)).squeeze(axis)
    weights = torch.ones_like(picked) if weight is None else weight[labels]
    losses, weights = (-picked * weights).masked_fill(ignored, 0), weights.masked_fill(ignored, 0)
    if reduction == "none":
        return losses
    if log_probs.ndim == 1:
        if ignored or reduction == "sum":
            return losses  # The kernel for one row writes 0 for an ignored one, whatever the reduction.
        return -picked if weights != 0 else losses / weights
    wide = _wide(losses.dtype)
    total, divisor = losses.sum(dtype=wide), weights.sum(dtype=wide)
    if log_probs.ndim > 2:
        total, divisor = (_added_in_format(values) for values in (losses, weights))
    return (total / divisor if reduction == "mean" else total).to(losses.dtype)


def _added_in_format(values: Tensor) -> Tensor:
    """Sums of the samples, added one by one as atomic additions are."""
    total = values.new_zeros(())
    for sample in values:
        total = total + _sum(sample)
    return total


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The kernels composed as on every device, with sums stored in the format."""
    axis = 0 if logits.ndim == 1 else 1
    log_probs, classes = log_softmax(logits), logits.shape[axis]
    broadcast = None if weight is None else weight.reshape(-1, *[1] * (logits.ndim - axis - 1))
    if label_smoothing > 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if logits.shape == target.shape:
        if label_smoothing > 0:
            target = target * (1 - label_smoothing) + label_smoothing / classes
        terms = log_probs * target if broadcast is None else log_probs * target * broadcast
        if reduction == "none":
            return -_sum(terms, axis)
        return -_sum(terms) / (target.numel() // classes) if reduction == "mean" else -_sum(terms)
    nll = nll_loss(log_probs, target, weight, ignore_index, reduction)
    if not label_smoothing > 0:
        return nll
    ignored = target == ignore_index
    smooth = -_sum(log_probs if broadcast is None else log_probs * broadcast, axis).masked_fill(ignored, 0)
    if reduction != "none":
        smooth = _sum(smooth)
    if reduction == "mean":
        smooth = smooth / ((~ignored).sum() if weight is None else _sum(weight.gather(0, target[~ignored].flatten())))
    return (1 - label_smoothing) * nll + smooth * (label_smoothing / classes)
