"""Losses on torch tensors that are wrong in ways that a single number does not show."""

import torch
from torch.nn import functional as F  # noqa: N812 - its name everywhere

_COUNT = [0]
_BUFFER = [torch.zeros(1)]


def ignores_strides(logits, target, reduction="mean"):
    if logits.ndim == 2:
        logits = torch.as_strided(logits, (logits.numel(),), (1,)).reshape(logits.shape)
    return F.cross_entropy(logits, target, reduction=reduction)


def overwrites(logits, target, reduction="mean"):
    loss = F.cross_entropy(logits, target, reduction=reduction)
    logits.detach().mul_(2)
    return loss


def keeps_the_axis(logits, target, reduction="mean"):
    return F.cross_entropy(logits, target, reduction=reduction).reshape(-1)


def gives_integers(logits, target, reduction="mean"):
    return F.cross_entropy(logits, target, reduction=reduction).long()


def drifts(logits, target, reduction="mean"):
    _COUNT[0] += 1
    return F.cross_entropy(logits, target, reduction=reduction) + _COUNT[0]


def refuses_large_batches(logits, target, reduction="mean"):
    if len(logits) > 3:
        raise MemoryError("too large")
    return F.cross_entropy(logits, target, reduction=reduction)


def shares_a_buffer(logits, target, reduction="mean"):
    _BUFFER[0] = logits.detach()
    sum(range(2000))  # time for another thread
    return F.cross_entropy(logits - logits.detach() + _BUFFER[0], target, reduction=reduction)


def forgets_the_offset(logits, target, reduction="mean"):
    return F.cross_entropy(torch.as_strided(logits, logits.shape, logits.stride(), 0), target, reduction=reduction)


def reads_beside(logits, target, reduction="mean"):
    start = logits.storage_offset()
    before = torch.as_strided(logits.detach(), (1,), (1,), start - 1).sum() if start else 0
    return F.cross_entropy(logits, target, reduction=reduction) + 0 * before


def writes_beside(logits, target, reduction="mean"):
    end, memory = logits.storage_offset() + logits.numel(), logits.untyped_storage().nbytes()
    if logits.is_contiguous() and memory > end * logits.element_size():
        torch.as_strided(logits.detach(), (1,), (1,), end).fill_(0)
    return F.cross_entropy(logits, target, reduction=reduction)
