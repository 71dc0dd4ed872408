"""Sweeps over sizes: every number of classes or rows at which a vector, a tile, a block or an index type ends.

In each row one class dominates and all others are far below, so a lane (one class of a row) that is dropped, counted
twice, padded with zero or read in place of another changes the loss by much more than any bound. If all classes are
equal, the loss reveals the number of classes that were summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import FLOATING, format_named
from xent_conformance.judging.profiles import foremost_of
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import F64Array, Problem, array_of
from xent_conformance.requirements.twins import COTANGENT, problem_of
from xent_conformance.strategies.sources import listed

#: Every remainder modulo 8, 16 and 32 lanes, also after a whole vector; and usual numbers of classes.
SMALL_CLASSES = (*range(1, 66), 100, 127, 128, 129)
EDGES = (255, 256, 257, 258, 511, 512, 513, 1000, 1023, 1024, 1025, 2047, 2048, 2049, 2050, 4095, 4096, 4097)
#: Also numbers between the edges: partially filled tiles, and odd numbers of them.
MIDDLE_CLASSES = tuple(sorted((*EDGES, 83, 109, 190, 403, 796, 1450, 3004)))
#: Around the ends of 15 and 16 bits, between powers of two, and two vocabularies of language models.
LARGE_CLASSES = (5300, 11004, 21500, 32767, 32768, 32769, 50257, 65535, 65536, 65537, 151936)
#: For a backend that compiles every shape: numbers of classes, each with a single number of rows.
FEW = {260: 257, 1025: 3}
ROWS = (*range(1, 34), 43, 44, 45, 46, 50, 63, 64, 65, 100, 127, 128, 129)
MANY_ROWS = (190, 255, 256, 257, 258, 511, 512, 513, 1000, 1023, 1024, 1025, 1450, 2047, 2049, 4097, 8710)
#: Between the ends of 15 and 16 bits, the most blocks in a grid's second axis, and more than 16 bits can count.
HUGE_ROWS = (49157, 65535, 65537)
#: Batches of these sizes are also tried with ignored rows, weights and smoothing.
LARGE_BATCH, LARGEST_BATCH = 128, 4097
#: Rows of one problem with a medium, and with a large number of classes.
MIDDLE_ROWS, LARGE_ROWS = 12, 1
#: Numbers of rows with equal shares of a sum, beyond which adding ones no longer changes a sum in float16.
EQUAL_SHARES = ((4097,), (3, 41, 41))

#: Logits of the dominating lane and of the others. At zero, where a lane padded with 0 has the same weight; far below,
#: where such a lane dominates; far above, where exp overflows float32 unless the maximum is taken over all lanes; and
#: alone among masked lanes, where a block of only masked lanes must be merged, at zero and where exp underflows. They
#: have fractions, because round numbers would not reveal a conversion to a narrower format.
LEVELS = ((0.0, -50.3), (-50.3, -100.7), (100.3, -50.7), (0.0, -np.inf), (-200.3, -np.inf))
FINITE_LEVELS = LEVELS[:3]

T = TypeVar("T")


def thinned(subject: Subject, sizes: Sequence[T]) -> Sequence[T]:
    """All of the largest sizes, or of dtypes that are judged less than another one every other.

    What an index can count does not depend on the dtype of the logits.
    """
    if subject.dtype == foremost_of(subject.capabilities.logits_dtypes):
        return sizes
    return sizes[FLOATING.index(subject.dtype) % 2 :: 2]


def class_counts(subject: Subject) -> list[int]:
    """The numbers of classes for a subject."""
    every = (*SMALL_CLASSES, *MIDDLE_CLASSES, *thinned(subject, LARGE_CLASSES))
    chosen = FEW if subject.capabilities.static_shapes else every
    return [c for c in chosen if subject.takes_classes(c)]


def row_counts(subject: Subject) -> list[int]:
    """The numbers of rows for a subject."""
    if subject.capabilities.static_shapes:
        return [subject.claimed_rows(max(FEW.values()))]
    every = (*ROWS, *MANY_ROWS, *thinned(subject, HUGE_ROWS))
    return [rows for rows in every if subject.takes_rows(rows)]


def repeated(subject: Subject, labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.int64]:
    """Labels, repeated for a backend that compiles every shape to the number of rows that goes with these classes."""
    if not subject.capabilities.static_shapes:
        return labels
    return np.resize(labels, subject.claimed_rows(FEW.get(classes, len(labels))))


@listed("every lane")
def every_lane(subject: Subject) -> Iterator[Problem]:
    """For every number of classes, a problem in which each lane, or each at the edge of a block, dominates a row."""
    levels = FINITE_LEVELS if subject.capabilities.finite_logits_only else LEVELS
    for number, classes in enumerate(class_counts(subject)):
        for some in _groups(subject, classes):
            rows = np.arange(len(some))
            # Every other large number of classes has no masked lanes: a kernel may be chosen by the range of the
            # logits.
            some_levels = FINITE_LEVELS if classes > max(MIDDLE_CLASSES) and number % 2 else levels
            top, rest = np.array(some_levels)[(number + rows) % len(some_levels)].T
            logits = np.repeat(rest[:, None], classes, axis=1)
            logits[rows, some] = top
            # The dominating lane is the target, except in every third row, whose target is the lane before it.
            labels = np.where((rows % 3 == 2) & np.isfinite(rest), (some - 1) % classes, some)  # noqa: PLR2004
            yield _problem(subject, logits, labels, number)


def _lanes(classes: int) -> npt.NDArray[np.int64]:
    """The dominating lane of each row: all lanes if few, otherwise the first, the last, and those at powers of two.

    The last lane, which loops drop most often, dominates the first row and the last ones, on every level.
    """
    last = classes - 1
    if classes <= max(SMALL_CLASSES):
        between = list(range(last)) if classes > 1 else [0]
    else:
        between = [0, classes - 2, classes // 2, 1]
        between += [e for power in (64, 128, 256, 512, 1024, 32, 2048) for e in (power - 1, power) if e < last]
        between = list(dict.fromkeys(between))[: MIDDLE_ROWS if classes <= max(MIDDLE_CLASSES) else LARGE_ROWS]
    if classes > max(MIDDLE_CLASSES):
        return np.array([last, *between, last])
    # The number of rows is chosen so that the first row and the last three have different levels.
    filler = -len(between) % len(LEVELS)
    return np.array([last, *between, *[last] * (filler + 3)])


def _groups(subject: Subject, classes: int) -> list[npt.NDArray[np.int64]]:
    """The dominating lanes in groups of at most as many as there may be rows.

    For a backend that compiles every shape each group has as many as that, and there are all lanes if there are about
    as many rows.
    """
    if not subject.capabilities.static_shapes:
        lanes = _lanes(classes)
        most = subject.claimed_rows(len(lanes))
        return [lanes[start : start + most] for start in range(0, len(lanes), most)]
    rows = subject.claimed_rows(FEW[classes])
    every = np.arange(classes) if classes < 2 * rows else _lanes(classes)
    every = np.resize(every, max(rows, len(every)))
    starts = [*range(0, len(every) - rows, rows), len(every) - rows]
    return [every[start : start + rows] for start in starts]


@listed("every row")
def every_row(subject: Subject) -> Iterator[Problem]:
    """For every number of rows: the losses of all, and a sum and a mean in which one row has nearly all of the loss."""
    classes = next(iter(class_counts(subject)), 3) if subject.capabilities.static_shapes else 3
    yield from _equal_shares(subject)
    for number, rows in enumerate(row_counts(subject)):
        claimed = subject.capabilities.reductions
        if "none" in claimed:
            # Periods of which no power of two is a multiple, so that the label or logits of another row are noticed.
            gaps = np.arange(rows) % 7 + np.full(rows, 4.0)
            yield _problem(subject, _gaps(gaps, classes), np.arange(rows) % 5 % 2, reduction="none")
        countable = rows <= format_named(subject.dtype).max_finite
        for place, reduction in enumerate(r for r in ("sum", "mean") if r in claimed and countable):
            loud = (rows - 1, 0, rows // 2)[(number + place) % 3]
            gaps = np.full(rows, -40.0)
            gaps[loud] = 60.0
            yield _problem(subject, _gaps(gaps, classes), np.zeros(rows, dtype=np.int64), reduction=reduction)
    large = [rows for rows in row_counts(subject) if LARGE_BATCH <= rows <= LARGEST_BATCH]
    choices = _choices_of_options(subject, classes)
    for number, rows in enumerate(large if choices else ()):
        # Two choices each, so that the few largest numbers of rows get all of them.
        for turn in sorted({number % len(choices), (number + len(choices) // 2) % len(choices)}):
            yield from _with_options(subject, rows, classes, number + turn, choices[turn])


def _choices_of_options(subject: Subject, classes: int) -> list[dict[str, Any]]:
    """Every claimed combination of class weights, smoothing and a passed or default sentinel, most options first.

    If there is any sentinel, every combination has one.
    """
    claims = subject.capabilities
    weight = array_of(np.resize([0.25, 2.0, 1.0], classes), subject.dtype)
    weights: list[dict[str, Any]] = [{"weight": weight}, {}] if claims.weight else [{}]
    smoothings: list[dict[str, Any]] = [{"label_smoothing": 0.25}, {}] if claims.label_smoothing else [{}]
    sentinels: list[dict[str, Any]] = [{"ignore_index": 2}] if claims.ignore_index else []
    sentinels += [{}] if claims.default_ignore_index is not None or not sentinels else []
    choices = [{**w, **e, **i} for w, e, i in product(weights, smoothings, sentinels)]
    return [c for c in choices if c or claims.default_ignore_index is not None]


def _with_options(subject: Subject, rows: int, classes: int, number: int, options: dict[str, Any]) -> Iterator[Problem]:
    """Rows of which a stretch is ignored, with different labels in the second half, in every reduction.

    All parts of the batch differ, so that blocks of rows have different divisors. Without smoothing one row has nearly
    all of the loss, and ignored rows would have more.
    """
    sentinel = options.get("ignore_index", subject.capabilities.default_ignore_index)
    place = np.arange(rows)
    labels = np.where(place < rows // 2, 0, 1)
    for turn, reduction in enumerate(subject.capabilities.reductions):
        # Each row's label is far above the other classes, except in one row.
        gaps = np.where(labels == 1, 40.0, -40.0)
        if reduction == "none":
            gaps = place % 7 + np.full(rows, 4.0)
        gaps[(rows - 1, 0)[(number + turn) % 2]] *= -1.5
        target = labels.copy()
        if sentinel is not None:
            # As by padding, or by masking in the middle; the first and the last row are not ignored.
            stretch = (slice(rows // 2, rows - 1), slice(1, rows // 3), slice(rows // 3, rows // 2))[number % 3]
            target[stretch], gaps[stretch] = sentinel, 60.0
        yield _problem(subject, _gaps(gaps, classes), target, reduction=reduction).with_(**options)


def _equal_shares(subject: Subject) -> Iterator[Problem]:
    """Sum and mean of thousands of rows with a loss of about one each, in a batch and in spatial positions.

    One row in five is ignored if the backend has a default sentinel.
    """
    claims = subject.capabilities
    for shape in () if claims.static_shapes else EQUAL_SHARES:
        if len(shape) > 1 and not claims.spatial:
            continue
        rows = int(np.prod(shape))
        logits = _gaps(np.asarray(0.5 + np.arange(rows) % 3 * 0.125, dtype=np.float64), 3).reshape(*shape, 3)
        labels = np.zeros(rows, dtype=np.int64)
        if claims.default_ignore_index is not None:
            labels[2::5] = claims.default_ignore_index
        for reduction in (r for r in ("sum", "mean") if r in claims.reductions):
            flat = _problem(subject, logits.reshape(rows, 3), labels, reduction=reduction)
            spatial = np.ascontiguousarray(np.moveaxis(flat.logits.reshape(logits.shape), -1, 1))
            yield flat.with_(logits=spatial, target=flat.target.reshape(shape))


def _gaps(gaps: F64Array, classes: int) -> F64Array:
    """Rows in which the second class is above the first by a gap, and above all others by 30."""
    return np.stack([np.zeros(len(gaps)), gaps, *[gaps - 30.0] * (classes - 2)], axis=1)


def _problem(
    subject: Subject,
    logits: F64Array,
    target: npt.NDArray[np.int64],
    number: int = 0,
    reduction: str | None = None,
) -> Problem:
    claimed = subject.capabilities.reductions
    chosen = reduction or ("none" if "none" in claimed else claimed[number % len(claimed)])
    cotangent = np.resize(COTANGENT, len(logits) if chosen == "none" else 1)
    return Problem(
        array_of(logits, subject.dtype),
        target,
        reduction=chosen,
        cotangent=array_of(cotangent.reshape(len(logits) if chosen == "none" else ()), subject.dtype),
        sentinel=subject.capabilities.default_ignore_index,
    )


@listed("exact labels")
def exact_labels(subject: Subject) -> Iterable[Problem]:
    """Labels around the largest exact integers of float8, bfloat16, float16 and 16 bits, with different logits."""
    groups: tuple[tuple[int, tuple[int, ...]], ...] = (
        (260, (127, 128, 129, 254, 255, 256, 257, 258, 259)),
        (2052, (511, 513, 1025, 2046, 2047, 2048, 2049, 2050, 2051)),
        (65540, (32769, 65505, 65537)),
    )
    for classes, labels in groups[: 1 if subject.capabilities.static_shapes else len(groups)]:
        if not subject.takes_classes(classes):
            continue
        every = repeated(subject, np.array(labels, dtype=np.int64), classes)
        logits = np.full((len(every), classes), -8.0)
        for row, label in enumerate(every.tolist()):
            # Neighbouring classes have different logits, so that a rounded label has a different loss.
            logits[row, max(0, label - 2) : label + 3] = np.array([-5.0, -3.0, 4.0, -2.0, -6.0])[: classes - label + 2]
        yield _problem(subject, logits, every)


@listed("equal logits")
def equal_logits(subject: Subject) -> Iterator[Problem]:
    """Rows of equal logits for every number of classes."""
    levels = (0.0, 1.0, -3.0, 30.0, -1000.0)
    reductions = subject.capabilities.reductions
    for number, classes in enumerate(class_counts(subject)):
        labels = repeated(subject, np.array([classes - 1, 0])[: 1 if classes in LARGE_CLASSES else 2], classes)
        logits = np.full((len(labels), classes), levels[number % len(levels)])
        yield problem_of(subject, logits, labels, reductions[number % len(reductions)])
