"""Judging a mutant only where it differs from its twin.

A check is a function of what the calls that it makes come to. So what it calls on the correct twin is written down once
for each problem, step by step, and a mutant is asked the same. As long as it gives the same bits, the check would go
the same way and find what it finds on the twin; at the first other result the check itself is made, which is given the
results so far instead of calling again. A backend that keeps something from call to call sees the same calls as ever.

A step in which the twin ran none of the functions that a mutant replaces is not even called: there the mutant is its
twin.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import CodeType, FrameType, FunctionType
from typing import Any

from xent_conformance.calling.calls import Executor, Invocation, Outcome
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.detection.kill_twins import replaced, same
from xent_conformance.interface import Backend
from xent_conformance.judging.judge import fails
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import AnyArray, Problem
from xent_conformance.requirements.registry import Requirement


@dataclass(frozen=True, eq=False)
class Step:
    """What a check asks for: the outcome of a call, which its trial makes once for all requirements, or more.

    ``ran`` has the twin's functions that ran in it. ``method`` is the executor's, None where the trial was asked.
    """

    method: str | None
    args: tuple[Any, ...]
    result: Any
    ran: frozenset[CodeType]


class _Between:
    """An executor before another one."""

    expendable = False
    restarts = 0

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.recent = executor.recent

    def perform(self, invocation: Invocation) -> Outcome:
        found: Outcome = self._do("perform", invocation)
        return found

    def read_twice(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        found: tuple[Outcome, Outcome] = self._do("read_twice", invocation, other)
        return found

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        found: Outcome | None = self._do("rewritten", invocation, other)
        return found

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        found: list[list[Outcome]] = self._do("together", invocations, rounds)
        return found

    def disturbed(self, invocation: Invocation) -> tuple[Outcome, tuple[str, ...]]:
        found: tuple[Outcome, tuple[str, ...]] = self._do("disturbed", invocation)
        return found

    def renewed(self) -> bool:
        return False

    def keeps_strides(self, array: AnyArray) -> bool:
        return bool(self._do("keeps_strides", array))

    def close(self) -> None:
        self.executor.close()

    def _do(self, method: str, *args: Any) -> Any:
        raise NotImplementedError


class _Recorder(_Between):
    """Carries out calls and writes them down, with the functions that ran."""

    def __init__(self, executor: Executor, functions: frozenset[CodeType]) -> None:
        super().__init__(executor)
        self.functions = functions
        self.steps: list[Step] = []

    def _do(self, method: str, *args: Any) -> Any:
        ran: set[CodeType] = set()
        with _noting(ran):
            result = getattr(self.executor, method)(*args)
        self.steps.append(Step(method, args, result, frozenset(ran & self.functions)))
        return result


@contextmanager
def _noting(ran: set[CodeType]) -> Iterator[None]:
    """Note the code of every Python function that is called, in this thread and in those that it starts."""

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            ran.add(frame.f_code)

    before = sys.getprofile(), threading.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before[0])
        threading.setprofile(before[1])


class _RecordedTrial(Trial):
    """The trial of the twin that all requirements share: each of its calls is one step, whoever makes it first."""

    def __init__(self, subject: Subject, problem: Problem, recorder: _Recorder) -> None:
        super().__init__(subject, problem)
        self._recorder = recorder
        self._steps: dict[Any, Step] = {}

    def outcome(self, call: Invocation) -> Outcome:
        steps = self._recorder.steps
        if call.key not in self._steps:
            length = len(steps)
            found = super().outcome(call)
            self._steps[call.key] = Step(None, (call,), found, steps[-1].ran)
            del steps[length:]
        steps.append(self._steps[call.key])
        outcome: Outcome = self._steps[call.key].result
        return outcome


class Twin:
    """The correct twin of some mutants, for one dtype. Nothing goes by one that is not known to be ``correct``."""

    def __init__(self, backend: Backend, dtype: str, *, correct: bool = True) -> None:
        """Nothing is called yet."""
        functions = (f for kind in type(backend).__mro__ for f in vars(kind).values() if isinstance(f, FunctionType))
        self.recorder = _Recorder(LocalExecutor(backend), frozenset(f.__code__ for f in functions))
        self.subject = replace(Subject.of(backend, dtype), executor=self.recorder)
        self.correct = correct

    def on(self, problem: Problem) -> OnProblem:
        """What checks call on one problem."""
        return OnProblem(self, problem)


class OnProblem:
    """What each requirement's check calls on the twin for one problem, found out when it is first asked for."""

    def __init__(self, twin: Twin, problem: Problem) -> None:
        """Nothing is called yet."""
        self.twin = twin
        self.problem = problem
        self.trial = _RecordedTrial(twin.subject, problem, twin.recorder)
        self.failed: set[str] = set()
        self._steps: dict[str, list[Step] | None] = {}

    def steps(self, requirement: Requirement) -> list[Step] | None:
        """The steps of a requirement's check; None: there is nothing to go by, since it fails on the twin as well."""
        if not self.twin.correct:
            return None
        if requirement.id not in self._steps:
            self.twin.recorder.steps = []
            if fails(requirement, self.trial):
                self.failed.add(requirement.id)
            self._steps[requirement.id] = None if requirement.id in self.failed else self.twin.recorder.steps
        return self._steps[requirement.id]


