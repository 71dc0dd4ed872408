"""Enumerated problems: every combination of the options, every offset past 16 bits, sentinels beside labels in use.

What a random draw meets too seldom is listed. Each list is short, its problems small, and the same for every seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import format_named
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import F64Array, Problem
from xent_conformance.requirements.sweeps import MIDDLE_CLASSES, class_counts
from xent_conformance.requirements.twins import claims_rank, classes_of, problem_of, row_shape_of
from xent_conformance.strategies.sources import listed

#: One problem of each rank, as few numbers as tell the options apart. One row is a batch that code likes to skip.
RANKS: tuple[tuple[int, ...], ...] = ((3,), (1, 3), (4, 3), (2, 3, 2))
#: Two, three and four axes beside rows and classes, all of different length where that tells axes apart.
DEEP_RANKS: tuple[tuple[int, ...], ...] = ((2, 3, 2, 4), (2, 3, 2, 3, 4), (2, 3, 1, 2, 3, 2))
SMOOTHINGS = (0.0, 0.1, 1.0)
#: Amounts of smoothing that a threshold, a table or a rounding takes for others.
AMOUNTS = (1e-6, 1e-5, 1e-4, 0.001, 0.004, 0.01, 0.05, 0.0625, 0.137, 0.2, 1 / 3, 0.625, 0.777, 0.9, 0.96, 0.99, 0.9999)
WEIGHTS: tuple[list[float] | None, ...] = (None, [0.3, 1.7, 0.6], [1.5, 0.0, -0.7])
#: What class weights are multiplied by: a constant against 0 / 0 is seen where they are small.
SCALES = (2.0**-40, 2.0**-24, 2.0**-13, 2.0**-7, 2.0**7, 2.0**24, 2.0**40)
#: Spatial logits with more elements than 15 and 16 bits count, and with more rows; neighbours differ along each axis.
WRAPPING: tuple[tuple[int, ...], ...] = ((2, 3, 83, 67), (2, 5, 97, 71), (3, 2, 22003))
#: The same for probability targets without spatial dimensions.
WRAPPING_ROWS = (70, 1003)
#: Labels in use beside a sentinel that differs from them by one where float8, bfloat16, float16 and 16 bits end.
NEIGHBOURS = ((300, (16, 17, 128, 255, 256, 258), 257), (2060, (2046, 2047, 2048, 2050, 2051), 2049))
#: A sentinel that is such a label in 8, 16 or 32 bits and no class.
WRAPPED = (256, -256, 2**16, -(2**16), 2**32, -(2**32))


@listed("every combination")
def every_combination(subject: Subject) -> Iterator[Problem]:
    """Every combination of rank, kind of target, weight, ignored rows, reduction and smoothing that is claimed."""
    claims = subject.capabilities
    ranks = [shape for shape in RANKS if claims_rank(subject, shape)]
    kinds = ["index"]
    default = 0 if claims.default_ignore_index is None else claims.default_ignore_index
    kinds += ["default"] if claims.default_ignore_index is not None else []
    kinds += ["class"] if claims.ignore_index else []
    kinds += ["probabilities"] if claims.probability_targets else []
    smoothings = SMOOTHINGS if claims.label_smoothing else (0.0,)
    weights = WEIGHTS if claims.weight else WEIGHTS[:1]
    choices = list(product(ranks, kinds, weights, claims.reductions, smoothings))
    # Of more axes each kind of target in each reduction, once with weights and once with smoothing.
    deep = [shape for shape in DEEP_RANKS if claims_rank(subject, shape)]
    some = [(weights[0], smoothings[len(smoothings) // 2]), (weights[-1], smoothings[0])]
    choices += [(s, k, w, r, e) for s, k, r, (w, e) in product(deep, kinds, claims.reductions, some)]
    for number, (shape, kind, weight, reduction, eps) in enumerate(choices):
        rng = np.random.default_rng(number)
        options: dict[str, Any] = {"label_smoothing": eps, "weight": weight}
        logits = rng.integers(-12, 13, size=shape) / 4
        if kind == "probabilities":
            yield problem_of(subject, logits, rng.integers(0, 5, size=shape) / 4, reduction, **options)
            continue
        row_shape = row_shape_of(shape)
        labels = np.arange(int(np.prod(row_shape))) % classes_of(shape)
        if kind == "default" and labels.size > 1:
            labels[::3] = default
        if kind == "class":
            # One row in three holds this class; a lone row is left.
            options["ignore_index"] = 1
        yield problem_of(subject, logits, labels.reshape(row_shape), reduction, **options)


@listed("every share")
def every_share(subject: Subject) -> Iterator[Problem]:
    """For every number of classes problems whose loss adds up over the classes, one of them far below the others.

    The classes have shares by smoothing and weights, or by a target distribution of two classes.
    """
    claims = subject.capabilities
    counts = class_counts(subject)
    # Of the large numbers every other one: streams draw them with these options too.
    counts = [c for c in counts if c <= max(MIDDLE_CLASSES)] + [c for c in counts if c > max(MIDDLE_CLASSES)][1::2]
    for classes in () if claims.static_shapes else counts:
        lanes = np.unique([classes - 1, 0, classes // 2, classes // 3])
        lanes = lanes[-1:] if classes > max(MIDDLE_CLASSES) else lanes
        rows = np.arange(len(lanes))
        logits = np.tile(np.arange(classes) % 3 / 4, (len(lanes), 1))
        logits[rows, lanes] = -200.0
        reduction = _first(subject)
        if claims.label_smoothing:
            weight = 1.0 + np.arange(classes) % 5 / 4 if claims.weight else None
            yield problem_of(subject, logits, lanes // 2, reduction, weight=weight, label_smoothing=0.5)
        if claims.probability_targets:
            target = np.zeros(logits.shape)
            target[:, 0] = 0.25
            target[rows, lanes] = 0.75
            yield problem_of(subject, logits, target, reduction)


@listed("every amount")
def every_amount(subject: Subject) -> Iterator[Problem]:
    """Amounts of smoothing from the smallest that shows to all of it, round ones and others, near nothing and near all.

    In one row the target dominates and a class far below has the rest of the loss: a share of 1e-6 is most of it.
    """
    claims = subject.capabilities
    weights = (None, [1.5, 0.25, 0.75]) if claims.weight else (None,)
    for number, eps in enumerate(AMOUNTS[:: 5 if claims.static_shapes else 1]):
        for kind in ("index", "probabilities") if claims.probability_targets else ("index",):
            target = np.array([0, 2]) if kind == "index" else np.array([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])
            reduction = claims.reductions[number % len(claims.reductions)]
            options: dict[str, Any] = {"weight": weights[number % len(weights)], "label_smoothing": eps}
            yield problem_of(subject, [[0.0, -40.0, -300.0], [1.0, -2.0, 0.5]], target, reduction, **options)


@listed("every scale")
def every_scale(subject: Subject) -> Iterator[Problem]:
    """Class weights from very small to very large, as far as the dtype holds them, in every reduction."""
    limits = format_named(subject.dtype)
    for factor in SCALES:
        weight = np.array([0.75, 1.5, 0.25]) * factor
        if weight.min() < 64 * limits.smallest_normal or weight.max() > limits.max_finite / 64:
            continue
        for reduction in subject.capabilities.reductions:
            logits = [[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 0.25, 0.0]]
            yield problem_of(subject, logits, np.array([1, 0, 2]), reduction, weight=weight)


@listed("every offset")
def every_offset(subject: Subject) -> Iterator[Problem]:
    """Logits, targets and gradients that are longer than 16 bits count, each element unlike its neighbours."""
    claims = subject.capabilities
    if claims.static_shapes or "none" not in claims.reductions:
        return
    for number, shape in enumerate(WRAPPING if claims.spatial else ()):
        row_shape = row_shape_of(shape)
        rows = int(np.prod(row_shape))
        labels = (np.arange(rows) * 7 // 3) % shape[1]
        if claims.default_ignore_index is not None:
            labels[::5] = claims.default_ignore_index
        weight = np.arange(1, shape[1] + 1) / 4 if claims.weight and number else None
        yield problem_of(subject, _unlike_neighbours(shape), labels.reshape(row_shape), weight=weight)
    if not claims.probability_targets:
        return
    for shape in (*(WRAPPING[1:2] if claims.spatial else ()), WRAPPING_ROWS):
        yield problem_of(subject, _unlike_neighbours(shape), (_unlike_neighbours(shape) % 1.0))


def _unlike_neighbours(shape: tuple[int, ...]) -> F64Array:
    """Multiples of 1/4 with a long period: no power of two, and no axis, is a multiple of it."""
    count = int(np.prod(shape))
    values: F64Array = ((np.arange(count) * 11 % 37) / 4 + np.arange(count) % 1009 % 5).reshape(shape)
    return values


@listed("exact sentinels")
def exact_sentinels(subject: Subject) -> Iterator[Problem]:
    """A sentinel next to labels in use, where a narrow float rounds it to them or a narrow integer wraps it round."""
    claims = subject.capabilities
    limit = claims.max_classes
    for classes, labels, sentinel in NEIGHBOURS[: 1 if claims.static_shapes else None]:
        if limit is None or classes <= limit:
            used = np.array([*labels, sentinel, sentinel])
            yield problem_of(subject, _telling(used, classes), used, _first(subject), ignore_index=sentinel)
    for offset in WRAPPED[: 0 if claims.static_shapes else None]:
        # Class 3 is used and not ignored; the sentinel that it is taken for is there as well.
        used = np.array([3, 1, 3, 2, 3 + offset])
        yield problem_of(subject, _telling(used % 5, 5), used, _first(subject), ignore_index=3 + offset)


def _telling(labels: npt.NDArray[np.int64], classes: int) -> F64Array:
    """Logits with which every row has a loss of its own, far from zero."""
    logits = np.full((len(labels), classes), -2.0)
    logits[np.arange(len(labels)), labels] = 1.0 + np.arange(len(labels)) / 4
    return logits


def _first(subject: Subject) -> str:
    claimed = subject.capabilities.reductions
    return "none" if "none" in claimed else claimed[0]
