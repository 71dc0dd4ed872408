"""The answers of the other backends and modes of a run to the smallest problem of each cause: who disagrees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from time import monotonic
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from xent_conformance.calling.calls import Invocation, Outcome
from xent_conformance.formats import FLOATING, is_floating
from xent_conformance.interface import BackendUnavailableError, Capabilities
from xent_conformance.interruptions import check
from xent_conformance.judging.findings import Compared, Declined, Finding, Lost
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject, distributions
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.errors import BrokenBackendError, UsageError
from xent_conformance.opening import Opened
from xent_conformance.oracle import Exact
from xent_conformance.problem import REDUCTIONS, Problem, by_row
from xent_conformance.problem_data import from_data
from xent_conformance.records.causes import causes
from xent_conformance.records.instances import Instance
from xent_conformance.records.lines import AnswerLine, Failure, VerdictLine
from xent_conformance.records.status import FAILING
from xent_conformance.requirements.registry import Requirement, load
from xent_conformance.witnesses.lost import hurried

#: Most causes whose problems are given to other backends, and seconds after which no further one is. There are limits
#: because a problem may crash a backend.
MOST, SECONDS = 50, 60.0
#: Seconds of them after which no further call is made in a mode, which may have to be compiled first.
SECONDS_IN_MODES = 30.0
#: Longest text of an answer or a reason.
LONGEST = 200


def answered(
    lines: Iterable[VerdictLine], opened: Sequence[Opened], notice: Callable[[str], object] = str
) -> list[VerdictLine]:
    """Collect the answers of the other backends, and of all backends in their other modes.

    Args:
        lines: All verdicts of the run.
        opened: Its open backends.
        notice: Called with what is being done.

    Returns:
        Those of the verdicts that have the smallest failure of a cause, with the answers in that failure.
    """
    others = {one.description.name: one for one in opened}
    failing = {line.cell: line for line in lines if line.status in FAILING and line.failures}
    if len(others) < 2 or not failing:  # noqa: PLR2004 - there is no other backend
        return []
    changed: dict[tuple[str, str, str], VerdictLine] = {}
    deadline = monotonic() + SECONDS
    with closing(_Modes()) as modes:
        for cause in causes(sorted(failing.values(), key=_place))[:MOST]:
            check()
            if monotonic() > deadline:
                break
            shown = cause.shown
            notice(f"{shown.verdict.requirement}: answers of the other backends and modes")
            if answers := tuple(_answers(shown, others, modes)):
                # The failure is one of the original line, which may have been changed by an earlier cause since.
                number = [f is shown.failure for f in shown.verdict.failures].index(True)
                line = changed.get(shown.verdict.cell, shown.verdict)
                failures = list(line.failures)
                failures[number] = replace(shown.failure, answers=answers)
                changed[line.cell] = replace(line, failures=tuple(failures))
    return list(changed.values())


class _Modes:
    """The modes of the backends of a run. Each is opened when it is first needed, as long as there is time."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Opened | None] = {}
        #: Seconds that each has taken for its latest answer.
        self._took: dict[tuple[str, str], float] = {}
        self._left = SECONDS_IN_MODES

    def of(self, one: Opened) -> Iterator[tuple[str, Opened]]:
        """The modes of a backend that can be called, by name, without those that take longer than the time left.

        What is done with each before the next one counts as its time.
        """
        for mode in one.description.modes:
            key, start = (one.description.name, mode), monotonic()
            if self._took.get(key, 0.0) > self._left:
                continue
            if key not in self._open:
                self._open[key] = _opened(one, mode)
            if (opened := self._open[key]) is not None:
                with hurried(opened.executor):
                    yield mode, opened
            self._took[key] = monotonic() - start
            self._left -= self._took[key]

    def close(self) -> None:
        """End the processes of all modes."""
        for opened in self._open.values():
            if opened is not None:
                opened.executor.close()


def _opened(one: Opened, mode: str) -> Opened | None:
    """A backend in one of its modes; None if it does not work here."""
    try:
        return one.in_mode(mode)
    except (BackendUnavailableError, BrokenBackendError, UsageError):
        return None


