"""Chooses the problems for a backend that compiles for each new shape or option, so that few compilations are needed.

A run has a limited number of compilations for each dtype, and a pool of programs that is chosen beforehand (see
``pool``). A source has the problems of the pool. If none of its problems is in the pool, or more than half of the
compilations are left, it also has a share of these; new programs are then chosen one after the other, each for the
problem with the most pairs of choices not covered before.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from xent_conformance.calling.compilations import Compilations
from xent_conformance.interface import Capabilities
from xent_conformance.judging.subject import labelled
from xent_conformance.problem import AnyArray, Problem
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sources import Source
from xent_conformance.strategies.streams import JOINT, Stream

#: The stream in which all options vary may use one of OF_ALL parts of the remaining compilations, any other stream one
#: of OF_A_STREAM parts, and all calls that are to be rejected one of OF_INVALID parts of those of the run: most who
#: accept some accept all of them, in every dtype.
OF_ALL, OF_A_STREAM, OF_INVALID = 4, 12, 6
#: New programs of a fixed list, and those of a stream about sizes at least, which are also left for each source that is
#: still to be judged if there are so many: one for a loss and one for a gradient.
OF_A_LIST, OF_ANOTHER = 1, 2


#: Values that options of problems of streams have where each value needs a program.
SMOOTHING, CLASS, OUTSIDE = 0.5, 1, -1


class Drawn(NamedTuple):
    """A problem, its number in its source, and its recipe (None for a problem of a fixed list)."""

    example: int
    problem: Problem
    recipe: Recipe | None


def share_of(source: Source, programs: Compilations) -> int:
    """How many new programs a source may use: its usual share, or all but the usual ones of those after it."""
    if source.name == JOINT.name:
        return -(-programs.left // OF_ALL)
    invalid = max(0, -(-programs.most // OF_INVALID) - programs.invalid)
    if source.rejected:
        return min(OF_A_LIST, invalid)
    left = programs.left if source.looks_back else programs.left - invalid
    usual = -(-left // OF_A_STREAM) if isinstance(source, Stream) else OF_A_LIST
    if isinstance(source, Stream) and source.about_sizes:
        usual = max(usual, OF_ANOTHER)
    spare = 0 if programs.sources is None else left - OF_ANOTHER * (programs.sources - 1)
    return max(min(usual, left), spare)


def count_as_judged(source: Source, programs: Compilations, used: int) -> None:
    """Count a source that ``used`` so many new programs as judged, so that there are fewer whose share is left."""
    programs.invalid += used if source.rejected else 0
    if programs.sources is not None:
        programs.sources = max(1, programs.sources - 1)


def with_few_programs(drawn: Iterable[Drawn], programs: Compilations, most: int) -> Iterator[Drawn]:
    """Choose problems: one for each new program until the limit is reached, then others that need no new program.

    The choice and the order depend only on the problems and on earlier choices.

    Args:
        drawn: The problems to choose from.
        programs: The programs so far.
        most: The number of problems to choose.
    """
    every = list(drawn)
    groups: dict[Hashable, list[Drawn]] = {}
    for one in every:
        groups.setdefault(choices_of(one.problem, programs), []).append(one)
    new = [key for key in groups if key not in programs.chosen and key not in programs.pool]
    given: set[int] = set()
    pooled = [key for key in programs.pool if key in groups]
    for key in pooled:
        programs.chosen.add(key)
        programs.covered |= pairs_of(key)
        first = max(groups[key], key=lambda one: rows_that_count(one.problem))
        given.add(first.example)
        yield first
    # Half of the compilations are left for calls that problems of the pool are compared with.
    while new and programs.room > 0 and len(given) < most and (not pooled or 2 * programs.left > programs.most):
        best = max(new, key=lambda key: len(pairs_of(key) - programs.covered))
        new.remove(best)
        programs.chosen.add(best)
        programs.covered |= pairs_of(best)
        given.add(groups[best][0].example)
        yield groups[best][0]
    programs.refused |= bool(new)
    for one in every:
        if len(given) >= most:
            return
        if one.example not in given and choices_of(one.problem, programs) in programs.chosen:
            given.add(one.example)
            yield one


def rows_that_count(problem: Problem) -> int:
    """The number of rows that are not ignored and whose label has a weight: a loss of others alone tells little.

    It is 0 for an invalid call.
    """
    if problem.has_probabilities:
        return problem.rows
    if not problem.classes or problem.target.dtype.kind not in "iu" or problem.target.size != problem.rows:
        return 0
    if problem.weight is not None and problem.weight.shape != (problem.classes,):
        return 0
    labels = problem.labels()[~problem.ignored()]
    labels = labels[(labels >= 0) & (labels < problem.classes)]
    return int(np.count_nonzero(problem.class_weights()[labels] > 0))


def settled(problem: Problem, programs: Compilations, claims: Capabilities, *, labels: bool) -> Problem:
    """The problem with the usual values of options and dtype of labels, so that problems of all streams share programs.

    Unless the problem is about them, labels get the widest claimed dtype where values of options or nothing but dtypes
    need programs. Where values do, a smoothing between 0 and 1 becomes ``SMOOTHING``, a passed ``ignore_index`` that is
    a class ``CLASS``, any other ``OUTSIDE``. What a problem is about stays: which options it has, and which rows are
    ignored.
    """
    if labels and (programs.values or not programs.shapes) and not problem.has_probabilities:
        wide = labelled(problem.with_(target=problem.target.astype(np.int64, order="K")), claims)
        problem = problem if wide is None else wide
    if not programs.values:
        return problem
    if 0 < problem.label_smoothing < 1:
        problem = problem.with_(label_smoothing=min(SMOOTHING, claims.max_label_smoothing))
    mark = problem.ignore_index
    if mark is None or problem.has_probabilities or problem.target.dtype.kind == "u":
        return problem
    if not 0 <= mark < problem.classes:
        moved = np.where(problem.target == mark, OUTSIDE, problem.target)
        return _with_labels(problem, moved, OUTSIDE)
    usual = min(CLASS, problem.classes - 1)
    moved = np.where(problem.target == mark, usual, np.where(problem.target == usual, mark, problem.target))
    changed = _with_labels(problem, moved, usual)
    rows, judged = changed.logits_by_row(), ~changed.ignored()
    finite = np.isfinite(rows[np.arange(len(rows)), np.clip(changed.labels(), 0, problem.classes - 1)])
    return changed if finite[judged].all() else problem


def _with_labels(problem: Problem, labels: AnyArray, mark: int) -> Problem:
    """The problem with other labels, in the memory layout of the ones that it has, and another mark."""
    target = np.array(problem.target, order="K")
    target[...] = labels
    return problem.with_(target=target, ignore_index=mark)


def choices_of(problem: Problem, programs: Compilations) -> tuple[tuple[str, Hashable], ...]:
    """The properties of a problem that a compiled program may depend on.

    Where one program is for all shapes, values of an option, sets of options or layouts, problems that differ in them
    alone are alike.
    """
    if not programs.calls:
        problem = Problem(problem.logits, problem.target, reduction="none")
    mark, amount, extras = problem.ignore_index, problem.label_smoothing, problem.extras
    if not programs.values:
        mark = None if mark is None else OUTSIDE
        amount = SMOOTHING if 0 < amount < 1 else amount
        extras = dict.fromkeys(extras, 1.0)
    return (
        ("logits", problem.logits.shape if programs.shapes else None),
        # Follows from the shape. Of new shapes, those come first whose rank was not combined with the other choices.
        ("rank", problem.logits.ndim),
        ("target", (problem.target.dtype.name, problem.target.shape if programs.shapes else problem.target.ndim)),
        ("layout", problem.logits.flags.c_contiguous or not programs.layouts),
        ("weight", problem.weight is not None),
        ("ignore_index", mark),
        ("reduction", problem.reduction),
        ("label_smoothing", amount),
        *extras.items(),
    )


def pairs_of(choices: Hashable) -> set[Hashable]:
    """Pairs of choices, of numbers only whether there is one."""
    assert isinstance(choices, tuple)
    kinds = [
        (n, v is not None if n == "ignore_index" else bool(v) if n == "label_smoothing" else v) for n, v in choices
    ]
    return set(combinations(kinds, 2))
