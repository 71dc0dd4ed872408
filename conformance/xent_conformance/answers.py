"""Who disagrees: the smallest problem of each cause, put to all other backends of the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from xent_conformance.calling.calls import Invocation, Outcome
from xent_conformance.formats import FLOATING, is_floating
from xent_conformance.interface import Capabilities
from xent_conformance.interruptions import check
from xent_conformance.judging.findings import Compared, Declined, Finding, Lost
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject, distributions
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.claims import REDUCTIONS
from xent_conformance.opening import Opened
from xent_conformance.oracle import Exact
from xent_conformance.problem import Problem, by_row
from xent_conformance.problem_data import from_data
from xent_conformance.records.causes import causes
from xent_conformance.records.instances import Instance
from xent_conformance.records.lines import AnswerLine, Failure, VerdictLine
from xent_conformance.records.status import FAILING
from xent_conformance.requirements.registry import Requirement, load

#: Causes whose problems are asked about, and seconds after which no other is: each may end processes.
MOST, SECONDS = 50, 60.0
#: Longest text of an answer or a reason.
LONGEST = 200


def answered(lines: Iterable[VerdictLine], opened: Sequence[Opened]) -> list[VerdictLine]:
    """The verdicts that have the smallest failure of a cause, with the answers of the other backends to it."""
    others = {one.description.name: one for one in opened}
    failing = {line.cell: line for line in lines if line.status in FAILING and line.failures}
    if len(others) < 2 or not failing:  # noqa: PLR2004 - nobody to ask
        return []
    changed: dict[tuple[str, str, str], VerdictLine] = {}
    deadline = monotonic() + SECONDS
    for cause in causes(sorted(failing.values(), key=_place))[:MOST]:
        check()
        if monotonic() > deadline:
            break
        shown = cause.shown
        if answers := tuple(_answers(shown, others)):
            # What was grouped are the failures of the line as it was.
            number = [f is shown.failure for f in shown.verdict.failures].index(True)
            line = changed.get(shown.verdict.cell, shown.verdict)
            failures = list(line.failures)
            failures[number] = replace(shown.failure, answers=answers)
            changed[line.cell] = replace(line, failures=tuple(failures))
    return list(changed.values())


def _place(line: VerdictLine) -> tuple[str, str, int, str]:
    """Where a verdict stands on the page, which shows the same failure of a cause only if the order is the same."""
    order = FLOATING.index(line.dtype) if line.dtype in FLOATING else len(FLOATING)
    return line.requirement, line.backend, order, line.device


def _answers(shown: Instance, others: dict[str, Opened]) -> Iterator[AnswerLine]:
    """What each other backend comes to; nothing where the problem is not all that it takes to fail."""
    verdict, failure = shown.verdict, shown.failure
    requirement = load().get(verdict.requirement)
    if requirement is None or verdict.backend not in others or failure.intermittent or failure.calls_before:
        return
    try:
        problem = from_data(msgspec.to_builtins(failure.problem))
    except ValueError:
        return
    dtype = problem.dtype if verdict.dtype not in FLOATING else verdict.dtype
    own = _subject(others[verdict.backend], dtype)
    # A backend whose process has ended on it is not asked again.
    if failure.kind != Lost.kind and not any(f.failed for f in findings(requirement, Trial(own, problem))):
        return
    for name, other in others.items():
        if name != verdict.backend:
            answer = _answer(requirement, _subject(other, dtype), failure, problem)
            yield replace(answer, reason=" ".join(answer.reason.split())[:LONGEST])


def _subject(one: Opened, dtype: str) -> Subject:
    """A backend with a dtype, or with the first that it claims where the logits are not floating-point numbers."""
    claimed = one.description.capabilities.logits_dtypes
    return Subject(one.description, one.executor, dtype if dtype in FLOATING else claimed[0])


def _answer(requirement: Requirement, subject: Subject, failure: Failure, problem: Problem) -> AnswerLine:
    """What one backend comes to on a problem that another one fails on, held to its own claims."""
    asked = _as_claimed(requirement, subject, problem)
    if isinstance(asked, str):
        return AnswerLine(backend=subject.name, outcome="not-applicable", reason=asked)
    trial = _Seen(subject, asked)
    try:
        found = [f for f in findings(requirement, trial) if not isinstance(f, Declined)]
    except Exception as error:  # noqa: BLE001 - outside the oracle's domain under another convention
        return AnswerLine(backend=subject.name, outcome="not-applicable", reason=f"cannot be judged: {error}")
    got = trial.value(failure)
    if wrong := [f for f in found if f.failed]:
        worst = max(wrong, key=lambda f: f.ratio)
        return AnswerLine(backend=subject.name, outcome="differs", got=_given(worst, got), reason=worst.message)
    if not any(f.exercised for f in found):
        return AnswerLine(backend=subject.name, outcome="not-applicable", got=got, reason="nothing can be compared")
    own = not trial.expects_the_same(failure, got)
    return AnswerLine(backend=subject.name, outcome="own-convention" if own else "agrees", got=got)


def _given(worst: Finding, got: float | str | None) -> float | str | None:
    return worst.got if got is None and isinstance(worst, Compared) else got


def _as_claimed(requirement: Requirement, subject: Subject, problem: Problem) -> Problem | str:
    """A problem as a backend takes it, or why it does not apply to that."""
    foreign = requirement.source.foreign_labels
    if (reason := next(_not_claimed(requirement, subject, problem, foreign=foreign), None)) is not None:
        return reason
    asked = _ignoring_the_same(problem, subject.capabilities)
    if asked is None:
        return f"{subject.name} does not ignore the same rows"
    within = asked if foreign else subject.within_claims(asked)
    return f"{subject.name} does not claim so many classes, or so much smoothing" if within is None else within


def _not_claimed(requirement: Requirement, subject: Subject, problem: Problem, *, foreign: bool) -> Iterator[str]:
    """Why a problem does not apply to a backend: what it does not claim."""
    claims, labels = subject.capabilities, problem.target.dtype.name
    without = f"{subject.name} does not claim"
    if problem.dtype in FLOATING and problem.dtype not in claims.logits_dtypes:
        yield f"{without} {problem.dtype}"
    if (reason := requirement.not_applicable(subject)) is not None:
        yield reason
    if unclaimed := subject.unclaimed(problem):
        yield f"{without} {', '.join(sorted(unclaimed))}"
    # Any other reduction is what its requirement is about.
    if problem.reduction in REDUCTIONS and problem.reduction not in claims.reductions:
        yield f"{without} reduction={problem.reduction!r}"
    if not (foreign or problem.has_probabilities or labels in ("int64", *claims.target_dtypes)):
        yield f"{without} {labels} labels"
    if subject.conventions.unnormalised_targets == "undefined" and distributions(problem) is not problem:
        yield f"{subject.name} does not define targets that do not sum to one"


def _ignoring_the_same(problem: Problem, claims: Capabilities) -> Problem | None:
    """A problem for a backend that may ignore another class by default, with the same rows ignored; None: it cannot."""
    asked = problem.with_(sentinel=claims.default_ignore_index)
    if np.array_equal(asked.ignored(), problem.ignored()):
        return asked
    return asked.with_(ignore_index=problem.sentinel) if claims.ignore_index and problem.sentinel is not None else None


class _Seen(Trial):
    """A trial that remembers what was compared, and what calls came to."""

    def __init__(self, subject: Subject, problem: Problem) -> None:
        """Of one problem, outside any stream."""
        super().__init__(subject, problem)
        self._compared: list[tuple[str, npt.NDArray[Any], Exact]] = []
        self._came_to: list[tuple[Invocation, Outcome]] = []

    def outcome(self, call: Invocation) -> Outcome:
        """Outcome of a call."""
        outcome = super().outcome(call)
        self._came_to.append((call, outcome))
        return outcome

    def compare(self, quantity: str, observed: npt.NDArray[Any], exact: Exact, *more: Any, **details: Any) -> Compared:
        """A result beside the exact answer."""
        self._compared.append((quantity, np.asarray(observed, np.float64), exact))
        return super().compare(quantity, observed, exact, *more, **details)

    def value(self, failure: Failure) -> float | str | None:
        """What it has where the failing backend is wrong; None: that cannot be said as one number."""
        index = tuple(failure.index or ())
        for quantity, observed, exact in self._compared:
            if quantity == failure.quantity and _within(index, observed.shape) and observed.shape == exact.value.shape:
                return float(observed[index])
        for call, outcome in self._came_to:
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
        """Whether what is right for the failing backend is right for this one too, as far as can be said."""
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


#: What conventions ask for in words, as a record has them where it has no number.
CONDITIONS: dict[str, Callable[[float], bool]] = {
    "nan": math.isnan,
    "zero": lambda got: got == 0,
    "not finite": lambda got: not math.isfinite(got),
    "zero or more": lambda got: got >= 0,
    "zero or less": lambda got: got <= 0,
    "inf": lambda got: got == math.inf,
}
