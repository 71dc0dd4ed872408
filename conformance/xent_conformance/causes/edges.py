"""Determines the size at which a failure begins: the fewest classes or rows, and whether one more passes again.

The facts of a problem only state whether it has more than 4, 100 or 10,000. If a witness has 65 classes, that may be
the edge of a block in the kernel, or chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from xent_conformance.causes.diagnosis import Shown
from xent_conformance.causes.numbers import ordinary
from xent_conformance.problem import Problem
from xent_conformance.subproblems import MATRIX, keep_classes, keep_rows

Places = npt.NDArray[np.intp]
#: With so few rows, the fact "several rows" is as exact as the size.
FEW_ROWS = 2


def edges(problem: Problem, situation: Iterable[str], shown: Callable[[Problem], Shown]) -> tuple[str, ...]:
    """Exact sizes that a failing problem needs.

    Args:
        problem: The failing problem.
        situation: The facts that it needs; only sizes that they mention are tried.
        shown: Judges a variant of it.

    Returns:
        "more than 64 classes" if it passes with 64 classes and not with 66; "just 65 classes" if it passes with 64 and
        with 66. Empty if a smaller problem fails or cannot be judged.
    """
    given = list(situation)
    sizes = []
    if any(fact.endswith(" classes") and fact.startswith("more") for fact in given):
        sizes += _edge("classes", problem.classes, _other_classes, problem, shown)
    many = any(fact.endswith(" rows") and fact.startswith(("more", "several")) for fact in given)
    if many and problem.rows > FEW_ROWS and problem.logits.ndim == MATRIX:
        sizes += _edge("rows", problem.rows, _other_rows, problem, shown)
    # A size at one of the fixed numbers is the same fact as one of the situation.
    return tuple(size for size in sizes if size not in given)


def _edge(
    what: str,
    size: int,
    others: Callable[[Problem, int], Iterator[Problem | None]],
    problem: Problem,
    shown: Callable[[Problem], Shown],
) -> list[str]:
    fewer = _seen(_and_ordinary(others(problem, -1)), shown)
    if fewer != {Shown.PASSES}:
        return []
    more = _seen(_and_ordinary(others(problem, 1)), shown)
    return [f"just {size} {what}" if more == {Shown.PASSES} else f"more than {size - 1} {what}"]


def _and_ordinary(variants: Iterable[Problem | None]) -> Iterator[Problem | None]:
    """Variants, and each with ordinary logits: those of the witness may show the fault at its own size only."""
    for variant in variants:
        yield variant
        if variant is not None:
            yield next(ordinary(variant), None)


def _seen(variants: Iterable[Problem | None], shown: Callable[[Problem], Shown]) -> set[Shown]:
    return {shown(variant) for variant in variants if variant is not None} - {Shown.UNCLEAR, Shown.NOTHING}


def _other_classes(problem: Problem, by: int) -> Iterator[Problem | None]:
    """Variants with one class fewer or more (``by`` is -1 or 1), at different places.

    Only classes that are no row's label are removed or repeated, and only those whose logits most other classes share.
    """
    used = {problem.ignored_label} if problem.has_probabilities else {problem.ignored_label, *problem.labels().tolist()}
    spare = np.array([c for c in range(problem.classes) if c not in used], dtype=np.intp)
    plain = spare[_like_most(problem.logits_by_row()[:, spare])] if spare.size else spare
    every = np.arange(problem.classes)
    for place in _few(plain):
        # The new class is inserted before the one that it repeats, so that the last class remains the last.
        yield keep_classes(problem, np.delete(every, place) if by < 0 else np.insert(every, place, place))


def _other_rows(problem: Problem, by: int) -> Iterator[Problem | None]:
    """Variants with one row removed or repeated (``by`` is -1 or 1), at different places."""
    every = np.arange(problem.rows)
    for place in _few(every):
        yield keep_rows(problem, np.delete(every, place) if by < 0 else np.insert(every, place, place))


def _like_most(columns: npt.NDArray[np.float64]) -> Places:
    """Indices of the columns that are equal to the most frequent column."""
    _, first, counts = np.unique(columns, axis=1, return_inverse=True, return_counts=True)
    return np.flatnonzero(first.reshape(-1) == counts.argmax())


def _few(places: Places) -> list[int]:
    """The first place, one in the middle, and the last."""
    return sorted({int(places[i]) for i in (0, len(places) // 2, -1)}) if places.size else []
