"""The small batches for trial calls: logits that are exact in every format, and labels of any integer dtype."""

from __future__ import annotations

from typing import Any

import ml_dtypes  # noqa: F401  (registers bfloat16 with NumPy)
import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
Problem = tuple[AnyArray, AnyArray]
Shapes = tuple[tuple[int, ...], tuple[int, ...]]

#: Shapes of logits and labels. Axes of spatial logits have different lengths, so that no two can be confused.
FLAT: Shapes = ((2, 3), (2,))
UNBATCHED: Shapes = ((3,), ())
SPATIAL: tuple[Shapes, ...] = (((2, 3, 4), (2, 4)), ((4, 3, 2, 5), (4, 2, 5)))
#: More classes than 8-bit labels can represent, in more rows than a vector register holds. There is no batch for more
#: classes than 16-bit labels can represent: a callable that makes a one-hot matrix of all classes would need 17 GB.
BEYOND: Shapes = ((67, 300), (67,))


def problem_of(dtype: str, shapes: Shapes = FLAT, labels: str = "int64") -> Problem:
    """Logits, and alternating labels: 0 and 1 or, for the shapes BEYOND, 0 and the largest label of the dtype."""
    rows, count = shapes[1], np.prod(shapes[1], dtype=int)
    places = np.arange(count) % 2
    if shapes == BEYOND:
        places = places * min(shapes[0][1] - 1, np.iinfo(labels).max)
    return logits_of(shapes[0], dtype), places.reshape(rows).astype(labels)


def logits_of(shape: tuple[int, ...], dtype: str) -> AnyArray:
    """Logits that are exact in every format; no two rows and no two classes are equal."""
    return ((np.arange(np.prod(shape)) * 7 % 5 - 2) / 2).reshape(shape).astype(dtype)


def distributions_of(dtype: str) -> Problem:
    """Logits and target probabilities of two rows."""
    return logits_of(FLAT[0], dtype), np.array([[0.25, 0.25, 0.5], [1, 0, 0]]).astype(dtype)
