"""Upstream gradients, and gradients that are not those of the loss."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin
from xent_conformance.precision import WEAKEST

LOGITS = ("gradients.logits",)


@mutant(
    bug="GRD-01",
    link="https://github.com/pytorch/pytorch/pull/94226",
    killed_by=("gradients.logits",),
)
class ScalarUpstreamIgnored(NumpyTwin):
    """The gradient of a reduced loss is never multiplied by the upstream gradient."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        return cotangents if call.reduction == "none" else np.ones_like(cotangents)


@mutant(bug="GRD-02", link="https://github.com/linkedin/Liger-Kernel/issues/968", killed_by=LOGITS)
class FirstUpstreamForAllRows(NumpyTwin):
    """A scalar is loaded from the upstream gradient, which for "none" is a vector."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        return cotangents if not cotangents.size else np.full_like(cotangents, cotangents[0, 0])


@mutant(bug="GRD-02", link="https://github.com/ROCm/TransformerEngine/pull/336", killed_by=LOGITS)
class UpstreamAveraged(NumpyTwin):
    """The upstream gradient of unreduced losses is averaged first: right only where it is uniform."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        return cotangents if not cotangents.size else np.full_like(cotangents, cotangents.mean())


@mutant(bug="GRD-02", link="https://github.com/linkedin/Liger-Kernel/pull/1298", killed_by=LOGITS)
class ZeroFirstUpstreamSkips(NumpyTwin):
    """backward returns early where the first upstream gradient is 0."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        return np.zeros_like(cotangents) if cotangents.size and not cotangents[0, 0] else cotangents


@mutant(killed_by=LOGITS)
class UpstreamClipped(NumpyTwin):
    """The upstream gradient is clipped to [-2, 2]."""

    def cotangents(self, call, cotangent):
        return np.clip(super().cotangents(call, cotangent), -2, 2)


@mutant(bug="GRD-10", link="https://github.com/deepspeedai/DeepSpeed/pull/8587", killed_by=LOGITS)
class BackwardDividesByAllRows(NumpyTwin):
    """The loss is divided by the rows that are left, its gradient by all of them."""

    def scale(self, call, cotangents):
        if call.reduction != "mean" or call.weight is not None or call.purpose != "gradient":
            return super().scale(call, cotangents)
        return cotangents / len(call.x)


@mutant(bug="GRD-09", link="https://github.com/tensorflow/tensorflow/pull/49178", killed_by=LOGITS)
class SingleClassGradient(NumpyTwin):
    """With one class the target's share is not subtracted: the gradient is 1, not 0."""

    def row_gradient(self, call):
        return self.shares(call) if call.classes == 1 else super().row_gradient(call)


@mutant(bug="PAR-03", link="https://github.com/apple/ml-cross-entropy/pull/59", killed_by=LOGITS)
class LastClassNotSubtracted(NumpyTwin):
    """The mask of the scatter is offset < C - 1, so a target in the last class is not subtracted."""

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        if call.probabilities is None and not call.eps and call.classes > 1:
            gradient[:, -1] += self.shares(call)[:, -1]
        return gradient


@mutant(bug="WGT-04", link="https://github.com/kulinseth/pytorch/pull/233", killed_by=LOGITS)
class SoftmaxTermUnweighted(NumpyTwin):
    """The gradient is p - Q where Q carries the class weights, so its rows no longer sum to zero."""

    def row_gradient(self, call):
        if call.probabilities is not None:
            return super().row_gradient(call)
        return self.softmax_rows(call.x) - self.shares(call)


@mutant(killed_by=("gradients.every-combination",))
class UnbatchedGradientNotDivided(NumpyTwin):
    """The gradient of an unbatched weighted mean keeps the weight that the division should cancel."""

    def scale(self, call, cotangents):
        return cotangents if call.logits.ndim == 1 and not call.ignored.any() else super().scale(call, cotangents)


@mutant(
    bug="NUM-04",
    link="https://github.com/PAIR-code/tiny-transformers/pull/67",
    killed_by=LOGITS,
)
class BackwardRecomputesWithoutShift(NumpyTwin):
    """backward recomputes exp(x) / sum exp(x) without the maximum."""

    def row_gradient(self, call):
        exponentials, shares = np.exp(call.x), self.shares(call)
        return exponentials / self.class_sum(exponentials) * shares.sum(axis=1, keepdims=True) - shares


