"""Linear maps that give the logits of a problem exactly in any arithmetic.

Hidden states, weights and biases are small integers and halves of such, and so are all sums of their products: they are
exact in any order of summation and in every format. So the exact answer for the logits is also that for the map.
"""

from __future__ import annotations

import numpy as np

from xent_conformance.calling.calls import Factors
from xent_conformance.problem import F64Array, Problem, array_of

#: Largest logits, so that all intermediate sums are exact.
LARGEST = 16.0
#: Number of hidden features that all classes, or rows, share; every other one belongs to one class or row.
SHARED = 2
#: From this many classes on, each row has a feature of its own instead of each class: the weight would be too large.
MANY_CLASSES = 514
#: Scales of a class's own feature.
SCALES = (1.0, -1.0, 0.5, 2.0)


def factors_of(problem: Problem, *, bias: bool) -> Factors | None:
    """Factors of logits (N, C); None if these are not small integers or have another shape.

    Class j has a feature ``own[j]`` of its own, with a scale; ``SHARED`` features and the bias contribute to every
    class, and the own feature compensates for them. With many classes, each row has a feature of its own instead.
    """
    logits = problem.logits.astype(np.float64)
    if logits.ndim != 2 or not np.isin(logits, np.arange(-LARGEST, LARGEST + 1)).all():  # noqa: PLR2004
        return None
    classes = logits.shape[1]
    offset = np.arange(classes) % 4 - 1.0 if bias else np.zeros(classes)
    if classes >= MANY_CLASSES:
        hidden, weight = _by_row(logits - offset)
    else:
        hidden, weight = _by_class(logits - offset)
    made = (array_of(part, problem.dtype) for part in (hidden, weight, offset))
    return Factors(*made) if bias else Factors(*(next(made), next(made)), None)


def _by_class(products: F64Array) -> tuple[F64Array, F64Array]:
    """Hidden states and weight with these products, with a feature for each class."""
    rows, classes = products.shape
    own, scale = np.arange(classes)[::-1], np.resize(np.array(SCALES), classes)
    weight = np.zeros((classes, classes + SHARED))
    weight[np.arange(classes), own] = scale
    weight[:, classes:] = _pattern(classes, SHARED, 3) - 2
    hidden = np.zeros((rows, classes + SHARED))
    # All of one sign, so that sums over the rows grow with their number.
    hidden[:, classes:] = _pattern(rows, SHARED, 7)
    hidden[:, own] = (products - hidden[:, classes:] @ weight[:, classes:].T) / scale
    return hidden, weight


def _by_row(products: F64Array) -> tuple[F64Array, F64Array]:
    """Hidden states and weight with these products, with a feature for each row."""
    rows, classes = products.shape
    own, scale = np.arange(rows)[::-1], np.resize(np.array(SCALES), rows)
    hidden = np.zeros((rows, rows + SHARED))
    hidden[np.arange(rows), own] = scale
    hidden[:, rows:] = _pattern(rows, SHARED, 7)
    weight = np.zeros((classes, rows + SHARED))
    weight[:, rows:] = _pattern(classes, SHARED, 3) - 2
    weight[:, own] = ((products - hidden[:, rows:] @ weight[:, rows:].T) / scale[:, None]).T
    return hidden, weight


def _pattern(rows: int, columns: int, step: int) -> F64Array:
    """Integers from 0 to 4."""
    return np.asarray((np.arange(rows)[:, None] * step + np.arange(columns) * 3) % 5, dtype=np.float64)