class _Player(_Between):
    """Gives the results that are there already before it carries out calls."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.ready: deque[Any] = deque()

    def _do(self, method: str, *args: Any) -> Any:
        return self.ready.popleft() if self.ready else getattr(self.executor, method)(*args)


class _PlayedTrial(Trial):
    """The trial of a mutant that all requirements share. What it was asked is kept as the twin's trial keeps it."""

    def __init__(self, subject: Subject, problem: Problem, shared: dict[Any, Any], player: _Player) -> None:
        super().__init__(subject, problem, shared)
        self._player = player

    def outcome(self, call: Invocation) -> Outcome:
        if self._player.ready:
            self._outcomes[call.key] = call, self._player.ready.popleft()
        return super().outcome(call)

    def step(self, step: Step, *, skipped: bool) -> Any:
        """The result of a step of the twin, the twin's own object where it is the same."""
        if step.method is not None:
            return _alike(step, getattr(self._player, step.method), skipped=skipped)
        (call,) = step.args
        if call.key not in self._outcomes:
            self._outcomes[call.key] = call, _alike(step, self.subject.caller.perform, skipped=skipped)
        return self._outcomes[call.key][1]


def _alike(step: Step, ask: Callable[..., Any], *, skipped: bool) -> Any:
    found = step.result if skipped else ask(*step.args)
    return step.result if same(found, step.result) else found


class Wrong:
    """A wrong backend beside its twin, for one dtype."""

    def __init__(self, backend: Backend, dtype: str, twin: Backend | None) -> None:
        """``twin`` None: nothing is known of what it has in common with any other."""
        self._player = _Player(LocalExecutor(backend))
        self.subject = replace(Subject.of(backend, dtype), executor=self._player)
        self._replaced = None if twin is None else replaced(backend, twin)
        self._trial: _PlayedTrial | None = None

    def fails(self, requirement: Requirement, asked: OnProblem) -> bool:
        """Whether a requirement fails on the problem that the twin is asked."""
        if self._trial is None or self._trial.problem is not asked.problem:
            self._trial = _PlayedTrial(self.subject, asked.problem, asked.trial.shared, self._player)
        steps, ready = asked.steps(requirement), []
        for step in steps or ():
            ready.append(self._trial.step(step, skipped=self._skips(step)))
            if ready[-1] is not step.result:
                break
        else:
            if steps is not None:
                return False
        self._player.ready.extend(ready)
        failed = fails(requirement, self._trial)
        self._player.ready.clear()
        return failed

    def _skips(self, step: Step) -> bool:
        return self._replaced is not None and self._replaced.isdisjoint(step.ran)
