"""Tiny batches that a callable is tried on: numbers that every format has, labels of any dtype."""

from __future__ import annotations

from typing import Any

import ml_dtypes  # noqa: F401  (registers bfloat16 with NumPy)
import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
Problem = tuple[AnyArray, AnyArray]
Shapes = tuple[tuple[int, ...], tuple[int, ...]]

#: Shapes of logits and labels. With spatial dimensions all axes have different lengths.
FLAT: Shapes = ((2, 3), (2,))
UNBATCHED: Shapes = ((3,), ())
SPATIAL: tuple[Shapes, ...] = (((2, 3, 4), (2, 4)), ((4, 3, 2, 5), (4, 2, 5)))
#: More classes than labels of one byte distinguish, in more rows than one vector holds. Not more than labels of two
#: bytes do: a callable that makes the one-hot matrix of all classes would then need 17 GB.
BEYOND: Shapes = ((67, 300), (67,))


def problem_of(dtype: str, shapes: Shapes = FLAT, labels: str = "int64") -> Problem:
    """Logits and labels: 0 and 1 in turn, beside the largest that there is among many classes."""
    rows, count = shapes[1], np.prod(shapes[1], dtype=int)
    places = np.arange(count) % 2
    if shapes == BEYOND:
        places = places * min(shapes[0][1] - 1, np.iinfo(labels).max)
    return logits_of(shapes[0], dtype), places.reshape(rows).astype(labels)


def logits_of(shape: tuple[int, ...], dtype: str) -> AnyArray:
    """Logits that every format has, in which no two rows or classes are alike."""
    return ((np.arange(np.prod(shape)) * 7 % 5 - 2) / 2).reshape(shape).astype(dtype)


def distributions_of(dtype: str) -> Problem:
    """Logits and two distributions."""
    return logits_of(FLAT[0], dtype), np.array([[0.25, 0.25, 0.5], [1, 0, 0]]).astype(dtype)
