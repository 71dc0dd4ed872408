"""Thresholds and shortcuts: amounts taken for nothing, for everything, or for a safe number."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.invalid_labels import OUT_OF_RANGE, Unchecked
from mutants.numpy_twin import NumpyTwin


class _Amounts(NumpyTwin):
    """Takes one amount of smoothing for another."""

    def read(self, purpose, logits, target, **options):
        eps = options.get("label_smoothing", 0.0)
        self.check_smoothing(eps)
        return super().read(purpose, logits, target, **{**options, "label_smoothing": self.taken_for(eps)})


@mutant(killed_by=("label_smoothing.every-amount",))
class SlightSmoothingDropped(_Amounts):
    """Smoothing below 0.005 takes the fast path without smoothing."""

    def taken_for(self, eps):
        return 0.0 if eps < 0.005 else eps


@mutant(killed_by=("label_smoothing.every-amount",))
class NearlyFullSmoothingIsFull(_Amounts):
    """Smoothing from 0.95 on is taken for 1, where the labels need not be read."""

    def taken_for(self, eps):
        return 1.0 if eps >= 0.95 else eps


@mutant(killed_by=("label_smoothing.every-amount",))
class SmoothingInPercent(_Amounts):
    """The amount of smoothing travels as a whole number of percent."""

    def taken_for(self, eps):
        return round(eps, 2)


@mutant(killed_by=("weights.every-scale",))
class SmallDivisorFloored(NumpyTwin):
    """A divisor nearer to zero than 0.001 becomes 0.001 so that nothing explodes; zero itself stays."""

    def divisor(self, call):
        total = super().divisor(call)
        return np.copysign(np.float32(0.001), total) if abs(total) < 0.001 else total


@mutant(killed_by=("weights.every-scale",))
class DivisorWithTinyEpsilon(NumpyTwin):
    """1e-12 is added to the divisor: far below any rounding of a count, not of a sum of small weights."""

    def divisor(self, call):
        return super().divisor(call) + call.x.dtype.type(1e-12)


@mutant(killed_by=("ignore_index.sentinel-is-exact",))
class SentinelOf64Bits(NumpyTwin):
    """Labels are compared as int32 with a sentinel of 64 bits: one past 2^31 ignores nothing."""

    def ignored(self, labels, ignore_index, logits):
        return labels.astype(np.int32) == np.int64(ignore_index)


@mutant(killed_by=OUT_OF_RANGE)
class First64LabelsChecked(Unchecked):
    """The labels of the first 64 rows are checked, to save time; later ones are clipped."""

    def unchecked(self, call):
        first = call.raw_labels[:64]
        return bool((((first >= 0) & (first < call.classes)) | call.ignored[:64]).all())

    def place(self, labels, classes):
        return np.clip(labels, 0, classes - 1)


@mutant(killed_by=("invalid_calls.reduction",))
class ReductionInAnyCase(NumpyTwin):
    """The reduction is compared in lower case, so that "Mean" is a mean."""

    def read(self, purpose, logits, target, **options):
        reduction = options.get("reduction", "mean")
        self.check_reduction(reduction.lower())
        return super().read(purpose, logits, target, **{**options, "reduction": reduction.lower()})


@mutant(killed_by=OUT_OF_RANGE)
class LabelNextToTheSentinelIgnored(NumpyTwin):
    """Labels are compared with ignore_index in float32, where 2^24 + 1 equals 2^24."""

    def ignored(self, labels, ignore_index, logits):
        return labels.astype(np.float32) == np.float32(ignore_index)
