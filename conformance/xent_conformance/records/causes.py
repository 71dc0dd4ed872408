"""The causes of a record's failures: all failures that are the same fault are one cause.

``grouping.py`` decides which failures are the same fault, by their signatures (kind of finding, type and place of an
exception) and their situations (the facts that their problems need in order to fail).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xent_conformance.records.consequences import IN_THREADS
from xent_conformance.records.grouping import STEADY, grouped, near
from xent_conformance.records.instances import AS_FLOAT32, CHECKS, WRONG_MESSAGE, Instance
from xent_conformance.records.lines import LOST, VerdictLine
from xent_conformance.records.situations import (
    INVALID,
    NO_CLASSES,
    NOT_EVERY_TIME,
    Weight,
    begins_at,
    counted_of,
    described,
    fact,
    is_size,
    listed,
)
from xent_conformance.records.status import FAILING, Status

#: Kinds of findings that are worse than wrong numbers, worst first.
WORST_FIRST = (LOST, "stray-write", "stray-read", "input-changed", "surroundings-changed", "result-changed")
#: Statuses that say nothing about a dtype.
NOT_JUDGED = (Status.NOT_APPLICABLE, Status.VACUOUS, Status.ERROR)


@dataclass(frozen=True)
class Cause:
    """A fault.

    Attributes:
        instances: The failures that it explains; the first one represents them.
        judged: The dtypes for which its requirements were judged.
    """

    instances: tuple[Instance, ...]
    judged: tuple[str, ...]

    @property
    def shown(self) -> Instance:
        """The failure that represents all."""
        return self.instances[0]

    @property
    def backend(self) -> str:
        """The backend that is wrong."""
        return self.shown.verdict.backend

    @property
    def is_narrow(self) -> bool:
        """Whether float64 is computed in float32."""
        return any(instance.signature[1] == AS_FLOAT32 for instance in self.instances)

    @property
    def situation(self) -> str:
        """Its situation in words, with the dtypes unless it occurs in all that were judged."""
        if self.is_narrow:
            return "in float64, as accurate as float32"
        shown = self.shown.failure
        # A message is about the call that it rejects, whatever else that call has.
        if shown.kind == WRONG_MESSAGE:
            return described([INVALID])
        seen = [dtype for dtype in self.judged if dtype in self.dtypes]
        where = f" in {listed(seen)}" if 0 < len(seen) < len(self.judged) else ""
        # The same call has passed too, so that nothing about it is a condition of the failure.
        if shown.intermittent:
            return NOT_EVERY_TIME + where
        # What a check is about is in the message; without it the call is valid, which decides nothing. Of a list of
        # invalid calls the first that is accepted ends the search, and not every dtype is given each of them.
        if shown.kind in CHECKS:
            return described([*shown.situation, *(name for name in shown.undecided if name in (INVALID, NO_CLASSES))])
        return described(*self._needs) + where

    @property
    def _needs(self) -> tuple[list[str], list[str]]:
        """The facts that the failures need, and those for which none of them decides that.

        A requirement about class weights cannot decide whether its failure needs them; another one can. A faint fact
        that the shown failure needs and most others do not, it needs by accident.
        """
        shown, alike = self.shown.failure, [i for i in self.instances if i.signature == self.shown.signature]
        needed, undecided = list[str](), list[str]()
        # Calls that are compared with the shown one may have another reduction.
        other = [n for n in shown.undecided if n.startswith("reduction ") and not n.endswith(shown.problem.reduction)]
        for name in (*shown.situation, *(name for name in shown.undecided if name not in other)):
            decided = [instance.decides(name) for instance in alike]
            with_it, without_it = decided.count(True), decided.count(False)
            weight = fact(name).weight
            if name in shown.situation:
                often = with_it >= without_it
                sure = not _contradicted(name, alike) if is_size(name) else weight is not Weight.FAINT or often
            else:
                sure = with_it > without_it and (weight is not Weight.FAINT or (with_it >= STEADY and not without_it))
            if sure:
                needed.append(name)
            elif not (with_it or without_it):
                undecided.append(name)
        return needed, undecided

    @property
    def requirements(self) -> tuple[str, ...]:
        """Ids of the requirements that it breaks."""
        return tuple(sorted({i.verdict.requirement for i in self.instances}))

    @property
    def broken(self) -> tuple[str, ...]:
        """Ids of those for which a run fails: all but SHOULDs without a crash."""
        failed = (i for i in self.instances if i.verdict.status_of(i.failure) is not Status.WEAK)
        return tuple(sorted({i.verdict.requirement for i in failed}))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes in which it occurs."""
        return tuple(sorted({i.verdict.dtype for i in self.instances}))

    @property
    def summary(self) -> str:
        """The cause in one line: its situation, the message, and the requirements that it breaks."""
        weak = [name for name in self.requirements if name not in self.broken]
        apart = [f"the SHOULD{'s' * (len(weak) > 1)} {', '.join(weak)}"] if weak else []
        broken = " and ".join(filter(None, [", ".join(self.broken), *apart]))
        return f"{self.situation}: {self.shown.failure.message} (breaks {broken})"

    @property
    def badness(self) -> tuple[int, bool, bool, int, tuple[str, ...]]:
        """Sort key, worst first: crashes and memory errors, violated MUSTs, without threads, many requirements."""
        kinds = [WORST_FIRST.index(i.failure.kind) for i in self.instances if i.failure.kind in WORST_FIRST]
        must = not all(instance.optional for instance in self.instances)
        threads = all(IN_THREADS in instance.failure.message for instance in self.instances)
        return min(kinds, default=len(WORST_FIRST)), not must, threads, -len(self.requirements), self.requirements


def _contradicted(size: str, alike: Sequence[Instance]) -> bool:
    """Whether a size such as "more than 64 classes" is not where the failures begin, since another one was measured.

    Which size that is then depends on other things, such as the logits. A size that most requirements measured counts,
    and so does one that is twice another one: a requirement may call with every row twice.
    """
    if not begins_at(size):
        return False
    sizes = {(i.verdict.requirement, other) for i in alike for other in i.sizes if begins_at(other)}
    measured = [other for _, other in sizes if counted_of(other) == counted_of(size)]
    return sum(not near(size, other) for other in measured) >= measured.count(size)


def causes(verdicts: Iterable[VerdictLine]) -> list[Cause]:
    """Group the failures of verdicts by cause.

    Args:
        verdicts: All verdicts of a record. Those that pass determine the dtypes in which a cause does not occur.

    Returns:
        The causes, worst first.
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

    every = [Cause(members, dtypes(members)) for members in grouped(instances)]
    return sorted(every, key=lambda cause: cause.badness)


def counted(every: Sequence[Cause]) -> str:
    """The numbers of causes and of what they break, in words."""
    names = {name for cause in every for name in cause.requirements}
    weak = names - {name for cause in every for name in cause.broken}
    return f"{len(every):,} cause{'s' * (len(every) != 1)}, {broken_text(len(names - weak), len(weak))}"


def broken_text(requirements: int, weak: int) -> str:
    """The number of broken requirements in words; apart from them that of the ``weak``, SHOULDs for which no run fails.

    Example:
        >>> broken_text(27, 1), broken_text(1, 0), broken_text(0, 2)
        ('27 requirements and 1 SHOULD', '1 requirement', '2 SHOULDs')
    """
    numbers = (requirements, "requirement"), (weak, "SHOULD")
    return " and ".join(f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in numbers if n) or "0 requirements"
