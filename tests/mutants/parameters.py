"""Options and shapes that make no sense, and are taken."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(
    bug="API-01",
    link="https://github.com/pytorch/pytorch/issues/134767",
    killed_by=("invalid_calls.smoothing-out-of-range",),
)
class NegativeSmoothingMeansOff(NumpyTwin):
    """Only the upper limit of label_smoothing is checked, and the smoothing is applied where it is positive."""

    def check_smoothing(self, label_smoothing):
        super().check_smoothing(max(label_smoothing, 0.0))

    def smoothed(self, call, distribution):
        return super().smoothed(call, distribution) if call.eps > 0 else distribution


@mutant(
    bug="API-01",
    link="https://github.com/pytorch/pytorch/issues/134767",
    killed_by=("invalid_calls.smoothing-out-of-range",),
)
class NanSmoothingMeansOff(NumpyTwin):
    """label_smoothing is rejected below 0 and above 1; nan is neither, and is not positive either."""

    def check_smoothing(self, label_smoothing):
        if isinstance(label_smoothing, bool | np.bool_) or label_smoothing < 0 or label_smoothing > 1:
            super().check_smoothing(label_smoothing)

    def smoothed(self, call, distribution):
        return super().smoothed(call, distribution) if call.eps > 0 else distribution


@mutant(
    bug="API-02",
    link="https://github.com/keras-team/keras/pull/23504",
    killed_by=("invalid_calls.smoothing-out-of-range",),
)
class SmoothingAboveOneClipped(NumpyTwin):
    """label_smoothing above 1 is clipped to 1."""

    def read(self, purpose, logits, target, **options):
        eps = options.pop("label_smoothing", 0.0)
        return super().read(purpose, logits, target, label_smoothing=min(eps, 1.0) if eps > 1 else eps, **options)


@mutant(killed_by=("invalid_calls.weight-shape",))
class WeightOfOtherLengthAccepted(NumpyTwin):
    """A weight longer than the classes is accepted: the rest is never read."""

    def check_weight(self, weight, logits):
        super().check_weight(None if weight is None else weight[: logits.shape[min(1, logits.ndim - 1)]], logits)

    def read(self, purpose, logits, target, **options):
        if options.get("weight") is not None:
            options["weight"] = options["weight"][: logits.shape[min(1, logits.ndim - 1)]]
        return super().read(purpose, logits, target, **options)


@mutant(killed_by=("invalid_calls.weight-shape",))
class SingleWeightBroadcast(NumpyTwin):
    """A weight of one element is broadcast to all classes."""

    def read(self, purpose, logits, target, **options):
        weight, classes = options.get("weight"), logits.shape[min(1, logits.ndim - 1)]
        if weight is not None and weight.shape == (1,):
            options["weight"] = np.repeat(weight, classes)
        return super().read(purpose, logits, target, **options)


@mutant(killed_by=("invalid_calls.reduction",))
class UnknownReductionIsMean(NumpyTwin):
    """A reduction that is neither "none" nor "sum" falls through to the mean."""

    def read(self, purpose, logits, target, **options):
        if options.get("reduction") not in ("none", "sum"):
            options["reduction"] = "mean"
        return super().read(purpose, logits, target, **options)


@mutant(
    bug="LAY-05",
    link="https://github.com/pytorch/pytorch/issues/157420",
    killed_by=("invalid_calls.shapes",),
)
class ColumnOfLabelsBroadcast(NumpyTwin):
    """Labels (N, 1) are gathered against rows (N), which makes N x N losses, and their mean a number."""

    def cross_entropy(self, logits, target, **options):
        if logits.ndim != 2 or target.shape != (len(logits), 1) or target.dtype != np.int64:
            return super().cross_entropy(logits, target, **options)
        rows = np.arange(len(logits))
        with np.errstate(all="ignore"):
            losses = -self.log_softmax_rows(self.by_row(logits))[rows, target]
        reduction = options.get("reduction", "mean")
        return self.cast(losses if reduction == "none" else np.asarray(getattr(losses, reduction)()), logits)


@mutant(
    bug="LAY-06",
    link="https://github.com/PaddlePaddle/Paddle/issues/17232",
    killed_by=("invalid_calls.shapes",),
)
class OneLabelForAllRows(NumpyTwin):
    """A single label is broadcast over the batch."""

    def read(self, purpose, logits, target, **options):
        if target.shape == (1,) and logits.ndim == 2:
            target = np.repeat(target, len(logits))
        return super().read(purpose, logits, target, **options)


@mutant(
    bug="LAY-05",
    link="https://github.com/pytorch/pytorch/issues/137188",
    killed_by=("invalid_calls.shapes",),
)
class ProbabilityRowBroadcast(NumpyTwin):
    """One row of probabilities is broadcast over the batch."""

    def read(self, purpose, logits, target, **options):
        if target.dtype == logits.dtype and target.shape == (1, *logits.shape[1:]):
            target = np.repeat(target, len(logits), axis=0)
        return super().read(purpose, logits, target, **options)


@mutant(
    bug="LAY-06",
    link="https://github.com/PaddlePaddle/Paddle/issues/17232",
    killed_by=("invalid_calls.shapes",),
)
class ExtraLabelsDropped(NumpyTwin):
    """Labels past the last row of logits are never read."""

    def read(self, purpose, logits, target, **options):
        if logits.ndim == 2 and target.ndim == 1 and len(target) > len(logits):
            target = target[: len(logits)]
        return super().read(purpose, logits, target, **options)
