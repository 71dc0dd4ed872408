"""Whether a call reads outside its inputs: its results then change with the content of the memory around them.

Such a call fails many requirements, with different numbers each time. All of these failures are reported as this one
fault.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.calls import Invocation, LostError, Outcome, backward, differing, forward
from xent_conformance.calling.compilations import NotCompiledError
from xent_conformance.judging.findings import Compared, Disagreement, Finding, Repeated, StrayRead, WrongConvention
from xent_conformance.judging.findings.effects import MISSING
from xent_conformance.judging.narrow import shows_narrow
from xent_conformance.judging.subject import DETERMINISM, SEES_MEMORY_BESIDE
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import AnyArray
from xent_conformance.subproblems import keep_rows

#: Kinds of findings that a stray read may cause.
SHOWN_BY = Compared | Disagreement | Repeated | WrongConvention


#: Calls that have been examined, by their keys, which are valid as long as the calls exist, and their stray reads.
Examined = dict[Hashable, tuple[Invocation, StrayRead | None]]


def explained(trial: Trial, finding: Finding, examined: Examined) -> Finding:
    """The stray read behind a wrong number, if one of its calls makes one; otherwise the finding itself.

    A read past the end of a row usually reads the next row, which is an input, so the wrong row is also tried alone, in
    arrays of its own. Several numbers of one call may be wrong: what was ``examined`` for one of them is not again.
    """
    if not finding.failed or not isinstance(finding, SHOWN_BY) or shows_narrow(trial, finding):
        return finding
    try:
        alone = _row_alone(trial, finding)
        tried = [*((trial, call) for call in finding.calls), *([] if alone is None else [alone])]
        # An adapter may copy arrays that are not contiguous, and the memory around its copy is arbitrary.
        tried.sort(key=lambda one: not all(array.flags.c_contiguous for array in one[1].arrays.values()))
        for where, call in tried:
            if call.key not in examined:
                examined[call.key] = call, stray_read(where, call)
            if (read := examined[call.key][1]) is not None:
                return read
    except (LostError, NotCompiledError):
        pass
    return finding


def _row_alone(trial: Trial, finding: Finding) -> tuple[Trial, Invocation] | None:
    """The call of a finding with only the wrong row, or the first row; None if that is not possible."""
    calls = {"cross_entropy": forward, "cross_entropy_vjp": backward}
    problem = finding.problem or trial.problem
    if finding.call not in calls or not problem.rows:
        return None
    index: tuple[int, ...] = getattr(finding, "index", None) or ()
    # A number for all rows depends on the rows that are not ignored.
    counted = np.flatnonzero(~problem.ignored()) if problem.target.size == problem.rows else np.zeros(0, int)
    first = int(counted[0]) if counted.size else 0
    per_row = bool(index) and (finding.call == "cross_entropy_vjp" or problem.reduction == "none")
    row = keep_rows(problem, np.array([index[0] if per_row and index[0] < problem.rows else first]))
    return None if row is None else (trial.related(row), calls[finding.call](row))


def stray_read(trial: Trial, call: Invocation) -> StrayRead | None:
    """The stray read of a call; None if its results depend on nothing outside its inputs, or if that is unknown.

    If the results differ when ordinary numbers surround the inputs, both calls are repeated, to exclude results that
    differ from call to call. Of several inputs that are read beyond, the first is named.
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
    if _differing(plain, with_ordinary(*names)) is None or _differing(plain, with_ordinary()) is not None:
        return None
    for read in (*((name,) for name in names), names):
        other = with_ordinary(*read)
        quantity = _differing(plain, other)
        if quantity is not None:
            break
    else:
        return None
    if _differing(other, with_ordinary(*read)) is not None or _differing(plain, with_ordinary()) is not None:
        return None
    return StrayRead(
        quantity=quantity,
        calls=(call, replace(call, ordinary=read)),
        problem=trial.problem,
        names=read,
        poisoned=_first_difference(plain, other, quantity),
        otherwise=_first_difference(other, plain, quantity),
    )


def _differing(first: Outcome, second: Outcome) -> str | None:
    """The first result that differs, as ``differing``, but not only in the sign or the other bits of nan.

    Which nan an operation passes on is up to the processor and the compiler, and a report shows no difference.
    """
    return differing(first, second, _same)


def _same(one: AnyArray, two: AnyArray) -> bool:
    return one.shape == two.shape and one.dtype == two.dtype and not _different(one, two).any()


def _different(one: AnyArray, two: AnyArray) -> npt.NDArray[np.bool_]:
    different = (one != two) & ~((one != one) & (two != two))  # noqa: PLR0124 - nan, in any format
    return np.asarray(different)


def _first_difference(outcome: Outcome, other: Outcome, quantity: str) -> str:
    """The first number of a result that differs in the other outcome; its shape, if that does, or MISSING."""
    if outcome.trouble is not None or other.trouble is not None:
        return outcome.shown
    if quantity not in outcome.arrays:
        return MISSING
    one = np.atleast_1d(outcome.arrays[quantity])
    two = np.atleast_1d(other.arrays[quantity]) if quantity in other.arrays else None
    if two is None or one.shape != two.shape:
        return f"of shape {one.shape}"
    place = np.unravel_index(int(np.argmax(_different(one, two))), one.shape)
    return f"{float(one[place]):.9g}"
