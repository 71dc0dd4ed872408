"""Labels that are no class: read somewhere else, clipped, wrapped, or checked in one path only."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

OUT_OF_RANGE = ("invalid_calls.labels-out-of-range",)


class Unchecked(NumpyTwin):
    """Looks labels up where ``place`` says, without a check where ``unchecked`` holds."""

    def unchecked(self, call):
        return True

    def check_labels(self, call):
        if not self.unchecked(call):
            super().check_labels(call)
        call.labels[:] = self.place(np.where(call.ignored, 0, call.raw_labels), call.classes)

    def place(self, labels, classes):
        return labels


@mutant(bug="LAY-06", link="https://github.com/PaddlePaddle/Paddle/issues/17232", killed_by=OUT_OF_RANGE)
class LabelsModuloClasses(Unchecked):
    """A label is taken modulo the number of classes."""

    def place(self, labels, classes):
        return labels % classes


@mutant(bug="INV-09", killed_by=OUT_OF_RANGE)
class LabelsClipped(Unchecked):
    """A label is clipped to the nearest class."""

    def place(self, labels, classes):
        return np.clip(labels, 0, classes - 1)


@mutant(bug="INV-09", killed_by=OUT_OF_RANGE)
class NegativeLabelsCountFromTheEnd(Unchecked):
    """Python's indexing: -1 is the last class, and only labels below -C are rejected."""

    def place(self, labels, classes):
        if (labels >= classes).any() or (labels < -classes).any():
            raise IndexError("index is out of bounds")
        return np.where(labels < 0, labels + classes, labels)


@mutant(bug="INV-05", link="https://github.com/tensorflow/tensorflow/issues/3739", killed_by=OUT_OF_RANGE)
class InvalidLabelHasEmptyOneHot(Unchecked):
    """The one-hot row of an invalid label is all zero, and so is its loss."""

    def place(self, labels, classes):
        return labels

    def row_weights(self, call):
        if call.probabilities is not None:
            return super().row_weights(call)
        return (self.distribution(call) * call.class_weights).sum(axis=1)


@mutant(bug="INV-01", link="https://github.com/pytorch/pytorch/issues/39769", killed_by=OUT_OF_RANGE)
class InvalidLabelReadsOn(Unchecked):
    """The label is an offset into the flat logits: C reads the first class of the next row."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        outside = ~call.ignored & ((call.labels < 0) | (call.labels >= call.classes))
        place = np.clip(call.rows * call.classes + call.labels, 0, max(call.x.size - 1, 0))
        return np.where(outside, -self.log_probs(call).reshape(-1)[place], losses) if outside.any() else losses

    def row_weights(self, call):
        outside = (call.labels < 0) | (call.labels >= call.classes)
        weights = call.class_weights[np.where(outside, 0, call.labels)]
        return super().row_weights(call) if call.probabilities is not None else np.where(call.ignored, 0, weights)


@mutant(bug="INV-02", link="https://github.com/pytorch/pytorch/issues/49882", killed_by=OUT_OF_RANGE)
class SpatialUnreducedUnchecked(Unchecked):
    """Labels are checked everywhere but in the kernel for spatial logits with reduction "none"."""

    def unchecked(self, call):
        return call.reduction == "none" and call.logits.ndim > 2

    def place(self, labels, classes):
        return np.clip(labels, 0, classes - 1)


@mutant(bug="INV-07", link="https://github.com/keras-team/keras/issues/23664", killed_by=OUT_OF_RANGE)
class SmoothedLabelsUnchecked(Unchecked):
    """The smoothed path builds a one-hot by comparison, which is all zero for an invalid label."""

    def unchecked(self, call):
        return bool(call.eps)

    def row_weights(self, call):
        if call.probabilities is not None or not call.eps:
            return super().row_weights(call)
        return (self.distribution(call) * call.class_weights).sum(axis=1)


@mutant(bug="INV-04", link="https://github.com/tensorflow/tensorflow/issues/57173", killed_by=OUT_OF_RANGE)
class InvalidLabelIsNan(Unchecked):
    """A row with an invalid label is nan though the convention says error."""

    def place(self, labels, classes):
        return np.clip(labels, 0, classes - 1)

    def row_losses(self, call):
        outside = ~call.ignored & ((call.raw_labels < 0) | (call.raw_labels >= call.classes))
        losses = super().row_losses(call)
        return losses if call.probabilities is not None else np.where(outside, np.nan, losses)


@mutant(bug="INV-08", link="https://github.com/pytorch/pytorch/issues/12670", killed_by=OUT_OF_RANGE)
class NegativeLabelsAreIgnored(NumpyTwin):
    """Every negative label is taken for the sentinel."""

    def ignored(self, labels, ignore_index, logits):
        return (labels == ignore_index) | (labels < 0)


@mutant(killed_by=OUT_OF_RANGE)
class OnlyFirstLabelChecked(Unchecked):
    """The check looks at the first label, since the others are 'the same kind'."""

    def unchecked(self, call):
        return call.raw_labels.size > 1 and 0 <= call.raw_labels[0] < call.classes

    def place(self, labels, classes):
        return np.clip(labels, 0, classes - 1)


@mutant(bug="INV-01", link="https://github.com/pytorch/pytorch/issues/66872", killed_by=OUT_OF_RANGE)
class LabelsTruncatedTo32Bits(NumpyTwin):
    """Labels are cast to int32 before the check, so 2^40 is class 0."""

    def read_labels(self, target):
        return target.reshape(-1).astype(np.int32).astype(np.int64)


@mutant(bug="PAR-03", link="https://github.com/apple/ml-cross-entropy/pull/59", killed_by=OUT_OF_RANGE)
class LabelCIsPadding(Unchecked):
    """The check allows the label C, which matches a padded lane with a logit of zero probability: a loss of 0."""

    def check_labels(self, call):
        outside = ~call.ignored & ((call.raw_labels < 0) | (call.raw_labels > call.classes))
        if outside.any():
            raise IndexError("label out of range")

    def row_weights(self, call):
        if call.probabilities is not None:
            return super().row_weights(call)
        return np.where(call.ignored, 0, np.append(call.class_weights, 1)[call.labels])


@mutant(
    bug="INV-03",
    link="https://github.com/pytorch/pytorch/issues/194802",
    killed_by=OUT_OF_RANGE,
)
class BackwardUnchecked(Unchecked):
    """forward rejects an invalid label; the backward kernel, called by itself, scatters it out of bounds."""

    def unchecked(self, call):
        return call.purpose == "gradient"

    def place(self, labels, classes):
        return np.clip(labels, 0, classes - 1)
