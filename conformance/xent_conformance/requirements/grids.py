"""Fixed lists of problems: every combination of the options, offsets beyond 16 bits, sentinels next to labels in use.

They contain what is too rare among random problems. Each list is short, its problems are small, and it is the same for
every seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import FLOATING, format_named
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import AnyArray, F64Array, Problem
from xent_conformance.requirements.sweeps import LARGE_CLASSES, MIDDLE_CLASSES, class_counts
from xent_conformance.requirements.twins import claims_rank, classes_of, problem_of, row_shape_of
from xent_conformance.strategies.cotangents import cotangent_of
from xent_conformance.strategies.layouts import REPEATED, laid_out
from xent_conformance.strategies.sources import listed

#: One shape of each rank, as small as possible for distinguishing the options; and one with a single row.
RANKS: tuple[tuple[int, ...], ...] = ((3,), (1, 3), (4, 3), (2, 3, 2))
#: Shapes with two, three and four further axes, with different lengths where these distinguish the axes.
DEEP_RANKS: tuple[tuple[int, ...], ...] = ((2, 3, 2, 4), (2, 3, 2, 3, 4), (2, 3, 1, 2, 3, 2))
#: Shapes with many rows and many classes, or thousands, for which kernels have other paths than for small ones.
MATRICES: tuple[tuple[int, ...], ...] = ((210, 70), (2, 21, 8, 9), (4, 4100))
#: With more classes there are no problems with smoothing, which would take most of the time of all.
MOST_SMOOTHED = 1024
#: A shape with labels that need more than 12 bits, and layouts and kinds of cotangents for them.
LATE = (2, 4100, 2)
LAYOUTS = ("contiguous", "transposed", "strided", "reversed", REPEATED)
COTANGENTS = ("random", "strided", "zero first", "same", "ones", "reversed, small", "large")
#: Which rows of these are ignored: a third of them, the first two thirds as in a prompt, and most.
IGNORED_ROWS: dict[str, Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]] = {
    "a third": lambda place: place % 3 == 0,
    "leading": lambda place: place < 2 * len(place) // 3,
    "most": lambda place: place % 7 > 0,
}
SMOOTHINGS = (0.0, 0.1, 1.0)
#: Amounts of smoothing that a threshold, a table or rounding may replace by others.
AMOUNTS = (1e-6, 1e-5, 1e-4, 0.001, 0.004, 0.01, 0.05, 0.0625, 0.137, 0.2, 1 / 3, 0.625, 0.777, 0.9, 0.96, 0.99, 0.9999)
WEIGHTS: tuple[list[float] | None, ...] = (None, [0.3, 1.7, 0.6], [1.5, 0.0, -0.7])
#: Factors on class weights: a constant against 0 / 0 has an effect where they are small.
SCALES = (2.0**-40, 2.0**-24, 2.0**-13, 2.0**-7, 2.0**7, 2.0**24, 2.0**40)
#: Shapes of spatial logits with more elements, and more rows, than 15 and 16 bits can index.
WRAPPING: tuple[tuple[int, ...], ...] = ((2, 3, 83, 67), (2, 5, 97, 71), (3, 2, 22003))
#: The same for probability targets without spatial dimensions.
WRAPPING_ROWS = (70, 1003)
#: Numbers of classes, labels in use, and a sentinel that differs from some of them by one, around the largest integers
#: that float8, bfloat16 and float16 represent exactly.
NEIGHBOURS = ((300, (16, 17, 128, 255, 256, 258), 257), (2060, (2046, 2047, 2048, 2050, 2051), 2049))
#: Distances from a class to a sentinel that is the same number in 8, 16 or 32 bits, and is not a class.
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
    # With more axes, each kind of target with each reduction, once with weights and once with smoothing.
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
            # One row in three has this class; a single row is not ignored.
            options["ignore_index"] = 1
        yield problem_of(subject, logits, labels.reshape(row_shape), reduction, **options)
    yield from _of_matrices(subject)
    yield from _late_labels(subject)


def _of_matrices(subject: Subject) -> Iterator[Problem]:
    """For many rows of many classes, each kind of target and of ignored rows with each reduction, and with and without
    weights.

    Smoothing is on in every other of these, so that any three of the four occur together; in the next dtype it is on in
    the others. Half of the weights are views of an array with gaps.
    """
    claims = subject.capabilities
    default = claims.default_ignore_index
    marks = claims.ignore_index or default is not None
    kinds = ["labels", *(IGNORED_ROWS if marks else ()), *(["probabilities"] if claims.probability_targets else ())]
    shapes = [s for s in MATRICES if claims_rank(subject, s) and subject.takes_classes(s[1])]
    weighted = (False, True) if claims.weight else (False,)
    smoothings = SMOOTHINGS[:2] if claims.label_smoothing else SMOOTHINGS[:1]
    choices = product(shapes, enumerate(kinds), enumerate(claims.reductions), weighted)
    for number, (shape, (place, kind), (turn, reduction), has_weight) in enumerate(choices):
        classes, row_shape = classes_of(shape), row_shape_of(shape)
        every_other = (place + turn + has_weight + FLOATING.index(subject.dtype)) % len(smoothings)
        rng = np.random.default_rng(number)
        options: dict[str, Any] = {"label_smoothing": 0.0 if classes > MOST_SMOOTHED else smoothings[every_other]}
        if has_weight:
            options["weight"] = (1 + np.arange(classes) % 5) / 4
        logits = rng.integers(-12, 13, size=shape) / 4
        if kind == "probabilities":
            target = rng.integers(0, 5, size=shape) / 4
        else:
            target = rng.integers(0, classes, size=row_shape)
        if kind in IGNORED_ROWS:
            mark = -1 if default is None else default
            target = np.where(IGNORED_ROWS[kind](np.arange(target.size)).reshape(row_shape), mark, target)
            options |= {} if default is not None else {"ignore_index": mark}
        problem = problem_of(subject, logits, target, reduction, **options)
        # In step neither with smoothing nor with the reductions.
        with_gaps = number // (2 * len(weighted)) % 2
        weight = problem.weight
        yield problem.with_(weight=laid_out(weight, "strided")) if weight is not None and with_gaps else problem


def _late_labels(subject: Subject) -> Iterator[Problem]:
    """The last of thousands of classes as labels, in arrays and with cotangents of each layout: labels that are drawn
    from all classes are rarely among them.
    """
    claims, rng = subject.capabilities, np.random.default_rng(0)
    shape = LATE if claims.spatial else (LATE[0] * LATE[2], LATE[1])
    if not subject.takes_classes(LATE[1]):
        return
    for number, kind in enumerate(COTANGENTS):
        target = LATE[1] - 1 - rng.integers(0, 3, size=row_shape_of(shape))
        if claims.default_ignore_index is not None and number % 2:
            target[-1:] = claims.default_ignore_index
        problem = problem_of(subject, rng.integers(-12, 13, size=shape) / 4, target, _first(subject))
        layout, other = (LAYOUTS[place % len(LAYOUTS)] for place in (number, number + 2))
        yield problem.with_(
            logits=laid_out(problem.logits, other),
            target=laid_out(problem.target, layout),
            cotangent=cotangent_of(problem, kind, rng),
        )


@listed("every share")
def every_share(subject: Subject) -> Iterator[Problem]:
    """For every number of classes, problems whose loss is a sum over classes, with one logit far below the others.

    The shares come from smoothing and weights, or from a target distribution over two classes.
    """
    claims = subject.capabilities
    counts = [c for c in class_counts(subject) if c <= max(MIDDLE_CLASSES)]
    # Only every other of the large numbers: streams draw them with these options too.
    counts += [c for c in LARGE_CLASSES[1::2] if subject.takes_classes(c)]
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
    """Amounts of smoothing from the smallest with a measurable effect to nearly 1, round ones and others.

    In one row the target dominates, and a class far below contributes most of the loss even with a share of 1e-6.
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
    """Class weights from very small to very large, as far as the dtype can represent them, in every reduction."""
    limits = format_named(subject.dtype)
    for factor in SCALES:
        weight = np.array([0.75, 1.5, 0.25]) * factor
        if weight.min() < 64 * limits.smallest_normal or weight.max() > limits.max_finite / 64:
            continue
        for reduction in subject.capabilities.reductions:
            logits = [[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 0.25, 0.0]]
            yield problem_of(subject, logits, np.array([1, 0, 2]), reduction, weight=weight)