@mutant(bug="NUM-10", link="https://github.com/linkedin/Liger-Kernel/pull/1391", killed_by=LOGITS)
class ProbabilitiesSavedInBfloat16(NumpyTwin):
    """The probabilities are saved for backward in bfloat16 though the logits are float32."""

    def row_gradient(self, call):
        shares = self.shares(call)
        saved = self.softmax_rows(call.x).astype(ml_dtypes.bfloat16).astype(call.x.dtype)
        return saved * shares.sum(axis=1, keepdims=True) - shares


@mutant(killed_by=LOGITS)
class SmallGradientsFiltered(NumpyTwin):
    """Elements of the gradient below 2^-12 are set to zero to skip their blocks."""

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        return np.where(np.abs(gradient) < 2**-12, 0, gradient)


@mutant(killed_by=("gradients.loss-unchanged",))
class LossWithoutSmoothingInBackward(NumpyTwin):
    """The call that also returns gradients computes its loss without the smoothing."""

    def row_losses(self, call):
        return super().row_losses(call if call.purpose != "gradient" else replace(call, eps=0.0))


@mutant(
    bug="ALI-03",
    link="https://github.com/modelscope/ms-swift/issues/10129",
    killed_by=("gradients.second-backward",),
)
class SecondBackwardReadsGradient(NumpyTwin):
    """The first backward writes the gradient over the probabilities that the second one reads."""

    def cross_entropy_vjp(self, cotangent, logits, target, *, repeats=1, upstream="leaf", **options):
        self._passes = repeats
        return super().cross_entropy_vjp(cotangent, logits, target, **options)

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        shares = self.shares(call)
        for _ in range(self._passes - 1):
            gradient = gradient * shares.sum(axis=1, keepdims=True) - shares
        return gradient


class DeclaredWeak(NumpyTwin):
    """A half-precision kernel that promises no more than the weakest tier of precision."""

    precision = WEAKEST


@mutant(
    link="https://github.com/linkedin/Liger-Kernel/issues/1329",
    killed_by=("gradients.in-float32",),
    dtypes=("bfloat16", "float16"),
)
class ProbabilityStoredBeforeTheTargetIsSubtracted(DeclaredWeak):
    """softmax is written over the logits in their format and the target subtracted there: p - 1 of a row that is
    nearly right is 0, or twice what it should be.
    """

    def row_gradient(self, call):
        shares = self.shares(call)
        stored = self.softmax_rows(call.x).astype(call.logits.dtype).astype(call.x.dtype)
        return stored * shares.sum(axis=1, keepdims=True) - shares


@mutant(killed_by=("gradients.sign",), dtypes=("bfloat16",))
class ProbabilitiesShiftedToSumToOne(DeclaredWeak):
    """What the stored probabilities of a row are off from 1 is taken from all of them alike: small ones go below 0."""

    def row_gradient(self, call):
        shares = self.shares(call)
        stored = self.softmax_rows(call.x).astype(call.logits.dtype).astype(call.x.dtype)
        stored -= (stored.sum(axis=1, keepdims=True) - 1) / call.classes
        return stored * shares.sum(axis=1, keepdims=True) - shares


@mutant(killed_by=("extremes.nan-gradient",))
class NanGradientsCleared(NumpyTwin):
    """The backward kernel ends with nan_to_num, so that a diverged row trains on as if nothing had been."""

    def row_gradient(self, call):
        return np.nan_to_num(super().row_gradient(call), nan=0.0)


@mutant(killed_by=("extremes.other-rows-of-a-batch",))
class BackwardScalesByTheStoredLoss(NumpyTwin):
    """The forward pass stores the reduced loss, and backward scales by it over the sum of the rows': 1, or nan."""

    def scale(self, call, cotangents):
        scale = super().scale(call, cotangents)
        if call.reduction == "none":
            return scale
        total = self.row_losses(call).sum()
        return scale * (1 + 0 * np.where(np.isinf(total), 0, total))
