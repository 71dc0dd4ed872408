"""Finding several faults behind the failures of one requirement on one subject.

A failing problem is reduced, and the facts without which the small one does not fail are its situation. Failing
problems in that situation are set aside, and the clearest of the others is reduced next. Of those set aside, the one
that is least similar to a witness is reduced too, since two faults may show in the same situation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from time import monotonic

from xent_conformance.calling.calls import CRASH, TIMEOUT
from xent_conformance.causes.diagnosis import Needs, Shown, elsewhere, needs
from xent_conformance.causes.edges import edges
from xent_conformance.causes.facts import facts
from xent_conformance.judging.findings import Declined, Lost, StrayRead
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.situations import must_be_said
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses.lost import hurried
from xent_conformance.witnesses.reduction import Witness, reduce, same_failure, within_claims

#: Most failing problems that are reduced, and how many of those may have been set aside before.
MOST, SET_ASIDE = 4, 1
#: A variant passes if its error is below this share of the bound; between that and 1 it nearly fails.
CLEARLY = 0.25
#: Most variants that are judged, in general and for a backend that compiles every new shape.
VARIANTS, VARIANTS_STATIC_SHAPES = 120, 30
#: Most processes that variants of a call that crashes, or that hangs, may cost: one for each fact that does not matter.
RESTARTS = {CRASH: 8, TIMEOUT: 1}
#: Most seconds that variants of such a call may take.
SECONDS = 5.0


@dataclass
class Cause:
    """A failing problem, its witness, the facts that the witness needs to fail, and how many failures that explains.

    ``requirement`` is what the small problem fails, perhaps by a cheaper check than the failing one.
    """

    requirement: Requirement
    failing: Failing
    witness: Witness
    needs: Needs
    explained: int = 0

    def explains(self, failing: Failing) -> bool:
        """Whether a failing problem is in its situation and fails in the same way."""
        one, other = self.failing.finding, failing.finding
        same = (one.signature, one.quantity) == (other.signature, other.quantity)
        return same and failing.facts.issuperset(self.needs.situation)

    @property
    def established(self) -> bool:
        """Whether its situation is known."""
        return bool(self.needs.situation)

    @property
    def always(self) -> bool:
        """Whether it needs nothing special."""
        return not self.established and not any(map(must_be_said, self.needs.undecided))

    def covers(self, problem: Problem) -> bool:
        """Whether a problem that has not been judged is in its situation; every problem is if that is not known."""
        return facts(problem).issuperset(self.needs.situation)


def cause_of(
    requirement: Requirement,
    subject: Subject,
    failing: Failing,
    lost: Sequence[Cause] = (),
    known: Iterable[Cause] = (),
) -> Cause:
    """Reduce a failing problem, and determine the facts that the small one needs to fail.

    ``lost`` are causes whose calls do not return: no problem in their situation is tried. ``known`` are such causes of
    other requirements: where it is known what one of them needs, it explains the failure, and its witness fails this
    requirement too, nothing is reduced.
    """
    similar = [cause for cause in known if cause.explains(failing)]
    always = any(cause.always for cause in similar)
    for cause in similar:
        if (always or cause.established) and (same := _by_witness_of(cause, requirement, subject, failing)) is not None:
            return same
    requirement, failing = _cheaper(requirement, subject, failing)
    witness = reduce(requirement, subject, failing)
    return Cause(requirement, failing, witness, _needed(requirement, subject, failing, witness, lost))


def _by_witness_of(cause: Cause, requirement: Requirement, subject: Subject, failing: Failing) -> Cause | None:
    """The cause of a call that does not return, by the witness of another requirement: one process, not a dozen.

    None if that witness does not fail this requirement in the same way.
    """
    problem = within_claims(requirement, subject, failing.trial.problem, cause.witness.problem)
    if problem is None or not requirement.reducible:
        return None
    with hurried(subject.executor):
        finding = same_failure(requirement, subject, failing.finding, problem)
    return None if finding is None else Cause(requirement, failing, Witness(problem, finding), cause.needs)


def _cheaper(requirement: Requirement, subject: Subject, failing: Failing) -> tuple[Requirement, Failing]:
    """A failure as one of its requirement's cheaper check, which can be reduced, where that fails on its problem."""
    if requirement.cheaper is None or isinstance(failing.finding, Lost):
        return requirement, failing
    other = replace(requirement, check=requirement.cheaper, reducible=True)
    failed = [f for f in findings(other, Trial(subject, failing.trial.problem)) if f.failed]
    worst = max(failed, key=lambda f: f.ratio, default=None)
    return (requirement, failing) if worst is None else (other, replace(failing, finding=worst))


