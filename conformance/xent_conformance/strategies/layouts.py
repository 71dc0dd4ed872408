"""Memory layouts: the same values with different strides. A correct implementation gives the same results for all."""

from __future__ import annotations

import numpy as np

from xent_conformance.problem import AnyArray

#: A stride of zero along the rows: a layout of arrays whose rows are equal.
REPEATED = "repeated"
LAYOUTS = ("contiguous", "transposed", "strided", "offset", "reversed", "sliced", "channels last")


def laid_out(array: AnyArray, layout: str) -> AnyArray:
    """The array with the same values in another layout; the memory between its elements is not zero.

    An array that is ``REPEATED`` gets the values of its first row.
    """
    if layout == "contiguous" or array.ndim == 0 or not array.size:
        return array
    if layout == "transposed":
        return array.T.copy().T
    if layout == "reversed":
        return array[::-1].copy()[::-1]
    if layout == REPEATED:
        return np.broadcast_to(array[:1].copy(), array.shape)
    class_axis = min(1, array.ndim - 1)
    if layout == "channels last":
        return np.moveaxis(np.moveaxis(array, class_axis, -1).copy(), -1, class_axis)
    if layout == "sliced":
        view = _part_of_longer(array, class_axis)
    else:
        step, start = (1, 3) if layout == "offset" else (2, 0)
        memory = np.full((*array.shape[:-1], array.shape[-1] * step + start), 1, dtype=array.dtype)
        view = memory[..., start:] if step == 1 else memory[..., ::step]
    view[...] = array
    view.flags.writeable = layout != "read-only"
    return view


def _part_of_longer(array: AnyArray, axis: int) -> AnyArray:
    """A view of the first elements along an axis of a longer array, as after slicing: only outer strides grow."""
    longer = list(array.shape)
    longer[axis] += 1
    return np.full(longer, 1, dtype=array.dtype)[(slice(None),) * axis + (slice(array.shape[axis]),)]
