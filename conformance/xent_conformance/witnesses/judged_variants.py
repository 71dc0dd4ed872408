"""Judges variants of a witness: whether they fail in the same way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from xent_conformance.calling.calls import CRASH, TIMEOUT, Invocation, LostError, backward, forward
from xent_conformance.causes.diagnosis import Shown
from xent_conformance.causes.facts import facts
from xent_conformance.judging.findings import Compared, Declined, Finding, Held, Lost, Raised
from xent_conformance.judging.judge import findings
from xent_conformance.judging.narrow import as_narrow
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.situations import NOT_FINITE, SPECIAL_NUMBERS
from xent_conformance.records.status import Level
from xent_conformance.requirements.checks import gradient_finding, loss_finding
from xent_conformance.requirements.registry import Requirement
from xent_conformance.witnesses.beside import CLEARLY
from xent_conformance.witnesses.lost import hurried
from xent_conformance.witnesses.reduction import Witness, within_claims
from xent_conformance.witnesses.time_left import TimeLeft

#: Most variants that are judged, in general and for a backend that compiles every new shape in a time that is unknown.
VARIANTS, VARIANTS_STATIC_SHAPES = 120, 30
#: Most processes that variants of a call that crashes, or that hangs, may cost: one for each fact that does not matter.
RESTARTS = {CRASH: 12, TIMEOUT: 6}


class Variants:
    """Says what a variant of a witness shows, as long as those before have cost few processes and little time."""

    def __init__(
        self,
        requirement: Requirement,
        subject: Subject,
        failing: Problem,
        witness: Witness,
        time: TimeLeft,
        lost: Sequence[Callable[[Problem], bool]] = (),
    ) -> None:
        """``failing`` is the problem before it was reduced. ``lost`` say of variants that their calls do not return."""
        self._requirement, self._subject, self._failing = requirement, subject, failing
        self._problem, self._finding, self._lost = witness.problem, witness.finding, lost
        self._trial = Trial(subject, witness.problem)
        # Whether numbers such as nan are needed, or hide whatever else is wrong, only the requirement can say.
        self._special = facts(witness.problem).intersection(SPECIAL_NUMBERS)
        self._plain = None if self._special.intersection(NOT_FINITE) else _plain_check(requirement, witness)
        self._left = VARIANTS_STATIC_SHAPES if subject.compiles_freely else VARIANTS
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
            or any(covers(within) for covers in self._lost)
            or self._subject.executor.restarts >= self._most_restarts
            or self._time.is_over()
        ):
            return Shown.UNCLEAR
        try:
            trial = Trial(self._subject, within)
            shown = self._of(trial, [f for f in findings(self._requirement, trial) if not isinstance(f, Declined)])
            if shown is not Shown.NOTHING or self._plain is None or not self._special <= facts(within):
                return shown
            return self._of(trial, [self._plain(trial)])
        except Exception:  # noqa: BLE001 - a variant outside the oracle's domain says nothing
            return Shown.UNCLEAR

    def _of(self, trial: Trial, made: Sequence[Finding]) -> Shown:
        """What the findings on a variant show. That float64 is computed in float32 is another fault than any other."""
        if failed := [f for f in made if f.failed]:
            if not any(as_narrow(self._trial, self._finding, trial, f) for f in failed):
                return Shown.PASSES
            return Shown.FAILS if any(f.signature == self._finding.signature for f in failed) else Shown.UNCLEAR
        if not any(f.exercised for f in made):
            # A comparison of zeros says nothing about a small error, but an exception or nan would have been seen.
            return Shown.PASSES if made and math.isinf(self._finding.ratio) else Shown.NOTHING
        return Shown.PASSES if max(f.ratio for f in made) < CLEARLY else Shown.UNCLEAR


def _plain_check(requirement: Requirement, witness: Witness) -> Callable[[Trial], Finding] | None:
    """Judges a variant to which a requirement does not apply, such as one about class weights without these.

    Where the result of the witness's own call is wrong, the requirement does not matter: that of the variant is wrong
    too or right. Nor does it where that call has no result. None where it matters: another call or another bound than
    that which every backend MUST meet.
    """
    finding, problem = witness.finding, witness.problem
    own = {"loss": (forward, loss_finding), "grad_logits": (backward, gradient_finding)}
    if finding.quantity not in own or requirement.level is not Level.MUST:
        return None
    call, check = own[finding.quantity]
    if [made.key for made in finding.calls] != [call(problem).key]:
        return None
    if isinstance(finding, Lost | Raised):
        return lambda trial: _with_result(trial, call(trial.problem))
    return check if isinstance(finding, Compared) else None


def _with_result(trial: Trial, call: Invocation) -> Finding:
    """Whether a call returns a result."""
    (quantity, *_) = call.results
    try:
        outcome = trial.outcome(call)
    except LostError as lost:
        return Lost.of(lost)
    return Held(quantity=quantity) if outcome.raised is None else Raised.by(quantity, call, outcome)