def causes(
    requirement: Requirement, subject: Subject, failing: Iterable[Failing], known: Sequence[Cause] = ()
) -> list[Cause]:
    """The different faults behind failing trials of a requirement, which are sorted by clarity.

    ``known`` are the causes that the search has established already.
    """
    left, aside = list(failing), list[Failing]()
    established: list[Cause] = []

    def establish(cause: Cause, others: Iterable[Failing]) -> None:
        """Set aside the failures among ``others`` that a cause explains."""
        nonlocal left
        if cause not in established:
            established.append(cause)
        explained = [f for f in others if cause.explains(f)]
        cause.explained += sum(f.alike for f in explained)
        aside.extend(f for f in explained if not isinstance(f.finding, Lost))
        left = [f for f in others if f not in explained]

    for cause in known:
        cause.explained = 0
        establish(cause, left)
    again = SET_ASIDE
    for _ in range(MOST - len(established)):
        counted = bool(left)
        if not left:
            if not again or not aside:
                break
            again -= 1
            left = [aside.pop(_least_like(established, aside))]
        first, *others = left
        lost = [c for c in established if isinstance(c.failing.finding, Lost)]
        cause = cause_of(requirement, subject, first, lost)
        cause = next((c for c in established if c.needs == cause.needs and c.explains(first)), cause)
        cause.explained += first.alike * counted
        establish(cause, others)
    return established


def _least_like(established: Sequence[Cause], aside: Sequence[Failing]) -> int:
    """Index of the failing problem that has least in common with those that were reduced."""

    def likeness(failing: Failing) -> float:
        return max(len(failing.facts & c.failing.facts) / len(failing.facts | c.failing.facts) for c in established)

    return min(range(len(aside)), key=lambda place: likeness(aside[place]))


def _needed(
    requirement: Requirement, subject: Subject, failing: Failing, witness: Witness, others: Sequence[Cause]
) -> Needs:
    """The facts that a small problem needs to fail, without those that all problems of this backend have."""
    found = _among_all(requirement, subject, failing, witness, others)
    everywhere = _of_all(subject)
    return replace(found, undecided=tuple(fact for fact in found.undecided if fact not in everywhere))


def _among_all(
    requirement: Requirement, subject: Subject, failing: Failing, witness: Witness, others: Sequence[Cause]
) -> Needs:
    """The facts that a small problem needs to fail; unknown if that is expensive, or if more than the problem matters.

    For a stray read, the memory around the inputs matters and not the problem.
    """
    of_more = isinstance(witness.finding, StrayRead) or witness.sometimes or witness.before
    if of_more or not requirement.reducible:
        return Needs((), tuple(sorted(facts(witness.problem))))
    limit = VARIANTS_STATIC_SHAPES if subject.capabilities.static_shapes else VARIANTS
    executor, judged = subject.executor, 0
    finding, before, deadline = witness.finding, executor.restarts, monotonic() + SECONDS
    lost = isinstance(finding, Lost)
    restarts = RESTARTS[finding.fate] if isinstance(finding, Lost) else min(RESTARTS.values())

    def shown(variant: Problem) -> Shown:
        nonlocal judged
        within = within_claims(requirement, subject, failing.trial.problem, variant)
        judged += 1
        if (
            within is None
            # A variant without this gradient passes only because there is nothing to compare.
            or (finding.quantity == "grad_target" and not within.has_probabilities)
            or subject.unclaimed(within) - subject.unclaimed(witness.problem)
            or judged > limit
            or any(cause.covers(within) for cause in others)
            or executor.restarts - before >= restarts
            or (lost and monotonic() >= deadline)
        ):
            return Shown.UNCLEAR
        try:
            made = [f for f in findings(requirement, Trial(subject, within)) if not isinstance(f, Declined)]
        except Exception:  # noqa: BLE001 - a variant outside the oracle's domain says nothing
            return Shown.UNCLEAR
        if any(f.failed for f in made):
            return Shown.FAILS if any(f.failed and f.signature == finding.signature for f in made) else Shown.UNCLEAR
        if not any(f.exercised for f in made):
            # A comparison of zeros says nothing about a small error, but an exception or nan would have been seen.
            return Shown.PASSES if made and math.isinf(finding.ratio) else Shown.NOTHING
        return Shown.PASSES if max(f.ratio for f in made) < CLEARLY else Shown.UNCLEAR

    with hurried(executor) if lost else nullcontext():
        needed = needs(witness.problem, shown)
        sizes = edges(witness.problem, needed.situation, shown)
    return replace(needed, undecided=(*needed.undecided, *elsewhere(witness.problem, finding.calls)), sizes=sizes)


def _of_all(subject: Subject) -> frozenset[str]:
    """Facts of every problem of a backend: those of its reduction, where it has a single one."""
    reductions = subject.capabilities.reductions
    if len(reductions) != 1:
        return frozenset()
    return frozenset({f"reduction {reductions[0]}", "a reduced loss"})
