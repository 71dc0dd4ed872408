"""From a verdict's failing problem to what a record says about it: reduced, in text, and as a script."""

from __future__ import annotations

import shlex
from dataclasses import replace

import numpy as np

from xent_conformance.calling.calls import CRASH, TIMEOUT
from xent_conformance.judging.evaluation import Verdict, findings_of
from xent_conformance.judging.judge import Finding
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.tally import Failing, located
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.problem_data import to_data, to_text
from xent_conformance.records.lines import Bin, DeviationLine, Failure, Found, ProblemLine, VerdictLine
from xent_conformance.records.plain import from_data
from xent_conformance.records.version1 import UNKNOWN
from xent_conformance.requirements.registry import Requirement
from xent_conformance.witnesses.reducer import LIMIT, LIMIT_STATIC_SHAPES, Reducer
from xent_conformance.witnesses.reproduce import script

#: A failure of this ratio leaves no reader in doubt; reducing does not go below it.
CLEAR = 8.0
#: A failing problem is judged again before it is reduced, since what fails only sometimes cannot be: so many times,
#: and so many more where it did not fail in all of them.
AGAIN, MORE = 2, 8
#: Workers that reducing a call which ends its process may use up, and one which never comes back.
RESTARTS = {CRASH: 20, TIMEOUT: 3}


def verdict_line(verdict: Verdict, settings: Settings) -> VerdictLine:
    """The line of a record for a verdict; reduces the failing problem first."""
    tally, subject, requirement = verdict.tally, verdict.subject, verdict.requirement
    failures = []
    if verdict.failing is not None:
        reduced, tries = reduce(requirement, subject, verdict.failing)
        first = verdict.failing
        found = Found(
            failing_examples=tally.failed,
            example=first.example,
            recipe=None if first.recipe is None else str(first.recipe),
            logits_shape=first.problem.logits.shape,
            ratio=first.finding.ratio,
            tries=tries,
        )
        failures.append(failure(requirement, subject, reduced, settings, found))
    return VerdictLine(
        backend=subject.name,
        requirement=requirement.id,
        dtype="all" if requirement.once else subject.dtype,
        device=subject.device,
        status=verdict.status,
        level=requirement.level,
        examples=tally.examples,
        exercised=tally.exercised,
        excused=tally.excused,
        ratio=tally.ratio,
        bins=tuple(Bin(**entry) for entry in tally.bins()),
        reason=verdict.reason,
        observed=verdict.observed,
        failures=tuple(failures),
        deviations=tuple(
            DeviationLine(
                reason=deviation.reason,
                issue=deviation.issue,
                versions=deviation.versions,
                where=deviation.where,
                witness=failure(requirement, subject, witness, settings),
            )
            for deviation, witness in verdict.deviations
        ),
        seconds=round(verdict.seconds, 3),
    )


def reduce(requirement: Requirement, subject: Subject, failing: Failing) -> tuple[Failing, int]:
    """The failing problem made small, and the number of tries that took."""

    def worst(problem: Problem) -> Finding | None:
        """The failure of the same quantity; what the suite cannot judge is no failure."""
        try:
            found = findings_of(requirement, Trial(subject, problem))
        except Exception:  # noqa: BLE001 - a candidate outside the oracle's domain is just not a simpler problem
            return None
        # It must end as the failure that it began as.
        same = [f for f in found if f.failed and f.kind == failing.finding.kind]
        return max(same, key=lambda f: f.ratio, default=None)

    executor = subject.executor
    fate, before, latest = failing.finding.fate, executor.restarts, failing.finding

    def still_fails(problem: Problem) -> bool:
        """Whether a candidate fails, and as clearly as asked for: near a ratio of 1 a reader would doubt it."""
        nonlocal latest
        if fate is not None and executor.restarts - before >= RESTARTS[fate]:
            return False
        # Not once by chance: of two calls that must agree, say, all but a few may on a problem that is small enough.
        wanted = min(failing.finding.ratio, CLEAR)
        for _ in range(tries):
            found = worst(problem)
            if found is None or found.ratio < wanted:
                return False
            shown = found
        latest = shown
        return True

    tries = AGAIN if fate is None else 1
    again = [worst(failing.problem) for _ in range(tries)]
    if None in again:
        again += [worst(failing.problem) for _ in range(MORE if fate is None else 0)]
        seen = sum(found is not None for found in again)
        # The first time counts too.
        message = f"{located(failing.finding).message} (intermittent {1 + seen}/{1 + len(again)})"
        return replace(failing, finding=replace(failing.finding, message=message)), len(again)
    static = subject.capabilities.static_shapes
    limit = (LIMIT_STATIC_SHAPES if static else LIMIT) if requirement.reducible else 0
    reducer = Reducer(failing.problem, still_fails, limit)
    problem = reducer.run(_row_of(failing))
    # Where it does not fail this time, what was seen of the small problem, and not of the one that it came from.
    finding = worst(problem) or latest
    return Failing(problem, located(finding), failing.recipe, failing.example), reducer.tries


def failure(
    requirement: Requirement, subject: Subject, failing: Failing, settings: Settings, found: Found | None = None
) -> Failure:
    """What a record says about one failing problem; ``found``: the one that it was reduced from."""
    finding = located(failing.finding)
    # Not into the folder of the whole report.
    again = ["xent", "run", subject.description.spec, "--only", requirement.id, "--output", f"xent-{requirement.id}"]
    again += [] if requirement.once else ["--dtypes", subject.dtype]
    again += ["--profile", settings.profile, "--seed", str(settings.seed)]
    return Failure(
        kind=_kind(finding),
        call=finding.call,
        quantity=finding.quantity,
        message=finding.message,
        index=None if finding.index is None else tuple(map(int, finding.index)),
        expected=finding.expected,
        got=finding.got,
        bound=finding.bound,
        ratio=finding.ratio,
        problem=from_data(
            to_data(failing.problem, None if failing.recipe is None else str(failing.recipe)), ProblemLine
        ),
        text=to_text(failing.problem),
        reproducer=script(requirement, subject, failing.problem, finding),
        command=shlex.join(again),
        found=found,
    )


def _kind(finding: Finding) -> str:
    """The type of a finding, as far as a finding that has no type of its own tells it."""
    if finding.fate is not None:
        return "lost"
    numbers = isinstance(finding.expected, float) and isinstance(finding.got, float)
    return "wrong-value" if numbers else UNKNOWN


def _row_of(failing: Failing) -> int | None:
    """The row that the failure was seen in, where it was seen in one."""
    index, problem = failing.finding.index, failing.problem
    if not index or (len(index) == 1 and problem.reduction != "none"):
        return None
    return int(index[0]) if index[0] < np.prod(problem.row_shape, dtype=np.int64) else None
