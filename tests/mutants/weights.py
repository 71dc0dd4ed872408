"""Class weights: where they go in, and which of them."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(bug="WGT-01", link="https://github.com/PaddlePaddle/Paddle/pull/24352", killed_by=("accuracy.loss",))
class WeightsOnTheLogits(NumpyTwin):
    """Weights multiply the log-probabilities before the softmax is done: the logits."""

    def log_probs(self, call):
        return super().log_softmax_rows(call.x * call.class_weights)

    def weighted(self, call, shares):
        return shares


@mutant(bug="WGT-04", link="https://github.com/kulinseth/pytorch/pull/233", killed_by=("accuracy.every-share",))
class WeightsBroadcastOverRows(NumpyTwin):
    """Weights broadcast over the rows where there are as many rows as classes."""

    def weighted(self, call, shares):
        if call.weight is not None and len(call.x) == call.classes:
            return shares * call.weight[:, None]
        return super().weighted(call, shares)


@mutant(bug="WGT-05", link="https://github.com/pytorch/pytorch/issues/63004", killed_by=("accuracy.loss",))
class ZeroWeightLeavesTheSoftmax(NumpyTwin):
    """A class of weight zero is left out of the partition function."""

    def log_probs(self, call):
        dropped = (call.class_weights == 0) & (call.class_weights.any())
        maximum = self.maximum(call.x)
        exponentials = np.where(dropped, 0, np.exp(call.x - maximum))
        return call.x - maximum - np.log(self.class_sum(exponentials))


@mutant(killed_by=("accuracy.loss",))
class ZeroWeightSilencesTheRow(NumpyTwin):
    """Rows whose target has weight zero are skipped, though their smoothing term has other weights."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.probabilities is not None:
            return losses
        return np.where(call.class_weights[call.labels] == 0, 0, losses)


@mutant(bug="WGT-07", link="https://github.com/pytorch/pytorch/pull/61044", killed_by=("accuracy.loss",))
class MeanWeightOfProbabilities(NumpyTwin):
    """With probabilities the whole row is multiplied by sum of w t, not each class by its own weight."""

    def weighted(self, call, shares):
        if call.probabilities is None:
            return super().weighted(call, shares)
        return shares * (call.probabilities * call.class_weights).sum(axis=1, keepdims=True)


@mutant(
    bug="API-03",
    link="https://github.com/open-mmlab/mmpretrain/issues/983",
    killed_by=("accuracy.loss", "gradients.logits"),
)
class WeightsDroppedForProbabilities(NumpyTwin):
    """The path for probability targets never looks at the class weights."""

    def weighted(self, call, shares):
        return shares if call.probabilities is not None else super().weighted(call, shares)


@mutant(killed_by=("accuracy.loss",))
class WeightsNormalised(NumpyTwin):
    """Weights are scaled to a mean of 1, which only the mean over the rows forgives."""

    def read_weight(self, weight):
        mean = weight.astype(np.float64).mean()
        return weight / mean if mean and np.isfinite(mean) else weight


@mutant(killed_by=("accuracy.loss", "gradients.logits"))
class NegativeWeightsClipped(NumpyTwin):
    """Negative weights count as zero."""

    def read_weight(self, weight):
        return np.maximum(weight, 0)


@mutant(bug="WGT-06", link="https://github.com/pytorch/pytorch/issues/14289", killed_by=("accuracy.every-combination",))
class UnbatchedWeightCancels(NumpyTwin):
    """An unbatched call drops the weights since they cancel: true of the mean, not of sum and none."""

    def weighted(self, call, shares):
        return shares if call.logits.ndim == 1 and not call.eps else super().weighted(call, shares)

    def row_weights(self, call):
        hard = call.logits.ndim == 1 and not call.eps and call.probabilities is None
        return (~call.ignored).astype(call.x.dtype) if hard else super().row_weights(call)


@mutant(
    bug="LS-06",
    link="https://github.com/pytorch/pytorch/issues/104776",
    killed_by=("accuracy.loss",),
)
class TargetWeightOnSmoothingInSum(NumpyTwin):
    """In the sum alone, the target's weight multiplies the whole smoothed row."""

    def weighted(self, call, shares):
        if call.reduction == "sum" and call.probabilities is None:
            return shares * call.class_weights[call.labels][:, None]
        return super().weighted(call, shares)


@mutant(killed_by=("accuracy.loss",))
class SmoothingTermUnweighted(NumpyTwin):
    """The uniform term of the smoothing ignores the class weights."""

    def shares(self, call):
        if call.weight is None or not call.eps or call.probabilities is not None:
            return super().shares(call)
        hard = (1 - call.eps) * self.distribution(call) * call.class_weights
        return np.where(call.ignored[:, None], 0, hard + call.eps / call.classes).astype(call.x.dtype)
