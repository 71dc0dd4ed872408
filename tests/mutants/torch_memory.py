"""Torch mutants: memory, strides and pointers behind autograd's back."""

from __future__ import annotations

import torch

from mutants.catalogue import mutant
from mutants.torch_twin import TorchTwin


@mutant(
    bug="ALI-01",
    link="https://github.com/linkedin/Liger-Kernel/pull/273",
    killed_by=("purity.inputs-unchanged",),
)
class TorchGradientStoredInLogits(TorchTwin):
    """forward computes the gradient and stores it in the logits, which autograd does not see."""

    def save(self, context, logits, target, options):
        super().save(context, logits.clone(), target, options)

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        if logits.requires_grad and logits.is_contiguous() and logits.ndim == 2:
            logits.data.copy_(torch.softmax(logits.data, dim=1))
        return loss


@mutant(
    bug="ALI-02",
    link="https://github.com/verl-project/verl/pull/1672",
    killed_by=("purity.inputs-unchanged",),
    dtypes=("float32", "float64"),
)
class TorchFloatIsNoCopy(TorchTwin):
    """logits.float() is shifted in place; for float32 logits it is the logits themselves."""

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        if logits.ndim == 2 and logits.numel() and 0 not in logits.stride():
            shifted = logits.detach().float()
            shifted.sub_(shifted.amax(dim=1, keepdim=True))
        return loss


@mutant(
    bug="ALI-03",
    link="https://github.com/modelscope/ms-swift/issues/10129",
    killed_by=("gradients.second-backward",),
)
class TorchSavedLogitsOverwritten(TorchTwin):
    """backward shifts the saved copy of the logits and turns it into probabilities in place."""

    def save(self, context, logits, target, options):
        super().save(context, logits, target, options)
        context.saved = logits.detach().clone()

    def backward(self, context, upstream, options):
        logits, target = context.saved_tensors
        right = super().backward(context, upstream, options)
        if torch.is_grad_enabled():
            return right
        scale = self.scale(upstream, logits, target, options)
        rows = torch.where(self.kept(target, options), scale * self.row_gradient(context.saved, target, options), 0)
        context.saved.copy_(torch.softmax(context.saved, dim=min(1, logits.ndim - 1)))
        return self.placed(rows, logits), right[1]


@mutant(
    bug="LAY-01",
    link="https://github.com/pytorch/pytorch/issues/67167",
    killed_by=("accuracy.loss", "gradients.logits"),
)
class TorchTransposedReadAsDense(TorchTwin):
    """The kernel takes the data pointer of transposed logits and reads them as if they were contiguous."""

    def by_row(self, array):
        if array.ndim == 2 and array.t().is_contiguous():
            array = array.t().reshape(array.shape)
        return super().by_row(array)


@mutant(killed_by=("gradients.logits",))
class TorchGradientInLogitsStrides(TorchTwin):
    """The dense gradient is given the strides of the logits, which for transposed logits reorders it."""

    def placed(self, rows, logits):
        placed = super().placed(rows, logits)
        if logits.ndim == 2 and logits.t().is_contiguous() and placed.numel():
            return placed.contiguous().as_strided(logits.shape, logits.stride())
        return placed


@mutant(killed_by=("accuracy.loss",))
class TorchCachedByPointer(TorchTwin):
    """One-hot targets are cached by the address and shape of the labels, and addresses are used again."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._cache = {}

    def hot(self, logits, target, options):
        if target.is_floating_point():
            return super().hot(logits, target, options)
        key = (target.data_ptr(), target.shape, logits.shape)
        return self._cache.setdefault(key, super().hot(logits, target, options))
