"""Untuned: which rows count, what their labels are, and where a sentinel is taken for a class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(link="https://github.com/ROCm/AMDMIGraphX/pull/3008", untuned=True)
class SentinelClearsOneWeight(NumpyTwin):
    """Rows are ignored by a class weight of 0 for ignore_index; smoothed rows of other classes lose that weight too."""

    def weighted(self, call, shares):
        weights = np.array(np.broadcast_to(call.class_weights, call.classes))
        if call.probabilities is None and 0 <= call.ignore_index < call.classes:
            weights[call.ignore_index] = 0
        return shares * weights


@mutant(link="https://github.com/OpenNMT/OpenNMT/issues/570", untuned=True)
class SentinelIndexesTheUniformPart(NumpyTwin):
    """The uniform distribution is set to 0 at ignore_index: a negative one counts from the end."""

    def smoothed(self, call, distribution):
        smoothed = super().smoothed(call, distribution)
        if call.eps and call.probabilities is None and -call.classes <= call.ignore_index < 0:
            smoothed[:, call.ignore_index] = (1 - call.eps) * distribution[:, call.ignore_index]
        return smoothed


@mutant(bug="INV-05", link="https://github.com/tensorflow/tensorflow/issues/3739", untuned=True)
class AnyNegativeLabelIgnored(NumpyTwin):
    """Every negative label is ignored where ignore_index is negative."""

    def ignored(self, labels, ignore_index, logits):
        return (labels < 0) if ignore_index < 0 else labels == ignore_index


@mutant(untuned=True)
class LabelsCheckedAgainstPaddedClasses(NumpyTwin):
    """Labels are checked against the number of classes rounded up to a multiple of 8."""

    def check_labels(self, call):
        padded = (call.raw_labels >= call.classes) & (call.raw_labels < -(-call.classes // 8) * 8) & ~call.ignored
        super().check_labels(replace(call, raw_labels=np.where(padded, 0, call.raw_labels)))
        call.labels[padded] = call.classes - 1


@mutant(untuned=True)
class MaskOfTheFirstColumn(NumpyTwin):
    """Which positions of an image are ignored is looked up in its first column, and holds for the whole line."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if logits.ndim == 4 and call.probabilities is None and call.x.size:
            ignored = call.ignored.reshape(call.row_shape)
            ignored[...] = ignored[..., :1]
        return call


@mutant(untuned=True)
class PaddingRowsKnowOneSentinel(NumpyTwin):
    """Batches past 64 rows are padded to a multiple of 64 with label -100, which other sentinels do not ignore."""

    def reduced(self, call, losses):
        padding = -len(losses) % 64
        if len(losses) <= 64 or not padding or call.ignore_index == -100 or call.probabilities is not None:
            return super().reduced(call, losses)
        if call.reduction == "none":
            return super().reduced(call, losses)
        weight = call.class_weights[0]
        extra = padding * weight * np.log(np.float32(call.classes))
        divisor = self.divisor(call) + padding * weight if call.reduction == "mean" else 1
        return self.cast(np.asarray((losses.sum() + extra) / divisor), call.logits)


@mutant(untuned=True)
class OneHotTargetsTakenForLabels(NumpyTwin):
    """Probabilities with a 1 in every row are taken for one-hot, and gathered by argmax: other shares are lost."""

    def distribution(self, call):
        right = super().distribution(call)
        if call.probabilities is None or not right.size or not (right.max(axis=1) == 1).all():
            return right
        return (np.arange(call.classes) == right.argmax(axis=1)[:, None]).astype(right.dtype)


@mutant(untuned=True)
class ProbabilitiesOfTheLastTile(NumpyTwin):
    """Past 256 classes a last, partial tile of the logits meets the probabilities of the tile before it."""

    def distribution(self, call):
        right, tail = super().distribution(call), call.classes % 256
        if call.probabilities is None or call.classes <= 256 or not tail:
            return right
        return np.concatenate([right[:, :-tail], right[:, -256 - tail : -256]], axis=1)


@mutant(untuned=True)
class ReversedRowsReadForward(NumpyTwin):
    """A negative stride between rows is taken for its magnitude, from the lowest address on."""

    def by_row(self, array):
        reversed_rows = array.ndim == 2 and len(array) > 1 and array.strides[0] < 0
        return super().by_row(array[::-1] if reversed_rows else array)


@mutant(untuned=True)
class NegativeLossesClamped(NumpyTwin):
    """Losses below zero are taken for rounding errors and set to 0; negative weights give such losses too."""

    def row_losses(self, call):
        return np.maximum(super().row_losses(call), 0)
