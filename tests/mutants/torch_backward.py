"""Torch mutants: the backward of an autograd function."""

from __future__ import annotations

import threading
from dataclasses import replace

import torch
from torch.nn import functional

from mutants.catalogue import mutant
from mutants.torch_twin import TorchTwin


@mutant(bug="GRD-02", link="https://github.com/linkedin/Liger-Kernel/pull/680", killed_by=("gradients.logits",))
class TorchScalarUpstream(TorchTwin):
    """The gradient is multiplied by grad_output.flatten()[0], whatever its shape."""

    def scale(self, upstream, logits, target, options):
        if upstream.numel():
            upstream = upstream.flatten()[0].expand_as(upstream)
        return super().scale(upstream, logits, target, options)


@mutant(
    bug="GRD-03",
    link="https://github.com/Dao-AILab/quack/pull/126",
    killed_by=("gradients.expanded-cotangent", "gradients.logits"),
)
class TorchExpandedUpstreamReadAsDense(TorchTwin):
    """A kernel takes the data pointer of an expanded grad_output and reads on past its one element."""

    def scale(self, upstream, logits, target, options):
        count = upstream.untyped_storage().nbytes() // upstream.element_size() - upstream.storage_offset()
        if 0 < count < upstream.numel():
            reachable = upstream.as_strided((count,), (1,))
            upstream = functional.pad(reachable, (0, upstream.numel() - count)).reshape(upstream.shape)
        return super().scale(upstream, logits, target, options)


@mutant(
    bug="GRD-06",
    link="https://github.com/tensorflow/tensorflow/issues/5876",
    killed_by=("gradients.second-order",),
)
class TorchGradientIsConstant(TorchTwin):
    """The probabilities are detached in backward, so double backward is silently zero."""

    def row_gradient(self, logits, target, options):
        return super().row_gradient(logits.detach(), target, options) + 0 * self.by_row(logits)


@mutant(
    bug="ALI-03",
    link="https://github.com/modelscope/ms-swift/pull/10130",
    killed_by=("gradients.second-backward",),
)
class TorchScaledInPlace(TorchTwin):
    """The gradient is computed in forward and multiplied in place in backward, once more each time."""

    def save(self, context, logits, target, options):
        super().save(context, logits, target, options)
        context.gradient = self.row_gradient(logits, target, options)

    def backward(self, context, upstream, options):
        logits, target = context.saved_tensors
        right = super().backward(context, upstream, options)
        with torch.no_grad():
            context.gradient.mul_(self.scale(upstream, logits, target, options))
            rows = torch.where(self.kept(target, options), context.gradient, 0)
        return (self.placed(rows, logits).clone() if not torch.is_grad_enabled() else right[0]), right[1]


@mutant(killed_by=("gradients.second-backward",))
class TorchGraphUsedOnce(TorchTwin):
    """What forward kept for backward is deleted after the first pass to free its memory."""

    def save(self, context, logits, target, options):
        super().save(context, logits, target, options)
        context.alive = [True]

    def backward(self, context, upstream, options):
        context.alive.pop()
        return super().backward(context, upstream, options)


@mutant(killed_by=("gradients.inside-a-graph",))
class TorchGradientForLeavesOnly(TorchTwin):
    """forward precomputes the gradient where the logits are a leaf; for any other tensor it stays zero."""

    def cross_entropy(self, logits, target, **options):
        self._leaf = logits.is_leaf
        return super().cross_entropy(logits, target, **options)

    def save(self, context, logits, target, options):
        super().save(context, logits, target, options)
        context.leaf = self._leaf

    def backward(self, context, upstream, options):
        logits, target = super().backward(context, upstream, options)
        return (logits if context.leaf else torch.zeros_like(logits)), target


@mutant(killed_by=("gradients.second-backward",))
class TorchGradientOfTheFirstPass(TorchTwin):
    """backward keeps the gradient that it computes first, already scaled, for every further pass."""

    def backward(self, context, upstream, options):
        if torch.is_grad_enabled():
            return super().backward(context, upstream, options)
        if not hasattr(context, "gradients"):
            context.gradients = super().backward(context, upstream, options)
        return context.gradients


@mutant(killed_by=("gradients.two-graphs",))
class TorchSharesKeptByLogits(TorchTwin):
    """What forward computes from the target is kept for backward by the address of the logits."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.of_logits = {}

    def save(self, context, logits, target, options):
        super().save(context, logits, target, options)
        self.of_logits[logits.data_ptr(), threading.get_ident()] = target

    def row_gradient(self, logits, target, options):
        latest = self.of_logits.get((logits.data_ptr(), threading.get_ident()), target)
        return super().row_gradient(logits, target if torch.is_grad_enabled() else latest, options)


@mutant(killed_by=("purity.arguments-read-anew",))
class TorchDivisorKeptByTarget(TorchTwin):
    """What a mean is divided by is computed anew only if the labels were written to, but not if the weights were."""

    def divisor(self, logits, target, options):
        key = target._version, options.ignore_index, options.weight is None, logits.dtype, logits.shape
        if getattr(target, "divisor", ())[:1] != (key,):
            target.divisor = key, super().divisor(logits, target, options)
        return target.divisor[1]


@mutant(killed_by=("gradients.two-graphs",))
class TorchGradientInWorkspace(TorchTwin):
    """forward leaves the gradient in a workspace, one for each shape, that the next loss of that shape overwrites."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.workspaces = {}

    def save(self, context, logits, target, options):
        super().save(context, logits, target, options)
        context.workspace = tuple(logits.shape), threading.get_ident()
        self.workspaces[context.workspace] = self.row_gradient(logits, target, options)

    def backward(self, context, upstream, options):
        logits, target = context.saved_tensors
        right = super().backward(context, upstream, options)
        if torch.is_grad_enabled():
            return right
        rows = self.scale(upstream, logits, target, options) * self.workspaces[context.workspace]
        return self.placed(torch.where(self.kept(target, options), rows, 0), logits), right[1]


@mutant(killed_by=("gradients.loss-unchanged",))
class TorchInferenceInBfloat16(TorchTwin):
    """Where no gradient is asked for, the losses go through bfloat16."""

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        return loss if logits.requires_grad else loss.bfloat16().to(loss.dtype)


@mutant(
    bug="GRD-07",
    link="https://github.com/tensorflow/tensorflow/issues/26495",
    killed_by=("gradients.probability-targets",),
)
class TorchTargetGradientIsZero(TorchTwin):
    """The slot of the targets is filled with zeros, with class weights only."""

    def backward(self, context, upstream, options):
        logits, target = super().backward(context, upstream, options)
        return logits, target if target is None or options.weight is None else torch.zeros_like(target)


@mutant(killed_by=("gradients.two-graphs",))
class TorchDivisorOfTheLatestGraph(TorchTwin):
    """What a mean is divided by is kept on the class for backward: of two graphs the first gets that of the second."""

    def save(self, context, logits, target, options):
        super().save(context, logits, target, options)
        type(self).latest = self.divisor(logits, target, options)

    def scale(self, upstream, logits, target, options):
        if options.reduction != "mean":
            return super().scale(upstream, logits, target, options)
        rows = super().scale(upstream, logits, target, replace(options, reduction="sum"))
        return rows / type(self).latest
