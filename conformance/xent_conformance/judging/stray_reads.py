"""Whether a call reads beside its inputs: its results then change with what lies there.

Such a call fails many requirements, with other numbers each time. All of these are one fault, and are said as that one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xent_conformance.calling.calls import Invocation, LostError, Outcome, backward, differing, forward
from xent_conformance.judging.findings import (
    Compared,
    Disagreement,
    Finding,
    NotRepeatable,
    StrayRead,
    WrongConvention,
)
from xent_conformance.judging.subject import DETERMINISM, SEES_MEMORY_BESIDE
from xent_conformance.judging.trial import Trial
from xent_conformance.subproblems import keep_rows

#: What a stray read may look like.
SHOWN_BY = Compared | Disagreement | NotRepeatable | WrongConvention


def explained(trial: Trial, finding: Finding) -> Finding:
    """The stray read behind a wrong number, where one of its calls makes one; otherwise the finding itself.

    Behind one row lies the next, and behind the last one perhaps nothing that matters: so the row that is wrong is
    tried alone too, in arrays of its own.
    """
    if not finding.failed or not isinstance(finding, SHOWN_BY):
        return finding
    try:
        alone = _row_alone(trial, finding)
        tried = [*((trial, call) for call in finding.calls), *([] if alone is None else [alone])]
        # An adapter copies what is not contiguous, and what lies beside its copy is anything.
        tried.sort(key=lambda one: not all(array.flags.c_contiguous for array in one[1].arrays.values()))
        found = (stray_read(*one) for one in tried)
        return next((read for read in found if read is not None), finding)
    except LostError:
        return finding


def _row_alone(trial: Trial, finding: Finding) -> tuple[Trial, Invocation] | None:
    """The call of a finding for nothing but the row that is wrong, or the first one; None where there is no such."""
    calls = {"cross_entropy": forward, "cross_entropy_vjp": backward}
    problem = finding.problem or trial.problem
    if finding.call not in calls or not problem.rows:
        return None
    index: tuple[int, ...] = getattr(finding, "index", None) or ()
    # A number for all rows is made of those that count.
    counted = np.flatnonzero(~problem.ignored()) if problem.target.size == problem.rows else np.zeros(0, int)
    first = int(counted[0]) if counted.size else 0
    per_row = bool(index) and (finding.call == "cross_entropy_vjp" or problem.reduction == "none")
    row = keep_rows(problem, np.array([index[0] if per_row and index[0] < problem.rows else first]))
    return None if row is None else (trial.related(row), calls[finding.call](row))


def stray_read(trial: Trial, call: Invocation) -> StrayRead | None:
    """What a call reads beside its inputs; None: nothing that its results depend on, or that is unknown.

    Where the results differ with ordinary numbers beside the inputs, both calls are made again: those whose results
    differ anyway tell nothing. Of several inputs that it reads beside, the first is named.
    """
    subject = trial.subject
    if not (call.guarded and DETERMINISM.met_by(subject) and SEES_MEMORY_BESIDE.met_by(subject)):
        return None
    plain = trial.outcome(call)
    if plain.trouble is not None:
        return None

    def with_ordinary(*names: str) -> Outcome:
        return subject.caller.perform(replace(call, ordinary=names))

    names = tuple(call.arrays)
    if differing(plain, with_ordinary(*names)) is None or differing(plain, with_ordinary()) is not None:
        return None
    for read in (*((name,) for name in names), names):
        other = with_ordinary(*read)
        quantity = differing(plain, other)
        if quantity is not None:
            break
    else:
        return None
    if differing(other, with_ordinary(*read)) is not None or differing(plain, with_ordinary()) is not None:
        return None
    return StrayRead(
        quantity=quantity,
        calls=(call, replace(call, ordinary=read)),
        problem=trial.problem,
        names=read,
        poisoned=_first_difference(plain, other, quantity),
        otherwise=_first_difference(other, plain, quantity),
    )


def _first_difference(outcome: Outcome, other: Outcome, quantity: str) -> str:
    """The first number of a result that is another one in the other outcome."""
    if other.trouble is not None or quantity not in outcome.arrays or quantity not in other.arrays:
        return outcome.shown
    one, two = (np.atleast_1d(o.arrays[quantity]) for o in (outcome, other))
    if one.shape != two.shape:
        return f"of shape {one.shape}"
    different = (one != two) & ~((one != one) & (two != two))  # noqa: PLR0124 - nan, in any format
    place = np.unravel_index(int(np.argmax(different)), one.shape)
    return f"{float(one[place]):.9g}"
