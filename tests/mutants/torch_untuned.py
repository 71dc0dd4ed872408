"""Untuned: autograd functions on torch."""

from __future__ import annotations

from dataclasses import replace

import torch

from mutants.catalogue import mutant
from mutants.torch_twin import TorchTwin
from xent_backends.torch_arrays import tensor_of


@mutant(untuned=True)
class TorchLargeGradientSavedInHalf(TorchTwin):
    """The gradient is computed in forward, and kept in bfloat16 where it has more than 2048 elements."""

    def row_gradient(self, logits, target, options):
        gradient = super().row_gradient(logits, target, options)
        return gradient.bfloat16().to(gradient.dtype) if gradient.numel() > 2048 else gradient


@mutant(link="https://github.com/microsoft/DirectML/issues/739", untuned=True)
class TorchUnreducedSpatialGradientIsZero(TorchTwin):
    """backward of unreduced losses of (N, C, d) fills a gradient with zeros and returns before it adds anything."""

    def backward(self, context, upstream, options):
        logits, target = super().backward(context, upstream, options)
        return (torch.zeros_like(logits) if upstream.ndim == 2 else logits), target


@mutant(untuned=True)
class TorchUpstreamViewed(TorchTwin):
    """The upstream gradient is flattened with view, which raises where its strides do not allow that."""

    def scale(self, upstream, logits, target, options):
        return super().scale(upstream.view(-1), logits, target, options)


@mutant(untuned=True)
class TorchUpstreamDetached(TorchTwin):
    """backward detaches the upstream gradient: its own derivative is lost, as in the Hessian of a squared loss."""

    def backward(self, context, upstream, options):
        return super().backward(context, upstream.detach(), options)


@mutant(dtypes=("float64",), untuned=True)
class TorchDoubleIsFloatInBackward(TorchTwin):
    """backward computes in float32 whatever the logits are."""

    def row_gradient(self, logits, target, options):
        return super().row_gradient(logits.float(), target, options).to(logits.dtype)


@mutant(untuned=True)
class TorchBackwardReadsStorage(TorchTwin):
    """forward makes transposed logits contiguous; backward saved the original, and reads its memory as if it were."""

    def row_gradient(self, logits, target, options):
        if logits.ndim == 2 and not logits.is_contiguous() and 0 not in logits.stride():
            count = logits.untyped_storage().nbytes() // logits.element_size() - logits.storage_offset()
            if count >= logits.numel():
                dense = logits.as_strided((logits.numel(),), (1,)).reshape(logits.shape)
                return super().row_gradient(dense, target, options)
        return super().row_gradient(logits, target, options)


@mutant(untuned=True)
class TorchStorageOffsetForgotten(TorchTwin):
    """The class weights are read from the start of their storage, whatever the offset of the view."""

    def asarray(self, array):
        return tensor_of(array)

    def shares(self, logits, target, options):
        weight = options.weight
        if weight is not None and weight.storage_offset():
            options = replace(options, weight=weight.as_strided(weight.shape, weight.stride(), 0))
        return super().shares(logits, target, options)


@mutant(untuned=True)
class TorchTargetGradientUnscaled(TorchTwin):
    """The gradient of probability targets is not multiplied by 1 - eps."""

    def backward(self, context, upstream, options):
        logits, target = super().backward(context, upstream, options)
        keep = 1 - options.label_smoothing
        return logits, target / keep if target is not None and keep else target


@mutant(untuned=True)
class TorchSumsUnderAutocast(TorchTwin):
    """Row losses of more than 512 rows are added in bfloat16 where the losses are float32."""

    def reduced(self, losses, logits, target, options):
        if options.reduction == "none" or len(losses) <= 512:
            return super().reduced(losses, logits, target, options)
        total = losses.bfloat16().float().sum().to(losses.dtype)
        return total / self.divisor(logits, target, options) if options.reduction == "mean" else total
