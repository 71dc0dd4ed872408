"""The size at which a failure begins: how many classes or rows it takes, and whether one more is too many.

Facts say only whether there are more than a few fixed numbers; that a witness has 65 classes may be an edge of a block
or chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from xent_conformance.causes.diagnosis import Shown
from xent_conformance.problem import Problem
from xent_conformance.subproblems import MATRIX, keep_classes, keep_rows

Places = npt.NDArray[np.intp]
#: Of so few rows "several" says enough.
FEW_ROWS = 2


def edges(problem: Problem, situation: Iterable[str], shown: Callable[[Problem], Shown]) -> tuple[str, ...]:
    """Facts about sizes that a failing problem needs, more exact than those of its situation.

    "more than 64 classes": with one class fewer it passes. "just 65 classes": with one more as well. None where a
    smaller problem fails or cannot be judged.
    """
    given = list(situation)
    found = []
    if any(fact.endswith(" classes") and fact.startswith("more") for fact in given):
        found += _edge("classes", problem.classes, _other_classes, problem, shown)
    many = any(fact.endswith(" rows") and fact.startswith(("more", "several")) for fact in given)
    if many and problem.rows > FEW_ROWS and problem.logits.ndim == MATRIX:
        found += _edge("rows", problem.rows, _other_rows, problem, shown)
    return tuple(found)


def _edge(
    what: str,
    size: int,
    others: Callable[[Problem, int], Iterator[Problem | None]],
    problem: Problem,
    shown: Callable[[Problem], Shown],
) -> list[str]:
    fewer = _seen(others(problem, -1), shown)
    if fewer != {Shown.PASSES}:
        return []
    more = _seen(others(problem, 1), shown)
    return [f"just {size} {what}" if more == {Shown.PASSES} else f"more than {size - 1} {what}"]


def _seen(variants: Iterable[Problem | None], shown: Callable[[Problem], Shown]) -> set[Shown]:
    return {shown(variant) for variant in variants if variant is not None} - {Shown.UNCLEAR, Shown.NOTHING}


def _other_classes(problem: Problem, by: int) -> Iterator[Problem | None]:
    """One class fewer, or one more like another: a class that no row is about, in different places."""
    used = {problem.ignored_label} if problem.has_probabilities else {problem.ignored_label, *problem.labels().tolist()}
    spare = np.array([c for c in range(problem.classes) if c not in used], dtype=np.intp)
    plain = spare[_like_most(problem.logits_by_row()[:, spare])] if spare.size else spare
    every = np.arange(problem.classes)
    for place in _few(plain):
        # One more goes behind the one that it is like, which leaves the first and the last class where they are.
        yield keep_classes(problem, np.delete(every, place) if by < 0 else np.insert(every, place, place))


def _other_rows(problem: Problem, by: int) -> Iterator[Problem | None]:
    """One row fewer, or one more like another, in different places."""
    every = np.arange(problem.rows)
    for place in _few(every):
        yield keep_rows(problem, np.delete(every, place) if by < 0 else np.insert(every, place, place))


def _like_most(columns: npt.NDArray[np.float64]) -> Places:
    """Which columns are the one that most of them are."""
    _, first, counts = np.unique(columns, axis=1, return_inverse=True, return_counts=True)
    return np.flatnonzero(first.reshape(-1) == counts.argmax())


def _few(places: Places) -> list[int]:
    """The first, a middle one and the last."""
    return sorted({int(places[i]) for i in (0, len(places) // 2, -1)}) if places.size else []
