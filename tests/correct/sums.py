"""Sums of the rows of a matrix in different orders, each partial sum rounded to a dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
#: From terms (rows, C) and the dtype of the partial sums to sums (rows,).
Sum = Callable[[Array, type], Array]

#: Terms of one block of a blocked sum.
BLOCK = 32


def sequential(terms: Array, dtype: type) -> Array:
    """One by one from the first to the last: height C - 1."""
    if not terms.shape[1]:
        return np.zeros(len(terms), dtype)
    return np.asarray(np.add.accumulate(terms.astype(dtype), axis=1, dtype=dtype)[:, -1])


def descending(terms: Array, dtype: type) -> Array:
    """One by one, the largest magnitude first: the order with the largest partial sums of all."""
    order = np.argsort(-np.abs(terms.astype(np.float64)), axis=1, kind="stable")
    return sequential(np.take_along_axis(terms, order, axis=1), dtype)


def pairwise(terms: Array, dtype: type) -> Array:
    """Neighbours first, then their sums: height log2 C."""
    found = terms.astype(dtype)
    if not found.shape[1]:
        return np.zeros(len(found), dtype)
    while found.shape[1] > 1:
        even = found.shape[1] // 2 * 2
        found = np.concatenate([found[:, 0:even:2] + found[:, 1:even:2], found[:, even:]], axis=1)
    return np.asarray(found[:, 0])


def blocked(terms: Array, dtype: type) -> Array:
    """Blocks one by one, then their sums one by one, as tiled kernels do."""
    starts = range(0, terms.shape[1], BLOCK)
    if not starts:
        return np.zeros(len(terms), dtype)
    return sequential(np.stack([sequential(terms[:, s : s + BLOCK], dtype) for s in starts], axis=1), dtype)
