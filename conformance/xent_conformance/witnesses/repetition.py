"""Whether a failure comes by chance: the same calls, made again in new processes, fail in some of them only.

What a backend keeps from call to call also lets a call fail and then pass. It does so in the same way in every new
process in which the same calls are made in the same order; a race between threads does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xent_conformance.calling.calls import Caller, Invocation
from xent_conformance.judging.findings import Finding
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Requirement
from xent_conformance.witnesses.calls_before import made_anew
from xent_conformance.witnesses.time_left import TimeLeft

#: How often a problem is judged again, by the most logits that it has; larger ones take seconds.
TIMES = {1 << 12: 24, 1 << 18: 10}
TIMES_OF_LARGER = 2
#: Most new processes in which it is judged so often.
PROCESSES = 3


@dataclass(frozen=True)
class Repetitions:
    """The same problem judged several times in each of several new processes.

    ``runs`` has for each process what failed each time, None where it passed; ``made`` are the calls of the first time.
    """

    runs: tuple[tuple[Finding | None, ...], ...]
    made: tuple[Invocation, ...] = ()

    @property
    def first(self) -> Finding | None:
        """What failed the first time."""
        return self.runs[0][0]

    @property
    def failed(self) -> list[Finding]:
        """All that failed."""
        return [finding for run in self.runs for finding in run if finding is not None]

    @property
    def tries(self) -> int:
        """How often it was judged."""
        return sum(map(len, self.runs))

    @property
    def by_chance(self) -> bool:
        """Whether it failed in other tries of one process than of another."""
        return len({_pattern(run) for run in self.runs}) > 1


def times(requirement: Requirement, problem: Problem) -> int:
    """How often a problem is judged again to see whether it fails every time.

    Once where effects of earlier calls are judged, which may take a while to show, so that the next calls show them.
    Once, too, where a problem is so expensive that it is not reduced either.
    """
    if requirement.source.looks_back or not requirement.reducible:
        return 1
    return next((often for most, often in TIMES.items() if problem.logits.size <= most), TIMES_OF_LARGER)


def repeated(
    caller: Caller,
    problem: Problem,
    failure: Callable[[Problem], Finding | None],
    time: TimeLeft,
    often: int,
    before: Sequence[Invocation] = (),
) -> Repetitions:
    """Judge a problem so often in each of several new processes, in each after the same calls.

    If it fails every time in the first process, or has been seen to fail by chance, no other process is started; nor is
    one if it is to be judged once. When ``time`` is over, it is judged less often.
    """
    made_anew(caller, before)
    run = [failure(problem)]
    made = tuple(caller.executor.recent)
    run += time.within(failure(problem) for _ in range(often - 1))
    done = Repetitions((tuple(run),), made)
    more = PROCESSES if often > 1 and None in run else 1
    while len(done.runs) < more and not done.by_chance and not time.is_over():
        made_anew(caller, before)
        done = Repetitions((*done.runs, tuple(failure(problem) for _ in run)), made)
    return done


def _pattern(run: Sequence[Finding | None]) -> tuple[bool, ...]:
    return tuple(finding is not None for finding in run)