def _place(line: VerdictLine) -> tuple[str, str, int, str]:
    """Sort key: the order of the page, so that the same failures are chosen to represent the causes."""
    order = FLOATING.index(line.dtype) if line.dtype in FLOATING else len(FLOATING)
    return line.requirement, line.backend, order, line.device


def _answers(shown: Instance, others: dict[str, Opened], modes: _Modes) -> Iterator[AnswerLine]:
    """The answer of each other backend, and of each mode; empty if the failure depends on more than the problem.

    Modes to which the problem does not apply are left out: a mode may have only some of the backend's functions.
    """
    verdict, failure = shown.verdict, shown.failure
    requirement = load().get(verdict.requirement)
    if requirement is None or verdict.backend not in others or shown.unsteady:
        return
    try:
        problem = from_data(msgspec.to_builtins(failure.problem))
    except ValueError:
        return
    dtype = problem.dtype if verdict.dtype not in FLOATING else verdict.dtype
    own = _subject(others[verdict.backend], dtype)
    # The failing backend is judged again, to see that the problem alone makes it fail; not after a crash or hang.
    if failure.kind != Lost.kind and not any(f.failed for f in findings(requirement, Trial(own, problem))):
        return
    for name, other in others.items():
        if name != verdict.backend:
            yield _answer(requirement, _subject(other, dtype), failure, problem)
        for mode, called in modes.of(other):
            answer = _answer(requirement, _subject(called, dtype), failure, problem)
            if answer.outcome != "not-applicable":
                yield replace(answer, mode=mode)


def _subject(one: Opened, dtype: str) -> Subject:
    """A backend for a dtype, or for the first that it claims if the logits of the problem are not floating-point."""
    claimed = one.description.capabilities.logits_dtypes
    return Subject(one.description, one.executor, dtype if dtype in FLOATING else claimed[0])


def _answer(requirement: Requirement, subject: Subject, failure: Failure, problem: Problem) -> AnswerLine:
    """The answer of one backend to a problem on which another one fails, judged by its own claims and conventions."""
    within = _as_claimed(requirement, subject, problem)
    if isinstance(within, str):
        return AnswerLine(backend=subject.name, outcome="not-applicable", reason=within)
    trial = _RecordingTrial(subject, within)
    try:
        made = [f for f in findings(requirement, trial) if not isinstance(f, Declined)]
    except Exception as error:  # noqa: BLE001 - outside the oracle's domain under another convention
        reason = _shortened(f"cannot be judged: {error}")
        return AnswerLine(backend=subject.name, outcome="not-applicable", reason=reason)
    got = trial.value(failure)
    if wrong := [f for f in made if f.failed]:
        worst = max(wrong, key=lambda f: f.ratio)
        return AnswerLine(
            backend=subject.name, outcome="differs", got=_given(worst, got), reason=_shortened(worst.message)
        )
    if not any(f.exercised for f in made):
        return AnswerLine(backend=subject.name, outcome="not-applicable", got=got, reason="nothing can be compared")
    own = not trial.expects_the_same(failure, got)
    return AnswerLine(backend=subject.name, outcome="own-convention" if own else "agrees", got=got)


def _shortened(text: str) -> str:
    return " ".join(text.split())[:LONGEST]


def _given(worst: Finding, got: float | str | None) -> float | str | None:
    return worst.got if got is None and isinstance(worst, Compared) else got


def _as_claimed(requirement: Requirement, subject: Subject, problem: Problem) -> Problem | str:
    """A problem changed to be within a backend's claims, or the reason for which that is not possible."""
    foreign = requirement.source.foreign_labels
    if (reason := next(_not_claimed(requirement, subject, problem, foreign=foreign), None)) is not None:
        return reason
    same = _ignoring_the_same(problem, subject.capabilities)
    if same is None:
        return f"{subject.name} does not ignore the same rows"
    within = same if foreign else subject.within_claims(same)
    return f"{subject.name} does not claim so many classes, or so much smoothing" if within is None else within


