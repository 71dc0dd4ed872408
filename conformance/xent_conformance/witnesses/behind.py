"""Finding several faults behind the failures of one requirement on one subject.

A failing problem is reduced, and the facts without which the small one does not fail are its situation. Failing
problems in that situation are set aside, and the clearest of the others is reduced next. Of those set aside, the one
that is least similar to a witness is reduced too, since two faults may show in the same situation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from xent_conformance.causes.diagnosis import Needs, elsewhere, needs
from xent_conformance.causes.edges import edges
from xent_conformance.causes.facts import facts
from xent_conformance.judging.findings import Lost, StrayRead
from xent_conformance.judging.judge import findings
from xent_conformance.judging.narrow import may_be_narrow, shows_narrow
from xent_conformance.judging.profiles import PATIENT
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.situations import NOT_FINITE, must_be_said
from xent_conformance.requirements.registry import Requirement
from xent_conformance.requirements.twins import in_reduction
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses.beside import right_beside
from xent_conformance.witnesses.judged_variants import Variants
from xent_conformance.witnesses.reduction import Witness, checked_again, reduce, said, time_for
from xent_conformance.witnesses.time_left import TimeLeft

#: Most failing problems that are reduced, and how many of those may have been set aside before.
MOST, SET_ASIDE = 4, 1


@dataclass
class Cause:
    """A failing problem, its witness, the facts that the witness needs to fail, and how many failures that explains.

    ``requirement`` is what the small problem fails, perhaps by a cheaper check than the failing one. ``right`` are
    other results of the failing call that are right. ``narrow``: a number of float64 was computed in float32, which
    no problem needs anything for.
    """

    requirement: Requirement
    failing: Failing
    witness: Witness
    needs: Needs
    explained: int = 0
    right: tuple[str, ...] = ()
    narrow: bool = False

    def explains(self, failing: Failing) -> bool:
        """Whether a failing problem is in its situation and fails in the same way, as the one does that was reduced.

        That one need not have the facts of its witness: where all rows are ignored, no logits count as large.
        """
        one, other = self.failing.finding, failing.finding
        if self.narrow:
            return may_be_narrow(failing.trial, other)
        if shows_narrow(failing.trial, other):
            return False
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
    with _few_programs(subject):
        witness = reduce(requirement, subject, failing, time)
    if shows_narrow(failing.trial, failing.finding):
        return Cause(requirement, failing, witness, Needs((), ()), right=right_beside(subject, failing), narrow=True)
    with _few_programs(subject):
        needed = _as_known(requirement, subject, failing, witness, known)
        needed = needed or _needed(requirement, subject, failing, witness, lost, time)
        if needed.situation and not isinstance(witness.finding, Lost):
            # Judging its variants has taken a while, in which a failure that comes by chance may have shown that it
            # does.
            steady, witness = witness, checked_again(requirement, subject, failing, witness, time)
            needed = needed if witness is steady else _needed(requirement, subject, failing, witness, lost, time)
        right = right_beside(subject, failing)
    return Cause(requirement, failing, said(time, failing, witness), needed, right=right)


def _few_programs(subject: Subject) -> AbstractContextManager[None]:
    """Inside the block, reducing or explaining a failure needs few compilations."""
    return nullcontext() if subject.compilations is None else subject.compilations.reducing()


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
    witness = Witness(small.trial.problem, small.finding)
    shown = Variants(requirement, subject, small.trial.problem, witness, time_for(small))
    with shown.hurried():
        return set(needs(small.trial.problem, shown, needed.situation).situation) == set(needed.situation)


def _cheaper(requirement: Requirement, subject: Subject, failing: Failing) -> tuple[Requirement, Failing]:
    """A failure as one of its requirement's cheaper check, which can be reduced, where that fails.

    The problem is the one that was judged, in the reduction of the call that failed.
    """
    if requirement.cheaper is None or isinstance(failing.finding, Lost):
        return requirement, failing
    other = replace(requirement, check=requirement.cheaper, reducible=True)
    problem, called = failing.trial.problem, failing.finding.problem
    trial = Trial(subject, in_reduction(problem, called.reduction) if called is not None else problem)
    worst = max((f for f in findings(other, trial) if f.failed), key=lambda f: f.ratio, default=None)
    return (requirement, failing) if worst is None else (other, replace(failing, trial=trial, finding=worst))


def causes(
    requirement: Requirement,
    subject: Subject,
    failing: Iterable[Failing],
    known: Sequence[Cause] = (),
    hanging: Sequence[Cause] = (),
    seconds: float = PATIENT,
) -> list[Cause]:
    """The different faults behind failing trials of a requirement, which are sorted by clarity.

    ``known`` are the causes that the search has established already, ``hanging`` those of calls of others that hang.
    ``seconds`` is the time for all of them but those whose calls do not return.
    """
    # Numbers of float32 come first: they explain those for inputs beyond float32 too.
    left = sorted(failing, key=lambda one: not shows_narrow(one.trial, one.finding))
    aside, established = list[Failing](), list(known)
    for cause in known:
        cause.explained = 0
        left = _others(cause, left, aside)
    again, time = SET_ASIDE, TimeLeft(seconds)
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
        lost = [*hanging, *(c for c in established if _is_lost(c.failing))]
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
        if not (_is_lost(one) or cause.narrow):
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
    was made. What a large call has and a few rows of it do not, it needs if these rows pass. Of a failure that comes by
    chance, or was seen in no new process, a variant that passes says nothing.
    """
    everywhere = _of_all(subject)
    of_more = isinstance(witness.finding, StrayRead) or witness.sometimes or witness.before or witness.lingering
    if of_more or not requirement.reducible:
        few, failed = facts(witness.problem), witness.finding.problem
        more = facts(failed) - few if failed is not None and not of_more else frozenset[str]()
        return Needs(tuple(sorted(more)), tuple(sorted(few - everywhere)))
    needed, sizes = Needs((), ()), tuple[str, ...]()
    if not _between(witness):
        lost = [other.covers for other in others]
        shown = Variants(requirement, subject, failing.trial.problem, witness, time, lost)
        with shown.hurried():
            needed = needs(witness.problem, shown)
            sizes = edges(witness.problem, needed.situation, shown)
    if witness.finding.hides_nan:
        # No variant without its source is judged by a requirement about nan, but what is hidden has to be there.
        hidden = tuple(fact for fact in needed.undecided if fact in NOT_FINITE)
        rest = tuple(fact for fact in needed.undecided if fact not in hidden)
        needed = replace(needed, situation=(*needed.situation, *hidden), undecided=rest)
    undecided = (*needed.undecided, *elsewhere(witness.problem, witness.finding.calls))
    return replace(needed, undecided=tuple(fact for fact in undecided if fact not in everywhere), sizes=sizes)


def _between(witness: Witness) -> bool:
    """Whether a call that did not return is one of fixed logits of another shape, made between calls of the problem."""
    made = [call.inputs.get("logits") for call in witness.finding.calls]
    shapes = {logits.shape for logits in made if logits is not None}
    return isinstance(witness.finding, Lost) and bool(shapes) and witness.problem.logits.shape not in shapes


def _of_all(subject: Subject) -> frozenset[str]:
    """Facts of every problem of a backend: those of its reduction, where it has a single one."""
    reductions = subject.capabilities.reductions
    if len(reductions) != 1:
        return frozenset()
    return frozenset({f"reduction {reductions[0]}", "a reduced loss"})
