"""Problems of a false-alarm campaign: drawn ones, and those in which rounding errors add up instead of cancelling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import dtype_of, rounded
from xent_conformance.interface import Capabilities
from xent_conformance.problem import AnyArray, F64Array, Problem, array_of
from xent_conformance.strategies.broad import CONFIDENT, SIZES
from xent_conformance.strategies.language_models import LANGUAGE_MODELS
from xent_conformance.strategies.operand_dtypes import LABEL_DTYPES, MIXED_DTYPES
from xent_conformance.strategies.situations import COTANGENTS, EXTREME
from xent_conformance.strategies.streams import JOINT, Draw, recipes_of

#: Number of drawn problems of each stream for each dtype and seed.
DRAWN = {
    JOINT: 60,
    SIZES: 12,
    LABEL_DTYPES: 12,
    EXTREME: 12,
    COTANGENTS: 6,
    CONFIDENT: 12,
    LANGUAGE_MODELS: 12,
    MIXED_DTYPES: 6,
}

#: Classes and rows of the directed problems: one more than a power of two, so that sums are exact in no order.
CLASSES = (3, 33, 257, 1025, 4097)
ROWS = (3, 33, 257, 1025)
#: Equal logits whose exponential, or logarithm of the class sum, has no short binary expansion.
VALUES = (0.0, 0.7, -3.3)
#: Common offsets, which reduce the accuracy of form B.
OFFSETS = (0.0, 90.0, 1000.0)


def drawn(dtype: str, capabilities: Capabilities, seed: int, pool: int | None) -> Iterator[Problem]:
    """Problems of the streams; every other one with probability targets has random signs."""
    signs = np.random.default_rng(seed)
    # Each shape of another stream would be compiled for a few problems.
    streams = DRAWN if pool is None else {JOINT: DRAWN[JOINT]}
    recipes = (
        recipe for stream, count in streams.items() for recipe in recipes_of(stream, dtype, Draw(seed, count, pool))
    )
    for number, recipe in enumerate(recipes):
        problem = recipe.build(dtype, capabilities)
        if problem.has_probabilities and number % 2:
            flipped = problem.target.astype(np.float64) * signs.choice((-1.0, 1.0), problem.target.shape)
            problem = replace(problem, target=array_of(flipped, problem.target.dtype.name))
        yield problem


def directed(dtype: str, capabilities: Capabilities, seed: int) -> Iterator[Problem]:
    """Ties, ascending and descending rows, offsets, and long batches of equal losses, with numbers from the seed."""
    rng = np.random.default_rng(seed)
    sentinel = capabilities.default_ignore_index
    for classes in CLASSES:
        for x in _rows(rng, classes):
            yield from _with_options(_stored(x, dtype), rng, capabilities, dtype)
    for rows in ROWS:
        for x in _rows(rng, 3):
            # All rows are the same, so that all roundings of the sum over the batch have the same sign.
            logits, labels = _stored(np.tile(x[:1], (rows, 1)), dtype), np.full((rows,), rng.integers(3), np.int64)
            weight = _stored(rng.uniform(0.3, 1.7, 3), dtype)
            for reduction in ("sum", "mean"):
                yield Problem(logits, labels, reduction=reduction, cotangent=_ones((), dtype), sentinel=sentinel)
                if capabilities.weight:
                    ones = _ones((), dtype)
                    yield Problem(logits, labels, weight, None, reduction, cotangent=ones, sentinel=sentinel)


def _rows(rng: np.random.Generator, classes: int) -> Iterable[F64Array]:
    """Logits (2, C): equal except for one, two-valued, ascending and descending, each with an offset."""
    tied = np.full((2, classes), rng.choice(VALUES) + rng.uniform(-0.1, 0.1))
    tied[1, 0] += rng.uniform(0.5, 3.0)
    slope = np.sort(rng.uniform(-9.0, 0.0, (2, classes)), axis=1)
    slope[1] = slope[1, ::-1]
    two = np.where(np.arange(classes) % 2 == 0, 0.0, rng.uniform(-4.0, 0.0, (2, 1)))
    offset = rng.choice(OFFSETS)
    return [x + offset for x in (tied, slope, two)]


def _with_options(
    logits: AnyArray, rng: np.random.Generator, capabilities: Capabilities, dtype: str
) -> Iterator[Problem]:
    """Problems with the same logits: plain, smoothed, and with probability targets, weighted in turn."""
    rows, classes = logits.shape
    sentinel, ones = capabilities.default_ignore_index, _ones((rows,), dtype)
    labels = np.asarray(rng.integers(0, classes, rows))
    plain = Problem(logits, labels, reduction="none", cotangent=ones, sentinel=sentinel)
    yield plain
    if capabilities.label_smoothing:
        yield replace(plain, label_smoothing=float(rng.choice((0.1, 0.9, 1.0))))
    if capabilities.probability_targets:
        shares = _stored(np.full((rows, classes), rng.uniform(0.7, 1.0) / classes), dtype)
        yield replace(plain, target=shares)
        if capabilities.weight:
            yield replace(plain, target=shares, weight=_stored(rng.uniform(0.3, 1.7, classes), dtype))


def _stored(values: npt.ArrayLike, dtype: str) -> AnyArray:
    return array_of(rounded(np.asarray(values, dtype=np.float64), dtype), dtype)


def _ones(shape: tuple[int, ...], dtype: str) -> AnyArray:
    return np.ones(shape).astype(dtype_of(dtype))
