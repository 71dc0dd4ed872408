"""Regimes of logits: rows that provoke one kind of fault each.

A regime makes one row of C float64 values from a generator; the caller rounds it to the dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from xent_conformance.formats import Format
from xent_conformance.problem import F64Array

Regime: TypeAlias = "Callable[[np.random.Generator, int, Format], F64Array]"

#: Largest magnitude of "huge" logits; larger ones would reveal nothing more.
HUGE = 1e30


def _normal(scale: float) -> Regime:
    def row(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
        return rng.normal(size=classes) * scale

    return row


def _grid(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return rng.integers(-8, 9, size=classes).astype(np.float64)


def _equal(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return np.full(classes, float(rng.choice([0.0, 1.0, -3.0, 30.0, -1000.0])))


def _two_values(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return rng.choice([0.0, float(rng.normal()) * 3], size=classes)


def _near_ties(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return np.asarray(
        float(rng.normal()) * 10 * (1 + 2 * fmt.unit_roundoff * rng.integers(-2, 3, size=classes)), dtype=np.float64
    )


def _dominated(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    """One lane, often the first or the last, holds nearly all of the mass."""
    row = rng.normal(size=classes) if rng.random() < 0.5 else np.zeros(classes)
    lane = rng.choice([0, classes - 1, int(rng.integers(classes))])
    row[lane] += rng.choice([8.0, 20.0, 80.0])
    return row


def _large_gap(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    row = rng.normal(size=classes)
    row[int(rng.integers(classes))] += rng.choice([50.0, 120.0, 800.0, 1e4])
    return row


def _masked(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    row = np.where(rng.random(classes) < 0.4, -np.inf, rng.normal(size=classes) * 5)
    row[int(rng.integers(classes))] = 1.0
    return row


def _masked_span(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    """All classes masked except a span, as by padding and attention masks: whole blocks, often all but one class."""
    unit = int(rng.choice([1, 8, 32]))
    first = int(rng.integers(classes)) // unit * unit
    width = int(rng.choice([1, unit, classes]))
    row = np.full(classes, -np.inf)
    row[first : first + width] = rng.normal(size=len(row[first : first + width])) * 3
    return row


def _very_negative(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return rng.normal(size=classes) - float(rng.choice([50.0, 120.0, 1e3]))


def _offset(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return rng.integers(-4, 5, size=classes).astype(np.float64) + float(
        rng.choice([100.0, 1e3, -1e3, 2.0**13, 2.0**20])
    )


def _subnormal(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return rng.normal(size=classes) * fmt.smallest_normal


def _ascending(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return np.sort(rng.normal(size=classes) * 4)


def _descending(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return _ascending(rng, classes, fmt)[::-1]


def _huge(rng: np.random.Generator, classes: int, fmt: Format) -> F64Array:
    return rng.uniform(-1, 1, size=classes) * min(fmt.max_finite, HUGE) * 0.45


REGIMES: dict[str, Regime] = {
    "normal": _normal(1.0),
    "narrow": _normal(1e-3),
    "wide": _normal(10.0),
    "very wide": _normal(100.0),
    "enormous": _normal(1e3),
    "grid": _grid,
    "equal": _equal,
    "two values": _two_values,
    "near ties": _near_ties,
    "dominated": _dominated,
    "large gap": _large_gap,
    "masked": _masked,
    "masked span": _masked_span,
    "very negative": _very_negative,
    "offset": _offset,
    "subnormal": _subnormal,
    "ascending": _ascending,
    "descending": _descending,
    "huge": _huge,
}


def _end(fmt: Format) -> float:
    """The largest logit; for float64 half of the largest number, so that the oracle can represent differences."""
    return fmt.max_finite / 2 if fmt.name == "float64" else fmt.max_finite


#: The ends of the range, which only the stream for requirements about them draws.
EXTREMES: dict[str, Regime] = {
    "largest": lambda rng, classes, fmt: rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], size=classes) * _end(fmt),
    # Below any constant with which a kernel may initialise a maximum.
    "lowest": lambda rng, classes, fmt: rng.choice([-1.0, -0.75, -0.5], size=classes) * _end(fmt),
    "smallest": lambda rng, classes, fmt: rng.integers(-3, 4, size=classes).astype(np.float64) * _smallest(fmt),
    "widest gap": lambda rng, classes, fmt: (
        np.where(np.arange(classes) == rng.integers(classes), 1.0, -1.0) * _end(fmt)
    ),
}


def _smallest(fmt: Format) -> float:
    """The smallest positive number of a format, a subnormal one."""
    return fmt.smallest_normal * 2 * fmt.unit_roundoff


#: A different regime for every row.
MIXED = "mixed"


#: Most rows that are generated; in larger problems rows are repeated.
DIFFERENT_ROWS = 256


def logits_rows(regime: str, rng: np.random.Generator, rows: int, classes: int, fmt: Format) -> F64Array:
    """Logits (rows, C) of a regime, not yet rounded to the format."""
    made = min(rows, DIFFERENT_ROWS)
    if regime == MIXED:
        names = rng.permutation(list(REGIMES))
        picks = [REGIMES[names[i % len(names)]] for i in range(made)]
    else:
        picks = [REGIMES[regime] if regime in REGIMES else EXTREMES[regime]] * made
    found = np.array([pick(rng, classes, fmt) for pick in picks], dtype=np.float64).reshape(made, classes)
    return found if made == rows else found[rng.integers(0, made, rows)]
