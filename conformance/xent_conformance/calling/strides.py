"""Views of memory with arbitrary strides."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xent_conformance.problem import AnyArray


def view_of(
    memory: npt.NDArray[np.uint8],
    dtype: np.dtype[np.generic],
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    start: int,
) -> AnyArray:
    """The array whose first element begins at byte ``start``.

    It is made as raw bytes of the same width, since the dtypes of ml_dtypes do not support buffers.
    """
    view: AnyArray = np.ndarray(shape, np.dtype(f"V{dtype.itemsize}"), memory, start, strides).view(dtype)
    return view


def overlapping(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> bool:
    """Whether elements of a view overlap, as in windows that advance by less than their width.

    Views with a stride of zero, or a negative one, are left to :func:`once`.
    """
    if not all(step > 0 and step % itemsize == 0 for step in strides):
        return False
    return extent(shape, strides) // itemsize + 1 < math.prod(shape)


def extent(shape: Sequence[int], strides: Sequence[int]) -> int:
    """Distance from the first element to the last, in the unit of the strides."""
    return sum((n - 1) * step for n, step in zip(shape, strides, strict=True))


def behind(view: AnyArray) -> AnyArray:
    """The elements in memory from the first of an overlapping view to its last, one after the other."""
    count = extent(view.shape, view.strides) // view.itemsize + 1
    return np.lib.stride_tricks.as_strided(view, (count,), (view.itemsize,))


def windows(memory: AnyArray, shape: tuple[int, ...], strides: tuple[int, ...]) -> AnyArray:
    """The inverse of :func:`behind`."""
    return np.lib.stride_tricks.as_strided(memory, shape, strides)


def strides_like(array: AnyArray, shape: Sequence[int]) -> tuple[int, ...] | None:
    """Strides for another shape like those of an array: with the same order of axes in memory, gaps, directions and
    repetitions. None for another number of axes, or if elements overlap.
    """
    if array.ndim != len(shape) or overlapping(array.shape, array.strides, array.itemsize):
        return None
    strides = [0] * array.ndim
    reach = new_reach = array.itemsize
    for axis in sorted(range(array.ndim), key=lambda axis: (abs(array.strides[axis]), -axis)):
        step, length = array.strides[axis], array.shape[axis]
        if step == 0:
            continue
        # The stride of an axis of length 1 is arbitrary.
        gap = max(abs(step) - reach, 0) if length > 1 else 0
        strides[axis] = (new_reach + gap) * (1 if step > 0 else -1)
        reach, new_reach = max(abs(step), reach) * length, (new_reach + gap) * shape[axis]
    return tuple(strides)


def once(strides: tuple[int, ...]) -> tuple[slice, ...]:
    """The index that omits the repetitions of elements with strides of zero."""
    return tuple(slice(0, 1) if step == 0 else slice(None) for step in strides)
