"""Reduction and divisor: what the mean divides by."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(
    bug="RED-01",
    link="https://github.com/tracel-ai/burn/issues/5568",
    killed_by=("accuracy.loss", "gradients.logits"),
)
class MeanOverAllRows(NumpyTwin):
    """Without class weights the mean divides by all rows, ignored ones included."""

    def divisor(self, call):
        return super().divisor(call) if call.weight is not None else np.float64(len(call.x)) or np.nan


@mutant(bug="RED-01", link="https://github.com/PaddlePaddle/Paddle/issues/48663", killed_by=("accuracy.loss",))
class NegativeSentinelsInDivisor(NumpyTwin):
    """The rows to divide by are counted with the mask only where ignore_index >= 0."""

    def row_weights(self, call):
        if call.ignore_index >= 0 or call.probabilities is not None or call.weight is not None:
            return super().row_weights(call)
        return np.ones(len(call.x), call.x.dtype)


@mutant(bug="RED-02", link="https://github.com/pytorch/pytorch/pull/69511", killed_by=("accuracy.loss",))
class IgnoredTargetsInWeightedDivisor(NumpyTwin):
    """The weighted divisor gathers weights before the mask, so an ignored row adds the weight of class 0."""

    def row_weights(self, call):
        if call.probabilities is not None or call.weight is None:
            return super().row_weights(call)
        return call.class_weights[call.labels]


@mutant(bug="RED-02", link="https://github.com/tracel-ai/burn/issues/5568", killed_by=("accuracy.loss",))
class SentinelClassInWeightedDivisor(NumpyTwin):
    """An ignored row adds the weight of the class that the sentinel names, where it names one."""

    def row_weights(self, call):
        weights = super().row_weights(call)
        if call.weight is None or call.probabilities is not None or not 0 <= call.ignore_index < call.classes:
            return weights
        return np.where(call.ignored, call.class_weights[call.ignore_index], weights)


@mutant(bug="RED-03", link="https://github.com/pytorch/pytorch/issues/25571", killed_by=("accuracy.loss",))
class WeightedMeanOverRows(NumpyTwin):
    """The weighted mean divides by the number of rows that are left, not by their weights."""

    def row_weights(self, call):
        return super().row_weights(call) if call.probabilities is not None else (~call.ignored).astype(call.x.dtype)


@mutant(bug="RED-05", link="https://github.com/pytorch/pytorch/issues/70348", killed_by=("accuracy.loss",))
class DivisorAtLeastOne(NumpyTwin):
    """The divisor is kept at 1 or more against 0/0, which also changes every total weight below 1."""

    def divisor(self, call):
        return max(self.row_weights(call).sum(), 1)


@mutant(killed_by=("accuracy.loss",))
class DivisorWithEpsilon(NumpyTwin):
    """1e-6 is added to the divisor against 0/0."""

    def divisor(self, call):
        return self.row_weights(call).sum() + call.x.dtype.type(1e-6)


@mutant(killed_by=("accuracy.loss",))
class NegativeDivisorFloored(NumpyTwin):
    """The divisor is kept above 1e-12, so a negative total weight becomes a huge mean."""

    def divisor(self, call):
        return np.maximum(self.row_weights(call).sum(), 1e-12) or np.nan


@mutant(bug="DTY-06", link="https://github.com/pytorch/pytorch/issues/134896", killed_by=("accuracy.loss",))
class WeightsCountedAsIntegers(NumpyTwin):
    """The total weight is held in an integer counter."""

    def divisor(self, call):
        total = super().divisor(call)
        return total if call.probabilities is not None or np.isnan(total) else np.float32(np.trunc(total))


@mutant(bug="RED-06", link="https://github.com/linkedin/Liger-Kernel/pull/435", killed_by=("dtypes.output",))
class UnreducedIsSummed(NumpyTwin):
    """With smoothing, reduction "none" returns one number."""

    def reduced(self, call, losses):
        if call.reduction == "none" and call.eps:
            return self.cast(np.asarray(losses.sum()), call.logits)
        return super().reduced(call, losses)


@mutant(killed_by=("dtypes.output",))
class UnbatchedLossHasAnAxis(NumpyTwin):
    """An unbatched call with reduction "none" returns the batch axis that was added inside."""

    def reduced(self, call, losses):
        loss = super().reduced(call, losses)
        return loss.reshape(1) if call.reduction == "none" and call.logits.ndim == 1 else loss


@mutant(
    bug="RED-09",
    link="https://github.com/keras-team/keras/pull/23187",
    killed_by=("accuracy.loss",),
)
class FastPathWithoutMask(NumpyTwin):
    """A plain batch (N, C) without weights or smoothing takes losses.mean(), mask or no mask."""

    def reduced(self, call, losses):
        plain = call.weight is None and not call.eps and call.logits.ndim == 2 and call.probabilities is None
        if plain and call.reduction == "mean" and losses.size:
            return self.cast(np.asarray(losses.mean()), call.logits)
        return super().reduced(call, losses)


@mutant(killed_by=("accuracy.loss", "gradients.logits"))
class SpatialMeanOverBatch(NumpyTwin):
    """With spatial dimensions and probability targets the mean divides by N, not by all N*d1*...*dk rows."""

    def divisor(self, call):
        spatial = call.logits.ndim > 2 and call.probabilities is not None
        return np.float64(call.logits.shape[0]) or np.nan if spatial else super().divisor(call)


@mutant(bug="WGT-07", link="https://github.com/PFCCLab/PaddleAPITest/pull/410", killed_by=("accuracy.loss",))
class ProbabilityDivisorWeighted(NumpyTwin):
    """With probabilities and weights the mean divides by sum of w t though the convention says rows."""

    def row_weights(self, call):
        if call.probabilities is None or call.weight is None:
            return super().row_weights(call)
        return (call.probabilities * call.class_weights).sum(axis=1)


@mutant(bug="WGT-06", link="https://github.com/pytorch/pytorch/pull/83235", killed_by=("accuracy.every-combination",))
class SingleRowNotDivided(NumpyTwin):
    """A batch of one row skips the division of the mean."""

    def divisor(self, call):
        return 1 if len(call.x) == 1 and not call.ignored.any() else super().divisor(call)
