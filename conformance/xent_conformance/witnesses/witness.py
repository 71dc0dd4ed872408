"""From a verdict to its line of the record, with each failing problem reduced, as text and as a script."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from msgspec.structs import replace

from xent_conformance.calling.text import to_text
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.description import OBJECT, Origin
from xent_conformance.problem_data import to_data
from xent_conformance.records.lines import Bin, DeviationLine, Failure, Found, ProblemLine, VerdictLine
from xent_conformance.records.plain import from_data
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.verdict import Verdict
from xent_conformance.witnesses.behind import Cause, causes
from xent_conformance.witnesses.judged_again import judged_again, not_judged
from xent_conformance.witnesses.reduction import Witness

#: Most elements of an input, and characters of a script, that are written out, to limit the lines of a record.
MOST_ELEMENTS, MOST_CHARACTERS = 1 << 20, 1 << 20


def verdict_line(verdict: Verdict, settings: Settings, hanging: Sequence[Cause] = ()) -> VerdictLine:
    """The line of a record for a verdict, with a reduced failing problem for each cause.

    No problem in the situation of a cause that is ``hanging`` is tried.
    """
    tally, subject, requirement = verdict.tally, verdict.subject, verdict.requirement
    known = [explanation for explanation in verdict.explained if isinstance(explanation, Cause)]
    established = causes(requirement, subject, verdict.failing, known, hanging, settings.reducing(subject))
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
        set_aside=verdict.skipped + (max(0, tally.failed - len(established)) if established else 0),
        failures=tuple(_of_cause(verdict, cause, settings) for cause in established),
        deviations=tuple(
            DeviationLine(
                reason=deviation.reason,
                issue=deviation.issue,
                versions=deviation.versions,
                where=deviation.where,
                witness=failure(requirement, subject, Witness(failing.trial.problem, failing.finding), settings),
            )
            for deviation, failing in verdict.deviations
        ),
        seconds=round(verdict.seconds, 3),
    )


def _of_cause(verdict: Verdict, cause: Cause, settings: Settings) -> Failure:
    """The entry of a record for a cause of a verdict's failures."""
    trial = cause.failing.trial
    origin = Found(
        failing_examples=cause.explained,
        example=trial.example,
        recipe=None if trial.recipe is None else str(trial.recipe),
        logits_shape=trial.problem.logits.shape,
        ratio=cause.failing.finding.ratio,
        tries=cause.witness.reductions,
    )
    shown = failure(cause.requirement, verdict.subject, cause.witness, settings, origin)
    situation = (*cause.needs.situation, *cause.needs.sizes)
    return replace(shown, situation=situation, undecided=cause.needs.undecided, right=cause.right)


def failure(
    requirement: Requirement, subject: Subject, witness: Witness, settings: Settings, origin: Found | None = None
) -> Failure:
    """The entry of a record for one failing problem; ``origin`` describes the problem that it was reduced from."""
    finding = witness.finding
    return Failure(
        kind=finding.kind,
        call=finding.call,
        quantity=finding.quantity,
        message=witness.message,
        ratio=finding.ratio,
        intermittent=witness.sometimes,
        calls_before=len(witness.before),
        only_in_run=witness.lingering,
        problem=from_data(to_data(finding.problem or witness.problem, origin.recipe if origin else None), ProblemLine),
        text="\n".join(to_text(call, finding.message) for call in finding.calls[:1]),
        reproducer=_script(requirement, subject, witness, settings),
        command=_again(requirement, subject, settings),
        found=origin,
        **finding.details(),
    )


def script_of(requirement: Requirement, subject: Subject, witness: Witness) -> str | None:
    """A script that reproduces the failure; None if its inputs are too long to write out."""
    if _longest(witness) > MOST_ELEMENTS:
        return None
    text = witness.script(requirement, subject)
    return text if len(text) <= MOST_CHARACTERS else None


def _longest(witness: Witness) -> int:
    """Elements of the largest input that is written out element by element."""
    inputs = [array for call in witness.finding.calls for array in call.inputs.values() if array is not None]
    return max((array.size for array in inputs if array.flags.c_contiguous), default=0)


def _script(requirement: Requirement, subject: Subject, witness: Witness, settings: Settings) -> str:
    """A script that reproduces the failure; if its inputs are too long to write out, one that runs the suite."""
    if (text := script_of(requirement, subject, witness)) is not None:
        return text
    if _object_of(subject) is not None:
        again = _again(requirement, subject, settings)
        return not_judged(f"the inputs are too long for a script; where the function is defined: {again}")
    return f"""\
# {requirement.id} on {subject.name}: {requirement.title}
# {" ".join(witness.finding.message.split())}
# The inputs are too long to write out, up to {_longest(witness)} elements: the suite judges the requirement again.
{judged_again(subject.description.spec, _words(requirement, subject, settings))}"""


def _object_of(subject: Subject) -> Origin | None:
    """The origin of a backend that is an object of this process, which no command can name; None for any other."""
    origin = subject.description.origin
    return origin if origin is not None and origin.kind == OBJECT else None


def _again(requirement: Requirement, subject: Subject, settings: Settings) -> str:
    """A command that judges one requirement on a subject again; for an object of a process, a Python expression."""
    if (origin := _object_of(subject)) is not None:
        # The other options are in the user's own call.
        options = {"only": requirement.id, "profile": settings.profile, "seed": settings.seed}
        options |= {} if requirement.once else {"dtypes": subject.dtype}
        given = [origin.attribute, *([f"framework={origin.place!r}"] if origin.place else [])]
        return f"xent.judge({', '.join([*given, *(f'{name}={value!r}' for name, value in options.items())])})"
    # Another folder, so that it does not overwrite the whole report.
    return shlex.join(["xent", *_words(requirement, subject, settings, f"xent-{requirement.id}")])


def _words(requirement: Requirement, subject: Subject, settings: Settings, folder: str | None = None) -> list[str]:
    """The words of that command after ``xent``; without a folder they do not say where its output goes."""
    origin, dtypes = subject.description.origin, [] if requirement.once else [subject.dtype]
    again = ["run", subject.description.spec, "--only", requirement.id]
    again += [] if folder is None else ["--output", folder]
    again += [] if origin is None else origin.options
    again += [word for dtype in dtypes for word in ("--dtypes", dtype)]
    return [*again, "--profile", settings.profile, "--seed", str(settings.seed)]
