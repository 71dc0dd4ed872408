"""Label smoothing: its mass, who takes part, and when it is off."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(bug="LS-01", link="https://github.com/pytorch/pytorch/issues/73205", killed_by=("accuracy.loss",))
class UniformTermOfIgnoredRows(NumpyTwin):
    """The uniform term of the smoothing still counts ignored rows when the losses are reduced."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if not call.eps or call.reduction == "none":
            return losses
        uniform = -(self.log_probs(call) * call.class_weights).sum(axis=1) * call.eps / call.classes
        return np.where(call.ignored, uniform, losses)


@mutant(bug="LS-02", link="https://github.com/pytorch/pytorch/issues/69339", killed_by=("accuracy.loss",))
class SmoothedMeanGathersSentinel(NumpyTwin):
    """With weights and smoothing the mean gathers weight[target], sentinel included: out of bounds, or wrapped."""

    def row_weights(self, call):
        if call.probabilities is None and call.weight is not None and call.eps and call.ignored.any():
            return call.class_weights[call.raw_labels]
        return super().row_weights(call)


@mutant(bug="LS-04", link="https://github.com/paiml/aprender/pull/2199", killed_by=("accuracy.loss",))
class WrongSmoothingMass(NumpyTwin):
    """Each class gets (1 - eps) / C instead of eps / C: right for eps = 1/2 alone."""

    def smoothed(self, call, distribution):
        if not call.eps:
            return distribution
        return (1 - call.eps) * distribution + (1 - call.eps) / call.classes


@mutant(bug="LS-05", link="https://github.com/awslabs/sockeye/pull/203", killed_by=("accuracy.loss",))
class SmoothingOverOtherClasses(NumpyTwin):
    """eps is spread over the other C - 1 classes though the convention says all C."""

    def smoothed(self, call, distribution):
        if not call.eps or call.classes == 1 or call.probabilities is not None:
            return super().smoothed(call, distribution)
        return (1 - call.eps) * distribution + call.eps / (call.classes - 1) * (1 - distribution)


@mutant(killed_by=("accuracy.loss",))
class SmoothingOverPaddedClasses(NumpyTwin):
    """Past 128 classes eps is divided by the padded vocabulary, C rounded up to a multiple of 64."""

    def smoothed(self, call, distribution):
        padded = -(-call.classes // 64) * 64 if call.classes > 128 else call.classes
        return (1 - call.eps) * distribution + call.eps / padded if call.eps else distribution


@mutant(killed_by=("accuracy.loss",))
class SmoothingSkipsMaskedClasses(NumpyTwin):
    """The uniform term leaves out classes whose logit is -inf, where the loss is infinite by definition."""

    def terms(self, call):
        return np.where(np.isneginf(call.x), 0, super().terms(call)) if call.eps else super().terms(call)


@mutant(bug="LS-07", link="https://github.com/candle-org/MindAct/pull/1633", killed_by=("identities.impossible-class",))
class SmoothingTermWhenOff(NumpyTwin):
    """The uniform term is evaluated with eps = 0 too, where it is 0 times the infinity of a masked class."""

    def counted(self, call):
        return np.broadcast_to(~call.ignored[:, None], call.x.shape)


@mutant(
    bug="API-03",
    link="https://github.com/open-mmlab/mmpretrain/issues/983",
    killed_by=("accuracy.loss",),
)
class SmoothingDroppedForProbabilities(NumpyTwin):
    """The path for probability targets never looks at label_smoothing."""

    def smoothed(self, call, distribution):
        return distribution if call.probabilities is not None else super().smoothed(call, distribution)


@mutant(
    bug="API-02",
    link="https://github.com/explosion/thinc/pull/707",
    killed_by=("accuracy.loss",),
)
class FullSmoothingMeansOff(NumpyTwin):
    """Smoothing is applied where 0 < eps < 1, so eps = 1 is the hard loss."""

    def smoothed(self, call, distribution):
        return distribution if call.eps == 1 else super().smoothed(call, distribution)


@mutant(killed_by=("gradients.logits",))
class GradientOfTheHardLoss(NumpyTwin):
    """backward subtracts the one-hot target, as if there were no smoothing, where there are class weights."""

    def row_gradient(self, call):
        if not call.eps or call.weight is None:
            return super().row_gradient(call)
        shares = np.where(call.ignored[:, None], 0, self.distribution(call) * call.class_weights)
        return self.softmax_rows(call.x) * shares.sum(axis=1, keepdims=True) - shares


@mutant(
    bug="LS-06",
    link="https://github.com/pytorch/pytorch/issues/104776",
    killed_by=("accuracy.loss",),
)
class SmoothedDivisor(NumpyTwin):
    """With weights and smoothing the mean divides by the weights of the smoothed targets."""

    def row_weights(self, call):
        if call.probabilities is not None or call.weight is None or not call.eps:
            return super().row_weights(call)
        return self.shares(call).sum(axis=1)
