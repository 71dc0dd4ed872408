"""Finding several faults behind the failures of one requirement on one subject.

A failing problem is reduced, and the facts without which the small one does not fail are its situation. Failing
problems in that situation are set aside, and the clearest of the others is reduced next. Of those set aside, the one
that is least similar to a witness is reduced too, since two faults may show in the same situation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from xent_conformance.calling.calls import CRASH, TIMEOUT, Invocation, LostError, backward, forward
from xent_conformance.causes.diagnosis import Needs, Shown, elsewhere, needs
from xent_conformance.causes.edges import edges
from xent_conformance.causes.facts import facts
from xent_conformance.judging.findings import Compared, Declined, Finding, Held, Lost, StrayRead
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.situations import must_be_said
from xent_conformance.records.status import Level
from xent_conformance.requirements.checks import gradient_finding, loss_finding
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses.beside import CLEARLY, right_beside
from xent_conformance.witnesses.lost import hurried
from xent_conformance.witnesses.reduction import MOST_SECONDS, Witness, reduce, said, time_for, within_claims
from xent_conformance.witnesses.time_left import TimeLeft

#: Most failing problems that are reduced, and how many of those may have been set aside before.
MOST, SET_ASIDE = 4, 1
#: Most variants that are judged, in general and for a backend that compiles every new shape.
VARIANTS, VARIANTS_STATIC_SHAPES = 120, 30
#: Most processes that variants of a call that crashes, or that hangs, may cost: one for each fact that does not matter.
RESTARTS = {CRASH: 12, TIMEOUT: 1}


@dataclass
class Cause:
    """A failing problem, its witness, the facts that the witness needs to fail, and how many failures that explains.

    ``requirement`` is what the small problem fails, perhaps by a cheaper check than the failing one. ``right`` are
    other results of the failing call that are right.
    """

    requirement: Requirement
    failing: Failing
    witness: Witness
    needs: Needs
    explained: int = 0
    right: tuple[str, ...] = ()

    def explains(self, failing: Failing) -> bool:
        """Whether a failing problem is in its situation and fails in the same way, as the one does that was reduced.

        That one need not have the facts of its witness: where all rows are ignored, no logits count as large.
        """
        one, other = self.failing.finding, failing.finding
        same = (one.signature, one.quantity) == (other.signature, other.quantity)
        own = failing.trial.problem is self.failing.trial.problem
        return same and (own or failing.facts.issuperset(self.needs.situation))

    @property
    def established(self) -> bool:
        """Whether its situation is known."""
        return bool(self.needs.situation)

    @property
    def always(self) -> bool:
        """Whether it needs nothing special."""
        return not self.established and not any(map(must_be_said, self.needs.undecided))

    @property
    def key(self) -> tuple[Needs, frozenset[str]]:
        """What it needs, and the facts of its witness."""
        return self.needs, facts(self.witness.problem)

    def covers(self, problem: Problem) -> bool:
        """Whether a problem that has not been judged is in its situation; every problem is if that is not known."""
        return facts(problem).issuperset(self.needs.situation)


def cause_of(
    requirement: Requirement,
    subject: Subject,
    failing: Failing,
    lost: Sequence[Cause] = (),
    known: Iterable[Cause] = (),
    time: TimeLeft | None = None,
) -> Cause:
    """Reduce a failing problem, and determine the facts that the small one needs to fail.

    ``lost`` are causes whose calls do not return: no problem in their situation is tried. ``known`` are such causes of
    other requirements or dtypes: if the small problem needs all facts that one of them needs, no others are tried.
    ``time`` is by default that for one failure.
    """
    time = time or time_for(failing)
    requirement, failing = _cheaper(requirement, subject, failing)
    witness = reduce(requirement, subject, failing, time)
    needed = _as_known(requirement, subject, failing, witness, known)
    needed = needed or _needed(requirement, subject, failing, witness, lost, time)
    right = right_beside(subject, failing)
    return Cause(requirement, failing, said(time, failing, witness), needed, right=right)


def _as_known(
    requirement: Requirement, subject: Subject, failing: Failing, witness: Witness, known: Iterable[Cause]
) -> Needs | None:
    """What a known cause needs that explains the failure of a witness, None if no cause does whose needs are known.

    Variants without what it needs return, so that they cost no process; those without other facts would cost one each.
    """
    small = replace(failing, trial=failing.trial.related(witness.problem), finding=witness.finding)
    for cause in known:
        sure = cause.established or cause.always
        explains = sure and cause.explains(failing) and cause.explains(small)
        if explains and confirmed(requirement, subject, small, cause.needs):
            return replace(cause.needs, undecided=tuple(f for f in cause.needs.undecided if f in small.facts))
    return None


def confirmed(requirement: Requirement, subject: Subject, small: Failing, needed: Needs) -> bool:
    """Whether a small failing problem needs each of some facts too."""
    shown = _Variants(requirement, subject, small, Witness(small.trial.problem, small.finding), (), time_for(small))
    with shown.hurried():
        return set(needs(small.trial.problem, shown, needed.situation).situation) == set(needed.situation)


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
    left, aside, established = list(failing), list[Failing](), list(known)
    for cause in known:
        cause.explained = 0
        left = _others(cause, left, aside)
    again, time = SET_ASIDE, TimeLeft(MOST_SECONDS)
    for _ in range(MOST - len(established)):
        if time.is_over():
            break
        counted = bool(left)
        if not left:
            if not again or not aside:
                break
            again -= 1
            left = [aside.pop(_least_like(established, aside))]
        first, *left = left
        lost = [c for c in established if _is_lost(c.failing)]
        cause = cause_of(requirement, subject, first, lost, time=time_for(first) if _is_lost(first) else time)
        same = next((c for c in established if c.needs == cause.needs and c.explains(first)), None)
        if same is None:
            established.append(cause)
        cause = same or cause
        cause.explained += first.alike * counted
        left = _others(cause, left, aside)
    return established


def _others(cause: Cause, failing: Iterable[Failing], aside: list[Failing]) -> list[Failing]:
    """The failures that a cause does not explain. Those that it does count for it, and are added to ``aside``."""
    others = []
    for one in failing:
        if not cause.explains(one):
            others.append(one)
            continue
        cause.explained += one.alike
        if not _is_lost(one):
            aside.append(one)
    return others


def _is_lost(failing: Failing) -> bool:
    return isinstance(failing.finding, Lost)


def _least_like(established: Sequence[Cause], aside: Sequence[Failing]) -> int:
    """Index of the failing problem that has least in common with those that were reduced."""

    def likeness(failing: Failing) -> float:
        return max(len(failing.facts & c.failing.facts) / len(failing.facts | c.failing.facts) for c in established)

    return min(range(len(aside)), key=lambda place: likeness(aside[place]))


def _needed(
    requirement: Requirement,
    subject: Subject,
    failing: Failing,
    witness: Witness,
    others: Sequence[Cause],
    time: TimeLeft,
) -> Needs:
    """The facts that a small problem needs to fail; unknown if that is expensive, or if more than the problem matters.

    Facts that all problems of this backend have are not undecided. For a stray read, the memory around the inputs
    matters and not the problem; for a call that did not return, that call and not the problem between whose calls it
    was made.
    """
    everywhere = _of_all(subject)
    of_more = isinstance(witness.finding, StrayRead) or witness.sometimes or witness.before
    if of_more or not requirement.reducible:
        return Needs((), tuple(sorted(facts(witness.problem) - everywhere)))
    needed, sizes = Needs((), ()), tuple[str, ...]()
    if not _between(witness):
        shown = _Variants(requirement, subject, failing, witness, others, time)
        with shown.hurried():
            needed = needs(witness.problem, shown)
            sizes = edges(witness.problem, needed.situation, shown)
    undecided = (*needed.undecided, *elsewhere(witness.problem, witness.finding.calls))
    return replace(needed, undecided=tuple(fact for fact in undecided if fact not in everywhere), sizes=sizes)


def _between(witness: Witness) -> bool:
    """Whether a call that did not return is one of fixed logits of another shape, made between calls of the problem."""
    made = [call.inputs.get("logits") for call in witness.finding.calls]
    shapes = {logits.shape for logits in made if logits is not None}
    return isinstance(witness.finding, Lost) and bool(shapes) and witness.problem.logits.shape not in shapes


class _Variants:
    """Says what a variant of a witness shows, as long as those before have cost few processes and little time."""

    def __init__(
        self,
        requirement: Requirement,
        subject: Subject,
        failing: Failing,
        witness: Witness,
        others: Sequence[Cause],
        time: TimeLeft,
    ) -> None:
        """``others`` are causes whose calls do not return: a variant in the situation of one of them is not judged."""
        self._requirement, self._subject, self._failing = requirement, subject, failing.trial.problem
        self._problem, self._finding, self._others = witness.problem, witness.finding, others
        self._plain = _plain_check(requirement, witness)
        self._left = VARIANTS_STATIC_SHAPES if subject.capabilities.static_shapes else VARIANTS
        self._time = time
        restarts = RESTARTS[self._finding.fate] if isinstance(self._finding, Lost) else min(RESTARTS.values())
        self._most_restarts = subject.executor.restarts + restarts

    def hurried(self) -> AbstractContextManager[None]:
        """Inside the block, variants of a call that hangs have a short time limit."""
        return hurried(self._subject.executor) if isinstance(self._finding, Lost) else nullcontext()

    def __call__(self, variant: Problem) -> Shown:
        """What a variant shows."""
        within = within_claims(self._requirement, self._subject, self._failing, variant)
        self._left -= 1
        if (
            within is None
            # A variant without this gradient passes only because there is nothing to compare.
            or (self._finding.quantity == "grad_target" and not within.has_probabilities)
            or self._subject.unclaimed(within) - self._subject.unclaimed(self._problem)
            or self._left < 0
            or any(cause.covers(within) for cause in self._others)
            or self._subject.executor.restarts >= self._most_restarts
            or self._time.is_over()
        ):
            return Shown.UNCLEAR
        try:
            trial = Trial(self._subject, within)
            shown = self._of([f for f in findings(self._requirement, trial) if not isinstance(f, Declined)])
            return shown if shown is not Shown.NOTHING or self._plain is None else self._of([self._plain(trial)])
        except Exception:  # noqa: BLE001 - a variant outside the oracle's domain says nothing
            return Shown.UNCLEAR

    def _of(self, made: Sequence[Finding]) -> Shown:
        """What the findings on a variant show."""
        if failed := [f for f in made if f.failed]:
            return Shown.FAILS if any(f.signature == self._finding.signature for f in failed) else Shown.UNCLEAR
        if not any(f.exercised for f in made):
            # A comparison of zeros says nothing about a small error, but an exception or nan would have been seen.
            return Shown.PASSES if made and math.isinf(self._finding.ratio) else Shown.NOTHING
        return Shown.PASSES if max(f.ratio for f in made) < CLEARLY else Shown.UNCLEAR


def _plain_check(requirement: Requirement, witness: Witness) -> Callable[[Trial], Finding] | None:
    """Judges a variant to which a requirement does not apply, such as one about class weights without these.

    Where the result of the witness's own call is wrong, the requirement does not matter: that of the variant is wrong
    too or right. Nor does it where that call does not return. None where it matters: another call or another bound than
    that which every backend MUST meet.
    """
    finding, problem = witness.finding, witness.problem
    own = {"loss": (forward, loss_finding), "grad_logits": (backward, gradient_finding)}
    if finding.quantity not in own or requirement.level is not Level.MUST:
        return None
    call, check = own[finding.quantity]
    if [made.key for made in finding.calls] != [call(problem).key]:
        return None
    if isinstance(finding, Lost):
        return lambda trial: _returned(trial, call(trial.problem))
    return check if isinstance(finding, Compared) else None


def _returned(trial: Trial, call: Invocation) -> Finding:
    """Whether a call returns."""
    try:
        trial.outcome(call)
    except LostError as lost:
        return Lost.of(lost)
    return Held(quantity=call.results[0])


def _of_all(subject: Subject) -> frozenset[str]:
    """Facts of every problem of a backend: those of its reduction, where it has a single one."""
    reductions = subject.capabilities.reductions
    if len(reductions) != 1:
        return frozenset()
    return frozenset({f"reduction {reductions[0]}", "a reduced loss"})
