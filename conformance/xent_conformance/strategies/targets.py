"""Targets, class weights and ignored rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from xent_conformance.problem import F64Array

Labels = npt.NDArray[np.int64]


def _index(pick: Callable[[np.random.Generator, F64Array], npt.ArrayLike]) -> Callable[..., Labels]:
    def labels(rng: np.random.Generator, logits: F64Array) -> Labels:
        return np.asarray(pick(rng, logits), dtype=np.int64)

    return labels


#: The target class of each row, for logits (rows, C).
LABELS: dict[str, Callable[[np.random.Generator, F64Array], Labels]] = {
    "random": _index(lambda rng, x: rng.integers(0, x.shape[1], len(x))),
    "argmax": _index(lambda _, x: x.argmax(axis=1)),
    "argmin": _index(lambda _, x: np.where(np.isfinite(x), x, np.inf).argmin(axis=1)),
    "first": _index(lambda _, x: np.zeros(len(x))),
    "last": _index(lambda _, x: np.full(len(x), x.shape[1] - 1)),
}


def _dirichlet(concentration: float) -> Callable[[np.random.Generator, F64Array], F64Array]:
    def rows(rng: np.random.Generator, logits: F64Array) -> F64Array:
        return rng.dirichlet(np.full(logits.shape[1], concentration), len(logits)).reshape(logits.shape)

    return rows


def _one_hot(rng: np.random.Generator, logits: F64Array) -> F64Array:
    rows = np.zeros(logits.shape)
    rows[np.arange(len(rows)), rng.integers(0, logits.shape[1], len(rows))] = 1.0
    return rows


def _unnormalised(rng: np.random.Generator, logits: F64Array) -> F64Array:
    return rng.integers(0, 5, size=logits.shape) / 4


#: Target distributions (rows, C).
PROBABILITIES: dict[str, Callable[[np.random.Generator, F64Array], F64Array]] = {
    "dense probabilities": _dirichlet(1.0),
    "peaked probabilities": _dirichlet(0.05),
    "one-hot probabilities": _one_hot,
    "unnormalised probabilities": _unnormalised,
}


def _some_zero(rng: np.random.Generator, classes: int) -> F64Array:
    return (rng.random(classes) + 0.05) * (rng.random(classes) < 0.6)


def _one_zero(rng: np.random.Generator, classes: int) -> F64Array:
    return np.where(np.arange(classes) == rng.integers(classes), 0.0, 1.0)


def _negative(rng: np.random.Generator, classes: int) -> F64Array:
    return rng.normal(size=classes)


#: Class weights (C,); None: no weight.
WEIGHTS: dict[str, Callable[[np.random.Generator, int], F64Array] | None] = {
    "none": None,
    "random": lambda rng, classes: rng.random(classes) * 2 + 0.01,
    "some zero": _some_zero,
    "one zero": _one_zero,
    "all zero": lambda _, classes: np.zeros(classes),
    "powers of two": lambda rng, classes: np.exp2(rng.integers(-3, 4, classes).astype(np.float64)),
    "constant": lambda _, classes: np.full(classes, 3.0),
    "negative": _negative,
}

#: Values of ``ignore_index`` outside the range of classes in most problems. 255 fits into a byte.
OUTSIDE = (-100, -1, -2, 255, 2**16 - 1)


def _outside(classes: int, limits: np.iinfo[np.signedinteger]) -> list[int]:
    """Numbers outside the range of classes, within the limits of a dtype if there are any."""
    outside = [number for number in OUTSIDE if not 0 <= number < classes]
    return [number for number in outside if limits.min <= number <= limits.max] or outside


def ignoring(
    kind: str, rng: np.random.Generator, labels: Labels, classes: int, dtype: str = "int64"
) -> tuple[Labels, int | None]:
    """Labels in which some rows are ignored according to ``kind``, and the class index that marks them (None: no row).

    A mark that is not a class is one that ``dtype`` can represent, if there is any. For the kind "default" the backend
    chooses that index; its rows are marked with -100 here. A single row is ignored only half as often, because nothing
    else of such a problem could be judged.
    """
    rows = len(labels)
    if kind == "none" or not rows:
        return labels, None
    spared = rows == 1 and kind != "all" and bool(rng.integers(2))
    if kind == "a target" and spared:
        return labels, (int(labels[0]) + 1) % classes if classes > 1 else -100
    if kind == "a target":
        return labels, int(labels[rng.integers(rows)])
    if kind == "in range":
        return labels, int(rng.integers(min(classes, np.iinfo(dtype).max + 1)))
    sentinel = -100 if kind == "default" else int(rng.choice(_outside(classes, np.iinfo(dtype))))
    marked = {
        "all": np.ones(rows, bool),
        "tail": np.arange(rows) >= rows - max(1, rows // 4),
        "first": np.arange(rows) == 0,
    }.get(kind, rng.random(rows) < rng.choice([0.3, 0.6]))
    return np.where(marked & (not spared), sentinel, labels), sentinel
