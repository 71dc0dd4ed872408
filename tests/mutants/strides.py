"""Strides that a kernel author did not think of: broadcast weights and labels, channels last."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.layouts import read_as_dense
from mutants.numpy_twin import NumpyTwin


@mutant(killed_by=("layout.loss",))
class ExpandedWeightReadAsDense(NumpyTwin):
    """An expanded weight has stride 0 and one element; the kernel reads on past it."""

    def read_weight(self, weight):
        return read_as_dense(weight) if 0 in weight.strides else weight


@mutant(killed_by=("layout.loss", "layout.gradient"))
class ExpandedLabelsReadAsDense(NumpyTwin):
    """Expanded labels have stride 0 and one element; the kernel reads on past it."""

    def read_labels(self, target):
        if 0 in target.strides and target.size:
            target = np.clip(read_as_dense(target), 0, None)
        return super().read_labels(target)


@mutant(killed_by=("layout.loss",))
class ExpandedProbabilitiesReadAsDense(NumpyTwin):
    """Probabilities shared by all rows have a stride of 0, and the kernel reads on past the first row."""

    def check_probabilities(self, target, logits):
        super().check_probabilities(target, logits)
        self._expanded = target.size and target.strides[0] == 0 and target.shape[0] > 1

    def distribution(self, call):
        right = super().distribution(call)
        if call.probabilities is not None and self._expanded:
            right = right.copy()
            right[1:] = 0
        return right


@mutant(killed_by=("layout.loss",))
class ChannelsLastReadAsDense(NumpyTwin):
    """Logits in channels-last memory, (N, d1, d2, C) seen as (N, C, d1, d2), are read as if they were contiguous."""

    def by_row(self, array):
        last = array.ndim == 4 and array.size and np.moveaxis(array, 1, -1).flags.c_contiguous
        return super().by_row(read_as_dense(array) if last else array)


@mutant(killed_by=("layout.gradient",))
class GradientInChannelsLast(NumpyTwin):
    """The gradient of channels-last logits is filled in dense order and given their strides."""

    def restored(self, rows, call):
        right = super().restored(rows, call)
        x = call.logits
        if x.ndim > 2 and x.size and np.moveaxis(x, 1, -1).flags.c_contiguous and not x.flags.c_contiguous:
            shape = np.moveaxis(x, 1, -1).shape
            return np.ascontiguousarray(np.moveaxis(right.reshape(shape), -1, 1))
        return right


@mutant(killed_by=("layout.gradient",))
class SampleStrideTakenFromShape(NumpyTwin):
    """Samples of spatial logits are taken to lie C * d1 * ... * dk apart, whatever their stride says."""

    def by_row(self, array):
        if array.ndim > 2 and array.size and array.strides[0] > 0 and array[0].flags.c_contiguous:
            array = read_as_dense(array)
        return super().by_row(array)


@mutant(killed_by=("layout.gradient",))
class UpstreamRowStrideOnly(NumpyTwin):
    """A spatial upstream gradient is read with the stride of its last axis alone."""

    def cotangents(self, call, cotangent):
        cotangent = np.asarray(cotangent)
        if cotangent.ndim > 1 and cotangent.size and not cotangent.flags.c_contiguous:
            step = cotangent.strides[-1] // cotangent.itemsize
            if step > 0 and 0 not in cotangent.strides:
                from mutants.layouts import read_at

                cotangent = read_at(cotangent, np.arange(cotangent.size).reshape(cotangent.shape) * step)
        return super().cotangents(call, cotangent)


def offsets_of(view):
    """The offset of each element of an array from the first one, in elements."""
    steps = [np.arange(length) * (step // view.itemsize) for length, step in zip(view.shape, view.strides, strict=True)]
    return sum(np.ix_(*steps))


@mutant(
    bug="BIG-03",
    link="https://github.com/pytorch/pytorch/issues/190139",
    killed_by=("accuracy.every-offset", "gradients.every-offset"),
)
class FarLogitsReadAtShortOffsets(NumpyTwin):
    """The offset of a row or class of strided logits wraps: here at 2^16 for the 2^31 of the real bug, however few
    elements there are.
    """

    def by_row(self, array):
        rows = super().by_row(array)
        if array.ndim != 2 or array.flags.c_contiguous or not array.size:
            return rows
        return np.where(offsets_of(array) < 2**16, rows, rows[0, 0])


@mutant(killed_by=("accuracy.every-offset", "gradients.every-offset"))
class FarLabelsReadAtShortOffsets(NumpyTwin):
    """The offset of strided labels has 16 bits: one that lies further off is read from the beginning."""

    def read_labels(self, target):
        labels = super().read_labels(target)
        if target.ndim != 1 or target.flags.c_contiguous:
            return labels
        return np.where(offsets_of(target) < 2**16, labels, labels[:1])
