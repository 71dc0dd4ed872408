"""Linear maps that give the logits of a problem exactly in any arithmetic.

Hidden states, weights and biases are small integers and halves of such, and so are all sums of their products: they are
exact in any order of summation and in every format. So the exact answer for the logits is also that for the map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xent_conformance.calling.calls import Factors
from xent_conformance.formats import HALVES, Format, format_named
from xent_conformance.problem import F64Array, Problem, array_of

#: Largest logits, so that all intermediate sums are exact.
LARGEST = 16.0
#: Number of hidden features that all classes, or rows, share; every other one belongs to one class or row.
SHARED = 2
#: From this many classes on, each row has a feature of its own instead of each class: the weight would be too large.
MANY_CLASSES = 514
#: Numbers of features at the edges of tiles. Problems of fewer than ``LEAST`` logits have as few features as possible,
#: and no factor has more than ``MOST`` elements.
FEATURES = (15, 16, 17, 31, 33, 48, 63, 64, 65, 96, 127, 128, 129, 200, 255, 256)
LEAST, MOST = 64, 1 << 18
#: Of the features between a row's own and the shared ones, one in so many is not zero.
SPARSE = 8
#: Scales of a class's own feature.
SCALES = (1.0, -1.0, 0.5, 2.0)


def factors_of(problem: Problem, *, bias: bool) -> Factors | None:
    """Factors of logits (N, C); None if these are not small integers or have another shape.

    Class j has a feature ``own[j]`` of its own, with a scale; ``SHARED`` features and the bias contribute to every
    class, and the own feature compensates for them. With many classes, each row has a feature of its own instead.
    Further features between these bring their number to one of ``FEATURES``.
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
    classes = products.shape[1]
    own, scale = np.arange(classes)[::-1], np.resize(np.array(SCALES), classes)
    hidden, weight = _common(products, classes)
    weight[np.arange(classes), own] = scale
    hidden[:, own] = (products - hidden[:, classes:] @ weight[:, classes:].T) / scale
    return hidden, weight


def _by_row(products: F64Array) -> tuple[F64Array, F64Array]:
    """Hidden states and weight with these products, with a feature for each row."""
    rows = products.shape[0]
    own, scale = np.arange(rows)[::-1], np.resize(np.array(SCALES), rows)
    hidden, weight = _common(products, rows)
    hidden[np.arange(rows), own] = scale
    weight[:, own] = ((products - hidden[:, rows:] @ weight[:, rows:].T) / scale[:, None]).T
    return hidden, weight


def _common(products: F64Array, own: int) -> tuple[F64Array, F64Array]:
    """Hidden states and weight for these products, with all features but the first ``own``, which are still zero.

    The products of the further features add up to at most an eighth of their number, those of the shared ones to 16.
    """
    rows, classes = products.shape
    features = own + SHARED
    possible = [n for n in FEATURES if features <= n <= MOST // max(rows, classes)]
    if possible and rows * classes >= LEAST:
        # Any number that differs from problem to problem.
        features = possible[int(np.abs(products).sum()) % len(possible)]
    hidden, weight = np.zeros((rows, features)), np.zeros((classes, features))
    between = np.arange(features - own - SHARED)
    hidden[:, own:-SHARED] = (np.arange(rows)[:, None] + between) % SPARSE == 0
    weight[:, own:-SHARED] = (np.arange(classes)[:, None] * 5 + between * 7) % 3 - 1
    # All of one sign, so that sums over the rows grow with their number.
    hidden[:, -SHARED:] = _pattern(rows, SHARED, 7)
    weight[:, -SHARED:] = _pattern(classes, SHARED, 3) - 2
    return hidden, weight


def _pattern(rows: int, columns: int, step: int) -> F64Array:
    """Integers from 0 to 4."""
    return np.asarray((np.arange(rows)[:, None] * step + np.arange(columns) * 3) % 5, dtype=np.float64)


def rounding_factors(problem: Problem) -> tuple[Factors, Problem, Problem] | None:
    """Factors of logits that a half format rounds, and the problem with the rounded logits and with those in float32.

    The logits of ``problem`` are small integers l, those of the map are 2^(p+1) + l for a format of p bits. Each is the
    sum of two products, so that the order of summation does not matter. Numbers of that size are 4 apart, and each l is
    0 or 1 above a multiple of 4: to the nearest number it is rounded down. None for other logits and for wider dtypes.
    """
    logits = problem.logits.astype(np.float64)
    if problem.dtype not in HALVES or logits.ndim != 2:  # noqa: PLR2004 - (N, C)
        return None
    if not np.isin(logits, [base + step for base in range(0, int(LARGEST), 4) for step in (0, 1)]).all():
        return None
    rows, classes = logits.shape
    start = 2.0 / problem.format.unit_roundoff
    hidden, weight = np.zeros((rows, classes + 1)), np.zeros((classes, classes + 1))
    hidden[:, :classes], hidden[:, classes] = logits, start
    weight[:, :classes], weight[:, classes] = np.eye(classes), 1.0
    factors = Factors(array_of(hidden, problem.dtype), array_of(weight, problem.dtype), None)
    rounded = problem.with_(logits=array_of(start + logits // 4 * 4, problem.dtype))
    fields = {name: getattr(problem, name) for name in problem.__dataclass_fields__}
    wide = WideLogits(**{**fields, "logits": (start + logits).astype(np.float32)}, inputs=problem.dtype)
    return factors, rounded, wide


@dataclass(frozen=True, eq=False)
class WideLogits(Problem):
    """A problem with logits that are float32 within the call; its inputs and results are of the dtype ``inputs``."""

    inputs: str = "bfloat16"

    @property
    def format(self) -> Format:
        """Format of inputs and results."""
        return format_named(self.inputs)

    @property
    def dtype(self) -> str:
        """Its name."""
        return self.inputs
