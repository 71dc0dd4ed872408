"""Causes: the failures of a record that are the same fault, shown as one.

Two failures may be the same fault where they have the same signature: the kind of finding, and for an exception its
type and place. Whether they are is decided by their situations, what their witnesses cannot fail without
(``grouping.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xent_conformance.records.grouping import grouped
from xent_conformance.records.instances import AS_FLOAT32, Instance
from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.situations import described, listed
from xent_conformance.records.status import FAILING, Level, Status

#: Kinds by how bad they are: a process that ended and memory that was written come before wrong numbers.
WORST_FIRST = ("lost", "stray-write", "stray-read", "input-changed", "surroundings-changed", "result-changed")
#: Statuses that say nothing about a dtype.
NOT_JUDGED = (Status.NOT_APPLICABLE, Status.VACUOUS, Status.ERROR)


@dataclass(frozen=True)
class Cause:
    """A fault and all failures that it explains; the first of them is the one to show.

    ``judged`` are the dtypes that its requirements were judged for.
    """

    instances: tuple[Instance, ...]
    judged: tuple[str, ...]

    @property
    def shown(self) -> Instance:
        """The failure that stands for all."""
        return self.instances[0]

    @property
    def backend(self) -> str:
        """The backend that is wrong."""
        return self.shown.verdict.backend

    @property
    def situation(self) -> str:
        """What it takes for it to show, in words, with the dtypes where it is not seen in all that were judged."""
        if any(instance.signature[1] == AS_FLOAT32 for instance in self.instances):
            return "in float64, as accurate as float32"
        seen = [dtype for dtype in self.judged if dtype in self.dtypes]
        where = f" in {listed(seen)}" if 0 < len(seen) < len(self.judged) else ""
        shown = self.shown.failure
        return described(shown.situation, shown.undecided) + where

    @property
    def requirements(self) -> tuple[str, ...]:
        """Ids of the requirements that it breaks."""
        return tuple(sorted({i.verdict.requirement for i in self.instances}))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Dtypes that it was seen with."""
        return tuple(sorted({i.verdict.dtype for i in self.instances}))

    @property
    def summary(self) -> str:
        """The cause in one line: when, what, and which requirements it breaks."""
        return f"{self.situation}: {self.shown.failure.message} (breaks {', '.join(self.requirements)})"

    @property
    def badness(self) -> tuple[int, bool, int, tuple[str, ...]]:
        """Sorts the worst first: what ends a process or writes memory, broken MUSTs, many requirements."""
        kinds = [WORST_FIRST.index(i.failure.kind) for i in self.instances if i.failure.kind in WORST_FIRST]
        must = any(i.verdict.level is Level.MUST for i in self.instances)
        return min(kinds, default=len(WORST_FIRST)), not must, -len(self.requirements), self.requirements


def causes(verdicts: Iterable[VerdictLine]) -> list[Cause]:
    """The causes of all failures of some verdicts, the worst first.

    Verdicts without failures say which dtypes a cause was looked for in.
    """
    instances, judged = list[Instance](), dict[tuple[str, str], list[str]]()
    for verdict in verdicts:
        if verdict.status in FAILING:
            instances += [Instance(verdict, failure) for failure in verdict.failures]
        if verdict.status not in NOT_JUDGED and verdict.dtype != "all":
            judged.setdefault((verdict.backend, verdict.requirement), []).append(verdict.dtype)

    def dtypes(members: Sequence[Instance]) -> tuple[str, ...]:
        cells = dict.fromkeys((i.verdict.backend, i.verdict.requirement) for i in members)
        return tuple(dict.fromkeys(dtype for cell in cells for dtype in judged.get(cell, ())))

    found = [Cause(members, dtypes(members)) for members in grouped(instances)]
    return sorted(found, key=lambda cause: cause.badness)


def counted(found: Sequence[Cause]) -> str:
    """How many causes break how many requirements."""
    broken = len({name for cause in found for name in cause.requirements})
    return f"{len(found)} cause{'s' * (len(found) != 1)}, {broken} requirement{'s' * (broken != 1)}"
