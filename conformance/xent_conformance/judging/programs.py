"""Which problems a backend is judged on that compiles for each new shape or option: few of those, in many combinations.

A run has a number of compilations for each dtype. The source of all options jointly gets a quarter of them, every other
one a share of what is left; after that a source has only problems for which there are programs already. New programs
are chosen one by one, each for the problem with most pairs of choices that no other has.
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

#: The part of what is left that all options jointly, and any other stream, may have.
OF_ALL, OF_A_STREAM = 4, 8
#: New programs of a fixed list: one for a call, and one for what it is compared with.
OF_A_LIST = 2


class Drawn(NamedTuple):
    """A problem, the number that it was drawn as, and the recipe that it was drawn from, if any."""

    example: int
    problem: Problem
    recipe: Recipe | None


def share_of(source: Source, programs: Compilations) -> int:
    """How many new programs a source may have."""
    if source.name == JOINT.name:
        return -(-programs.left // OF_ALL)
    return -(-programs.left // OF_A_STREAM) if isinstance(source, Stream) else OF_A_LIST


def with_few_programs(drawn: Iterable[Drawn], programs: Compilations, most: int) -> Iterator[Drawn]:
    """At most ``most`` of the problems drawn: one for each new program while there is room, then any that need none.

    The order depends on the problems and on what was chosen before, and on nothing else.
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
    """What a program may depend on."""
    return (
        ("logits", problem.logits.shape),
        ("target", (problem.target.dtype.name, problem.target.shape)),
        ("layout", problem.logits.flags.c_contiguous),
        ("weight", problem.weight is not None),
        ("ignore_index", problem.ignore_index),
        ("reduction", problem.reduction),
        ("label_smoothing", problem.label_smoothing),
    )


def _pairs(choices: Hashable) -> set[Hashable]:
    """Pairs of choices, of numbers only whether there is one."""
    assert isinstance(choices, tuple)
    kinds = [
        (n, v is not None if n == "ignore_index" else bool(v) if n == "label_smoothing" else v) for n, v in choices
    ]
    return set(combinations(kinds, 2))
