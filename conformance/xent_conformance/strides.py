"""Views of memory with strides of their own."""

from __future__ import annotations

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

    Made as raw bytes of the same width, since the dtypes of ml_dtypes have no buffers of their own.
    """
    found: AnyArray = np.ndarray(shape, np.dtype(f"V{dtype.itemsize}"), memory, start, strides).view(dtype)
    return found


def once(strides: tuple[int, ...]) -> tuple[slice, ...]:
    """The index that leaves out the repetitions of elements behind strides of zero."""
    return tuple(slice(0, 1) if step == 0 else slice(None) for step in strides)
