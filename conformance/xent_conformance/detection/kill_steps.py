"""Judging a mutant only where it differs from its twin.

The result of a check depends only on the outcomes of the calls that it makes. So the calls of a check on the correct
twin are recorded once for each problem, step by step, and made on each mutant. As long as the outcomes are bitwise the
same, the check would do the same as on the twin; at the first different outcome the check itself is run, with the
outcomes so far replayed instead of repeating the calls. So a backend with internal state sees the same calls as in a
normal run.

A step in which the twin ran none of the functions that a mutant replaces is skipped, because there the mutant is
identical to its twin.
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
    """One step of a check: the outcome of a call, which a trial makes once for all requirements, or another operation.

    ``ran`` has the twin's functions that ran in it. ``method`` is that of the executor, None for an outcome of the
    trial.
    """

    method: str | None
    args: tuple[Any, ...]
    result: Any
    ran: frozenset[CodeType]


class _Between:
    """An executor that forwards to another one."""

    expendable = False
    restarts = 0

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.recent = executor.recent

    def perform(self, invocation: Invocation) -> Outcome:
        result: Outcome = self._do("perform", invocation)
        return result

    def read_twice(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        result: tuple[Outcome, Outcome] = self._do("read_twice", invocation, other)
        return result

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        result: Outcome | None = self._do("rewritten", invocation, other)
        return result

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        result: list[list[Outcome]] = self._do("together", invocations, rounds)
        return result

    def disturbed(self, invocation: Invocation) -> tuple[Outcome, tuple[str, ...]]:
        result: tuple[Outcome, tuple[str, ...]] = self._do("disturbed", invocation)
        return result

    def renewed(self) -> bool:
        return False

    def keeps_strides(self, array: AnyArray) -> bool:
        return bool(self._do("keeps_strides", array))

    def close(self) -> None:
        self.executor.close()

    def _do(self, method: str, *args: Any) -> Any:
        raise NotImplementedError


class _Recorder(_Between):
    """Carries out calls and records them, with the functions that ran."""

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
    """Record the code of every Python function that is called, in this thread and in those that it starts."""

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
    """The trial of the twin that all requirements share; each of its calls is one step of every check that needs it."""

    def __init__(self, subject: Subject, problem: Problem, recorder: _Recorder) -> None:
        super().__init__(subject, problem)
        self._recorder = recorder
        self._steps: dict[Any, Step] = {}

    def outcome(self, call: Invocation) -> Outcome:
        steps = self._recorder.steps
        if call.key not in self._steps:
            length = len(steps)
            made = super().outcome(call)
            self._steps[call.key] = Step(None, (call,), made, steps[-1].ran)
            del steps[length:]
        steps.append(self._steps[call.key])
        outcome: Outcome = self._steps[call.key].result
        return outcome


class Twin:
    """The twin of some mutants, for one dtype. Steps are recorded only for one that is ``correct``."""

    def __init__(self, backend: Backend, dtype: str, *, correct: bool = True) -> None:
        """Nothing is called yet."""
        functions = (f for kind in type(backend).__mro__ for f in vars(kind).values() if isinstance(f, FunctionType))
        self.recorder = _Recorder(LocalExecutor(backend), frozenset(f.__code__ for f in functions))
        self.subject = replace(Subject.of(backend, dtype), executor=self.recorder)
        self.correct = correct

    def on(self, problem: Problem) -> OnProblem:
        """The recorded steps of checks on one problem."""
        return OnProblem(self, problem)


class OnProblem:
    """The steps of each requirement's check on the twin for one problem, recorded when they are first needed."""

    def __init__(self, twin: Twin, problem: Problem) -> None:
        """Nothing is called yet."""
        self.twin = twin
        self.problem = problem
        self.trial = _RecordedTrial(twin.subject, problem, twin.recorder)
        self.failed: set[str] = set()
        self._steps: dict[str, list[Step] | None] = {}

    def steps(self, requirement: Requirement) -> list[Step] | None:
        """The steps of a requirement's check; None if they cannot be used, because the check fails on the twin too."""
        if not self.twin.correct:
            return None
        if requirement.id not in self._steps:
            self.twin.recorder.steps = []
            if fails(requirement, self.trial):
                self.failed.add(requirement.id)
            self._steps[requirement.id] = None if requirement.id in self.failed else self.twin.recorder.steps
        return self._steps[requirement.id]


class _Player(_Between):
    """Replays the results that are available already before it carries out calls."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.ready: deque[Any] = deque()

    def _do(self, method: str, *args: Any) -> Any:
        return self.ready.popleft() if self.ready else getattr(self.executor, method)(*args)


class _PlayedTrial(Trial):
    """The trial of a mutant that all requirements share. It stores outcomes like the trial of the twin."""

    def __init__(self, subject: Subject, problem: Problem, shared: dict[Any, Any], player: _Player) -> None:
        super().__init__(subject, problem, shared)
        self._player = player

    def outcome(self, call: Invocation) -> Outcome:
        if self._player.ready:
            self._outcomes[call.key] = call, self._player.ready.popleft()
        return super().outcome(call)

    def step(self, step: Step, *, skipped: bool) -> Any:
        """The result of a step on the mutant; the twin's own object if it is the same."""
        if step.method is not None:
            return _alike(step, getattr(self._player, step.method), skipped=skipped)
        (call,) = step.args
        if call.key not in self._outcomes:
            self._outcomes[call.key] = call, _alike(step, self.subject.caller.perform, skipped=skipped)
        return self._outcomes[call.key][1]


def _alike(step: Step, ask: Callable[..., Any], *, skipped: bool) -> Any:
    result = step.result if skipped else ask(*step.args)
    return step.result if same(result, step.result) else result


class Wrong:
    """A mutant that is compared with its twin, for one dtype."""

    def __init__(self, backend: Backend, dtype: str, twin: Backend | None) -> None:
        """``twin`` None: there is no twin to compare it with."""
        self._player = _Player(LocalExecutor(backend))
        self.subject = replace(Subject.of(backend, dtype), executor=self._player)
        self._replaced = None if twin is None else replaced(backend, twin)
        self._trial: _PlayedTrial | None = None

    def fails(self, requirement: Requirement, asked: OnProblem) -> bool:
        """Whether a requirement fails on the mutant for the twin's problem."""
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
