"""Memory layouts, class axis, and the order of spatial positions."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


def memory_of(array):
    """The memory from an array's first element to its last byte, one-dimensional: what a pointer can reach."""
    _, high = np.lib.array_utils.byte_bounds(array)
    count = (high - array.__array_interface__["data"][0]) // array.itemsize
    return np.lib.stride_tricks.as_strided(array, (count,), (array.itemsize,), writeable=False)


def read_at(array, offsets):
    """Elements of an array's memory at some offsets; what lies outside of it reads as 0."""
    memory = memory_of(array)
    inside = (offsets >= 0) & (offsets < len(memory))
    return np.where(inside, memory[np.where(inside, offsets, 0)], np.zeros((), array.dtype)).astype(array.dtype)


def read_as_dense(array):
    """An array as a kernel sees it that takes a pointer and a shape."""
    return read_at(array, np.arange(array.size).reshape(array.shape)) if array.size else array


@mutant(bug="LAY-01", link="https://github.com/pytorch/pytorch/issues/67167", killed_by=("accuracy.loss",))
class LogitsReadAsDense(NumpyTwin):
    """The kernel gets a pointer and a shape, and reads any view as if it were contiguous."""

    def by_row(self, array):
        return super().by_row(read_as_dense(array))


@mutant(bug="LAY-01", link="https://github.com/pytorch/pytorch/issues/67167", killed_by=("accuracy.loss",))
class ClassStrideTakenForOne(NumpyTwin):
    """The row stride of 2-D logits is honoured, but classes are read one element after the other."""

    def by_row(self, array):
        if array.ndim == 2 and array.size:
            rows = np.arange(array.shape[0])[:, None] * (array.strides[0] // array.itemsize)
            array = read_at(array, rows + np.arange(array.shape[1]))
        return super().by_row(array)


@mutant(
    bug="LAY-08",
    link="https://github.com/pytorch/pytorch/issues/89673",
    killed_by=("accuracy.loss",),
)
class RowStrideTakenForClasses(NumpyTwin):
    """The stride between classes is honoured, but rows are taken to be C elements apart."""

    def by_row(self, array):
        if array.ndim == 2 and array.size:
            lanes = np.arange(array.shape[1]) * (array.strides[1] // array.itemsize)
            array = read_at(array, np.arange(array.shape[0])[:, None] * array.shape[1] + lanes)
        return super().by_row(array)


@mutant(bug="LAY-01", link="https://github.com/pytorch/pytorch/issues/67167", killed_by=("accuracy.loss",))
class TargetReadAsDense(NumpyTwin):
    """The strides of the labels are not looked at."""

    def read_labels(self, target):
        return super().read_labels(read_as_dense(target))


@mutant(killed_by=("layout.loss",))
class WeightReadAsDense(NumpyTwin):
    """The strides of the class weights are not looked at."""

    def read_weight(self, weight):
        return read_as_dense(weight)


@mutant(
    bug="GRD-03",
    link="https://github.com/ROCm/TransformerEngine/pull/623",
    killed_by=("gradients.expanded-cotangent", "gradients.logits"),
)
class ExpandedCotangentReadAsDense(NumpyTwin):
    """An expanded cotangent has stride 0 and one element; the kernel reads on past it."""

    def cotangents(self, call, cotangent):
        return super().cotangents(call, read_as_dense(cotangent) if 0 in cotangent.strides else cotangent)


@mutant(killed_by=("layout.gradient",))
class CotangentStridesIgnored(NumpyTwin):
    """A cotangent with strides of its own is read as if it were contiguous; expanded ones are copied first."""

    def cotangents(self, call, cotangent):
        return super().cotangents(call, cotangent if 0 in cotangent.strides else read_as_dense(cotangent))


@mutant(bug="LAY-04", link="https://github.com/ml-explore/mlx/pull/2641", killed_by=("layout.square-loss",))
class ChannelsLastGuessed(NumpyTwin):
    """The class axis is the last one where that fits the target's shape, as it does for (N, C, C) too."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if logits.ndim > 2 and target.shape == logits.shape[:-1] and call.x.size:
            call.x[:] = np.ascontiguousarray(logits).reshape(call.x.shape)
        return call


@mutant(killed_by=("accuracy.every-offset",))
class SpatialAxesSwapped(NumpyTwin):
    """Two spatial axes of the logits are walked in column order, those of the target in row order."""

    def by_row(self, array):
        return super().by_row(array if array.ndim != 4 else np.swapaxes(array, 2, 3))


@mutant(killed_by=("gradients.logits",))
class SpatialGradientNotMovedBack(NumpyTwin):
    """The gradient of spatial logits is reshaped, not transposed, back to (N, C, d1, ..., dk)."""

    def restored(self, rows, call):
        if call.logits.ndim < 3:
            return super().restored(rows, call)
        return rows.reshape(call.logits.shape).astype(call.logits.dtype)
