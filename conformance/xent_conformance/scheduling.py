"""The cells and groups of a run, the order of the groups, and which of them a process takes next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from xent_conformance.judging.profiles import EXEMPLARY
from xent_conformance.judging.subject import Subject
from xent_conformance.requirements.registry import Requirement
from xent_conformance.strategies.streams import JOINT, Stream

#: The sources of problems that kill most mutants soonest, and the seconds that each takes: see ``tools/schedule.py``.
PLACE = Path(__file__).with_name("schedule.json")

#: The dtype of a cell whose requirement is judged once for all dtypes.
ALL_DTYPES = "all"


@dataclass(frozen=True)
class Cell:
    """One requirement on a subject."""

    subject: Subject

    def id(self, requirement: Requirement) -> str:
        """Parameter id: backend and dtype."""
        name, _, dtype = self.key(requirement)
        return f"{name}-{dtype}"

    def key(self, requirement: Requirement) -> tuple[str, str, str]:
        """Backend, requirement and dtype, as in :class:`~xent_conformance.records.lines.VerdictLine`."""
        return self.subject.name, requirement.id, ALL_DTYPES if requirement.once else self.subject.dtype


@dataclass(frozen=True)
class Group:
    """Requirements that are evaluated together on a subject: those whose problems come from the same source."""

    subject: Subject
    requirements: tuple[Requirement, ...]


def in_order(groups: Sequence[Group]) -> list[Group]:
    """Groups in the order of judging: first the most likely to fail, in one dtype; then the others, longest first.

    Starting with the longest makes all processes end at about the same time. Groups that examine the effects of earlier
    calls come last. If compilations are limited, the joint stream comes first, which may use most of them, then in one
    dtype streams about sizes, and calls that are to be rejected after all others: where they are accepted they can
    mostly use the programs of these.
    """
    likely, seconds = _measured()
    claimed = {group.subject.name: group.subject.dtype for group in groups}
    exemplary = claimed | {g.subject.name: EXEMPLARY for g in groups if g.subject.dtype == EXEMPLARY}

    def place(group: Group) -> tuple[int, float]:
        source, foremost = group.requirements[0].source, group.subject.dtype == exemplary[group.subject.name]
        if source.looks_back:
            return 3, 0.0
        if _limited(group):
            if source.rejected:
                return 2, 0.0
            if source.name == JOINT.name:
                return -2, 0.0
            if foremost and isinstance(source, Stream) and source.about_sizes:
                return -1, 0.0
        if foremost and source.name in likely:
            return 0, likely[source.name]
        # A source without a measured time may take longest, so it starts first.
        return 1, -seconds.get(source.name, inf)

    return sorted(groups, key=place)


@cache
def _measured() -> tuple[dict[str, int], dict[str, float]]:
    data: dict[str, Any] = json.loads(PLACE.read_text("utf-8"))
    return {name: number for number, name in enumerate(data["first"])}, data["seconds"]


class Schedule:
    """Gives groups to processes, in their order as far as possible.

    A backend that compiles a program for every shape does so in every process that needs it, and the groups of one
    dtype have the same shapes. So a process stays with one dtype of such a backend, and does not take groups of a dtype
    that another process works on while there are others. If compilations are limited it never does: the calls of a
    group then depend on the groups before it.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        """All groups are still to be given out."""
        self._left = list(groups)
        self._places: dict[int, tuple[str, str] | None] = {}

    def next(self, process: int) -> Group | None:
        """The next group for the process with this number; None if none is left for it."""
        if not self._left:
            return None
        own = self._places.get(process)
        taken = {place for other, place in self._places.items() if other != process}

        def rank(number: int) -> tuple[int, int]:
            place = _place(self._left[number])
            return (0 if place is not None and place == own else 2 if place in taken and place else 1), number

        open_to_it = [n for n, group in enumerate(self._left) if not (_limited(group) and _place(group) in taken)]
        if not open_to_it:
            return None
        chosen = self._left.pop(min(open_to_it, key=rank))
        self._places[process] = _place(chosen)
        return chosen


def _place(group: Group) -> tuple[str, str] | None:
    """Backend and dtype if the backend compiles a program for each shape, else None."""
    subject = group.subject
    compiled = subject.capabilities.static_shapes or _limited(group)
    return (subject.name, subject.dtype) if compiled else None


def _limited(group: Group) -> bool:
    """Whether the compilations of a group's backend are limited."""
    return group.subject.capabilities.compile_seconds > 0
