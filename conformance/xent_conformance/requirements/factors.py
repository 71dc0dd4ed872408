"""Linear maps that give the logits of a problem exactly, whatever arithmetic they are evaluated in.

Hidden states, weights and biases are small integers and halves of such, as are all sums of their products: no order of
summation, and no format from bfloat16 on, rounds any of them. So the exact answer to the logits is that to the map.
"""

from __future__ import annotations

import numpy as np

from xent_conformance.calling.calls import Factors
from xent_conformance.problem import F64Array, Problem, array_of

#: Logits up to this size leave room for everything that is added to them on the way.
LARGEST = 16.0
#: Hidden features beside those that each class, or each row, has for itself.
SHARED = 2
#: From so many classes on each row has a feature for itself, and not each class: the weight would be too large.
MANY_CLASSES = 514
#: What the class's own feature is scaled with.
SCALES = (1.0, -1.0, 0.5, 2.0)


def factors_of(problem: Problem, *, bias: bool) -> Factors | None:
    """Factors of logits (N, C); None where these are no small integers or have another shape.

    Class j has the feature ``own[j]`` for itself, with a scale; ``SHARED`` features are every class's, and a bias. The
    own feature makes up for what the others add. Of many classes each row has a feature for itself instead.
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
    """Return hidden and weight with these products, of which each class has a feature for itself."""
    rows, classes = products.shape
    own, scale = np.arange(classes)[::-1], np.resize(np.array(SCALES), classes)
    weight = np.zeros((classes, classes + SHARED))
    weight[np.arange(classes), own] = scale
    weight[:, classes:] = _pattern(classes, SHARED, 3) - 2
    hidden = np.zeros((rows, classes + SHARED))
    # Of one sign, so that sums over the rows grow with them.
    hidden[:, classes:] = _pattern(rows, SHARED, 7)
    hidden[:, own] = (products - hidden[:, classes:] @ weight[:, classes:].T) / scale
    return hidden, weight


def _by_row(products: F64Array) -> tuple[F64Array, F64Array]:
    """Return hidden and weight with these products, of which each row has a feature for itself."""
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