def _not_claimed(requirement: Requirement, subject: Subject, problem: Problem, *, foreign: bool) -> Iterator[str]:
    """The reasons for which a problem does not apply to a backend."""
    claims, labels = subject.capabilities, problem.target.dtype.name
    without = f"{subject.name} does not claim"
    if problem.dtype in FLOATING and problem.dtype not in claims.logits_dtypes:
        yield f"{without} {problem.dtype}"
    if (reason := requirement.not_applicable(subject)) is not None:
        yield reason
    if unclaimed := subject.unclaimed(problem):
        yield f"{without} {', '.join(sorted(unclaimed))}"
    # A reduction that does not exist must be rejected by every backend.
    if problem.reduction in REDUCTIONS and problem.reduction not in claims.reductions:
        yield f"{without} reduction={problem.reduction!r}"
    if not (foreign or problem.has_probabilities or labels in ("int64", *claims.target_dtypes)):
        yield f"{without} {labels} labels"
    if subject.conventions.unnormalised_targets == "undefined" and distributions(problem) is not problem:
        yield f"{subject.name} does not define targets that do not sum to one"


def _ignoring_the_same(problem: Problem, claims: Capabilities) -> Problem | None:
    """A problem with the same ignored rows for a backend with another default ignore_index; None if not possible."""
    same = problem.with_(sentinel=claims.default_ignore_index)
    if np.array_equal(same.ignored(), problem.ignored()):
        return same
    return same.with_(ignore_index=problem.sentinel) if claims.ignore_index and problem.sentinel is not None else None


class _RecordingTrial(Trial):
    """A trial that records the results that were compared, and the outcomes of calls."""

    def __init__(self, subject: Subject, problem: Problem) -> None:
        """Nothing is recorded yet."""
        super().__init__(subject, problem)
        self._compared: list[tuple[str, npt.NDArray[Any], Exact]] = []
        self._made: list[tuple[Invocation, Outcome]] = []

    def outcome(self, call: Invocation) -> Outcome:
        """The outcome of a call."""
        outcome = super().outcome(call)
        self._made.append((call, outcome))
        return outcome

    def compare(self, quantity: str, observed: npt.NDArray[Any], exact: Exact, *more: Any, **details: Any) -> Compared:
        """A result compared with the exact answer."""
        self._compared.append((quantity, np.asarray(observed, np.float64), exact))
        return super().compare(quantity, observed, exact, *more, **details)

    def value(self, failure: Failure) -> float | str | None:
        """The value at the place where the failing backend is wrong, or the exception; None if there is no number."""
        index = tuple(failure.index or ())
        for quantity, observed, exact in self._compared:
            if quantity == failure.quantity and _within(index, observed.shape) and observed.shape == exact.value.shape:
                return float(observed[index])
        for call, outcome in self._made:
            if call.method != failure.call:
                continue
            if outcome.raised is not None:
                return f"raised {outcome.raised_type}"
            array = outcome.arrays.get(failure.quantity)
            if array is not None and array.shape == self.problem.logits.shape:
                array = by_row(array, self.problem.class_axis)
            if array is not None and is_floating(array.dtype) and _within(index, array.shape):
                return float(array[index])
        return None

    def expects_the_same(self, failure: Failure, got: float | str | None) -> bool:
        """Whether the answer that is required of the failing backend is required of this one too; True if unknown."""
        index = tuple(failure.index or ())
        if isinstance(failure.expected, str):
            holds = CONDITIONS.get(failure.expected)
            return holds is None or not isinstance(got, float) or holds(got)
        for quantity, _, exact in self._compared:
            if quantity == failure.quantity and _within(index, exact.value.shape) and failure.expected is not None:
                return bool(np.isclose(exact.value[index], failure.expected, rtol=1e-9, atol=0.0, equal_nan=True))
        return True


def _within(index: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether an index names one element."""
    return len(index) == len(shape) and all(i < length for i, length in zip(index, shape, strict=True))


#: Conditions that conventions require, by the words that a record has in place of an expected number.
CONDITIONS: dict[str, Callable[[float], bool]] = {
    "nan": math.isnan,
    "zero": lambda got: got == 0,
    "not finite": lambda got: not math.isfinite(got),
    "zero or more": lambda got: got >= 0,
    "zero or less": lambda got: got <= 0,
    "inf": lambda got: got == math.inf,
}
