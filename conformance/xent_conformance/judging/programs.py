"""Chooses the problems for a backend that compiles for each new shape or option, so that few compilations are needed.

A run has a limited number of compilations for each dtype. The stream in which all options vary gets a quarter of them,
every other source a share of the rest; otherwise a source has only problems for which a program is compiled already.
New programs are chosen one after the other, each for the problem with the most pairs of choices not covered before.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from xent_conformance.calling.compilations import Compilations
from xent_conformance.problem import Problem
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sources import Source
from xent_conformance.strategies.streams import JOINT, Stream

#: The stream in which all options vary may use one of OF_ALL parts of the remaining compilations, any other stream one
#: of OF_A_STREAM parts.
OF_ALL, OF_A_STREAM = 4, 8
#: New programs of a fixed list: one for a call, and one for the call that it is compared with.
OF_A_LIST = 2


class Drawn(NamedTuple):
    """A problem, its number in its source, and its recipe (None for a problem of a fixed list)."""

    example: int
    problem: Problem
    recipe: Recipe | None


def share_of(source: Source, programs: Compilations) -> int:
    """How many new programs a source may use."""
    if source.name == JOINT.name:
        return -(-programs.left // OF_ALL)
    return -(-programs.left // OF_A_STREAM) if isinstance(source, Stream) else OF_A_LIST


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
        groups.setdefault(_choices(one.problem), []).append(one)
    new = [key for key in groups if key not in programs.chosen]
    given: set[int] = set()
    while new and programs.room > 0 and len(given) < most:
        best = max(new, key=lambda key: len(_pairs(key) - programs.covered))
        new.remove(best)
        programs.chosen.add(best)
        programs.covered |= _pairs(best)
        given.add(groups[best][0].example)
        yield groups[best][0]
    programs.refused |= bool(new)
    for one in every:
        if len(given) >= most:
            return
        if one.example not in given and _choices(one.problem) in programs.chosen:
            given.add(one.example)
            yield one


def _choices(problem: Problem) -> tuple[tuple[str, Hashable], ...]:
    """The properties of a problem that a compiled program may depend on."""
    return (
        ("logits", problem.logits.shape),
        # Follows from the shape. Of new shapes, those come first whose rank was not combined with the other choices.
        ("rank", problem.logits.ndim),
        ("target", (problem.target.dtype.name, problem.target.shape)),
        ("layout", problem.logits.flags.c_contiguous),
        ("weight", problem.weight is not None),
        ("ignore_index", problem.ignore_index),
        ("reduction", problem.reduction),
        ("label_smoothing", problem.label_smoothing),
        *problem.extras.items(),
    )


def _pairs(choices: Hashable) -> set[Hashable]:
    """The pairs of choices of a problem; of numeric options only whether they are used."""
    assert isinstance(choices, tuple)
    kinds = [
        (n, v is not None if n == "ignore_index" else bool(v) if n == "label_smoothing" else v) for n, v in choices
    ]
    return set(combinations(kinds, 2))
