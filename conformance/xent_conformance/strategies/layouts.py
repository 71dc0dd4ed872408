"""Memory layouts: the same values behind other strides. A correct implementation cannot tell them apart."""

from __future__ import annotations

import numpy as np

from xent_conformance.problem import AnyArray

LAYOUTS = ("contiguous", "transposed", "strided", "offset", "reversed")


def laid_out(array: AnyArray, layout: str) -> AnyArray:
    """The array with the same values in another layout; what lies between its elements is not zero."""
    if layout == "contiguous" or array.ndim == 0 or not array.size:
        return array
    if layout == "transposed":
        return array.T.copy().T
    if layout == "reversed":
        return array[::-1].copy()[::-1]
    if layout == "read-only":
        view = laid_out(array, "strided")
        view.flags.writeable = False
        return view
    step, start = (2, 0) if layout == "strided" else (1, 3)
    memory = np.full((*array.shape[:-1], array.shape[-1] * step + start), 1, dtype=array.dtype)
    view = memory[..., start:] if step == 1 else memory[..., ::step]
    view[...] = array
    return view
