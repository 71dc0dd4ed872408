"""Cotangents of every size that a format can represent, in every layout."""

from __future__ import annotations

import math

import numpy as np

from xent_conformance.formats import rounded
from xent_conformance.problem import AnyArray, F64Array, Problem, array_of
from xent_conformance.strategies.layouts import laid_out

#: Exponents of two between which a cotangent counts as usual.
SMALL, LARGE = -10.0, 4.0
#: The largest gradient that a cotangent may lead to, as a share of the largest finite number. It is smaller for "large"
#: and "uneven" cotangents, because second derivatives sum over the classes.
SHARES = {"largest": 0.6, "mixed": 0.6, "large": 0.6 / 16, "uneven": 0.6 / 16, "summed": 0.6 / 256}
#: Factor on the smallest cotangent that leaves room for products of small numbers.
ROOM = {"less": 2.0**16, "uneven": 2.0**16, "summed": 2.0**16}
#: Sizes of cotangents: large ones, small ones, and both in one array. "summed" is for sums over all rows.
LARGE_ONLY, SMALL_ONLY, BOTH = ("large", "largest"), ("small", "less"), ("mixed", "uneven", "summed")
#: Kinds of cotangents that are memory layouts.
VIEWS = ("strided", "reversed", "same along one axis")


def parts(kind: str) -> tuple[str, str]:
    """What the numbers are like and where they lie, and their size: "" for usual ones.

    >>> parts("large"), parts("strided"), parts("strided, large")
    (('random', 'large'), ('strided', ''), ('strided', 'large'))
    """
    if kind in (*LARGE_ONLY, *SMALL_ONLY, *BOTH):
        return "random", kind
    form, _, size = kind.partition(", ")
    return form, size


def cotangent_of(problem: Problem, kind: str, rng: np.random.Generator) -> AnyArray:
    """A cotangent of one kind, in the shape and dtype of a problem's loss."""
    form, size = parts(kind)
    if problem.reduction != "none":
        return array_of(_values(problem, form, size, rng, None), problem.dtype)
    values = _values(problem, form, size, rng, problem.rows)
    if form == "same":
        return np.broadcast_to(array_of(values.reshape(-1)[:1].sum(), problem.dtype), problem.row_shape)
    if form == "equal" and values.size:
        values = np.full(values.shape, values[0])
    array = array_of(values.reshape(problem.row_shape), problem.dtype)
    if form == "same along one axis" and array.ndim:
        return np.broadcast_to(array[..., :1], array.shape)
    return laid_out(array, form) if form in VIEWS else array


def _values(problem: Problem, form: str, size: str, rng: np.random.Generator, rows: int | None) -> F64Array:
    """Numbers for ``rows`` losses, None for a reduced loss: multiples of 1/4, which every format holds exactly.

    The form "random" has all digits of the format: round numbers would hide a conversion to a narrower one.
    """
    shape = () if rows is None else (rows,)
    if size:
        values = _of_any_size(problem, size, rng, shape)
    else:
        values = np.asarray(rng.integers(-12, 13, size=shape) / 4, dtype=np.float64)
        if form in ("random", *VIEWS):
            values = values * (1 + rng.random() / 8)
        if form == "ones":
            return np.ones(shape)
        if form == "zeros":
            return np.zeros(shape)
        if form in ("same", "equal") and rows is not None:
            return np.full(shape, 1.75)
    if form == "zero first" and rows:
        values[0] = 0.0
        return values
    return np.where(values == 0, 1.25, values)


def _of_any_size(problem: Problem, kind: str, rng: np.random.Generator, size: tuple[int, ...]) -> F64Array:
    """Numbers of both signs whose logarithms are uniform; every third is as large or as small as allowed."""
    share = SHARES.get(kind, 1.0) / (max(1, problem.rows) if kind == "summed" else 1)
    smallest, largest = _range(problem, share, ROOM.get(kind, 1.0))
    low = LARGE if kind in LARGE_ONLY else smallest
    high = SMALL if kind in SMALL_ONLY else largest
    if low >= high:
        return np.asarray(rng.choice([-1.25, 0.75, 2.5], size=size))
    exponents = rng.uniform(low, high, size=size)
    end = rng.integers(0, 6, size=size)
    if kind in BOTH and end.size > 1:
        # Few rows would otherwise rarely have both.
        end[-2:] = rng.permutation(2)
    exponents = np.where(end == 0, high, np.where(end == 1, low, exponents))
    signs = rng.choice([-1.0, 1.0], size=size)
    return np.asarray(rounded(np.exp2(exponents) * signs, problem.dtype))


def _range(problem: Problem, share: float, room: float) -> tuple[float, float]:
    """Exponents of the smallest and the largest cotangent that survive every step of a correct implementation.

    The steps are: division by the mean's divisor, and products with a weight and with the shares of a row. A number so
    small that it would underflow and then be multiplied (by a logarithm) or divided is out of range.
    """
    fmt, weight = problem.format, np.abs(problem.class_weights())
    smallest, gain = fmt.smallest_normal * room, max(1.0, float(weight.max(initial=0.0)))
    divisor = _divisor(problem) if problem.reduction == "mean" else 1.0
    if problem.has_probabilities:
        # The gradient of the targets is a product with log-probabilities.
        x = problem.logits_by_row()
        finite = np.where(np.isfinite(x), x, np.nan)
        farthest = float(np.nanmax(np.nanmax(finite, axis=1) - np.nanmin(finite, axis=1))) + math.log(problem.classes)
        gain *= max(1.0, farthest, float(problem.probabilities().sum(axis=1).max()))
        smallest *= 32 / min(1.0, float(weight[weight > 0].min(initial=1.0)))
    if not divisor:
        return 0.0, 0.0
    if divisor < 1:
        smallest = 1.0
    largest = fmt.max_finite * share / gain * min(1.0, divisor)
    return math.log2(smallest), math.log2(largest)


def _divisor(problem: Problem) -> float:
    """The magnitude of the mean's divisor."""
    if problem.divisor is not None:
        return problem.divisor
    if problem.has_probabilities:
        return float(problem.rows)
    return abs(float(problem.class_weights()[problem.labels()[~problem.ignored()]].sum()))