#: Elements of memory from one row, class or label to the next: the third is at an offset of more than 16 bits.
APART = 2**15 + 3


@listed("every offset")
def every_offset(subject: Subject) -> Iterator[Problem]:
    """Logits, targets and gradients with more elements than 16 bits can index, each different from its neighbours.

    Also views of few elements that lie as far apart in memory.
    """
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
    # A few elements that are far apart: parts of much longer arrays, by rows and by classes.
    few = problem_of(subject, _unlike_neighbours((4, 5)), np.array([4, 0, 3, 2]))
    yield few.with_(logits=_far_apart(few.logits), target=_far_apart(few.target))
    yield few.with_(logits=_far_apart(few.logits.T).T)
    if not claims.probability_targets:
        return
    for shape in (*(WRAPPING[1:2] if claims.spatial else ()), WRAPPING_ROWS):
        yield problem_of(subject, _unlike_neighbours(shape), (_unlike_neighbours(shape) % 1.0))


def _far_apart(array: AnyArray) -> AnyArray:
    """The same numbers, each row ``APART`` elements behind the one before it."""
    memory = np.ones((len(array), APART), array.dtype)
    view = memory[:, 0] if array.ndim == 1 else memory[:, : array.shape[1]]
    view[...] = array
    return view


def _unlike_neighbours(shape: tuple[int, ...]) -> F64Array:
    """Multiples of 1/4 with a long period, of which no power of two and no axis is a multiple."""
    count = int(np.prod(shape))
    values: F64Array = ((np.arange(count) * 11 % 37) / 4 + np.arange(count) % 1009 % 5).reshape(shape)
    return values


@listed("exact sentinels")
def exact_sentinels(subject: Subject) -> Iterator[Problem]:
    """A sentinel next to labels in use, equal to them when rounded to a narrow float or wrapped in a narrow integer."""
    claims = subject.capabilities
    for classes, labels, sentinel in NEIGHBOURS[: 1 if claims.static_shapes else None]:
        if subject.takes_classes(classes):
            used = np.array([*labels, sentinel, sentinel])
            yield problem_of(subject, _telling(used, classes), used, _first(subject), ignore_index=sentinel)
    for offset in WRAPPED[: 0 if claims.static_shapes else None]:
        # Class 3 is used and not ignored, and the sentinel that equals it in a narrow integer is used too.
        used = np.array([3, 1, 3, 2, 3 + offset])
        yield problem_of(subject, _telling(used % 5, 5), used, _first(subject), ignore_index=3 + offset)


def _telling(labels: npt.NDArray[np.int64], classes: int) -> F64Array:
    """Logits for which every row has a different loss, far from zero."""
    logits = np.full((len(labels), classes), -2.0)
    logits[np.arange(len(labels)), labels] = 1.0 + np.arange(len(labels)) / 4
    return logits


def _first(subject: Subject) -> str:
    claimed = subject.capabilities.reductions
    return "none" if "none" in claimed else claimed[0]
