"""What people use instead of this suite, on the same mutants: how many it kills, and in how many seconds.

The four textbook identities need no reference. All other tests compare with a correct implementation, here the mutant's
own twin: with the same arithmetic, so that no correct implementation fails and the comparison favours those tests.
They are not part of a run of the suite; the kill matrix shows what they kill.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from xent_conformance.calling.calls import forward
from xent_conformance.detection.usual_grids import GRIDS, Grid, Source, claimed
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import SpoiledError, Trial
from xent_conformance.problem import F64Array, Problem, array_of

if TYPE_CHECKING:
    from xent_conformance.detection.kills import Mutant

#: The identities are tried on this many problems, with these tolerances.
EXAMPLES = 20
RTOL, ATOL = 1e-4, 1e-5
#: Step of central differences in float32 with the smallest rounding error, and the tolerance of the comparison.
STEP, DIFFERENCE_ATOL = 2.0**-6, 1e-2


@dataclass(frozen=True)
class Baseline:
    """What one kind of test kills: the names of the mutants, and the seconds that all mutants took."""

    kills: list[str]
    seconds: float


def _close(left: F64Array, right: F64Array) -> bool:
    return bool(np.allclose(left, right, rtol=RTOL, atol=ATOL))


def composition(trial: Trial) -> bool:
    """CE = NLL(LogSoftmax) on the backend's own functions."""
    return not trial.subject.has("primitives") or _close(trial.loss(), trial.loss(trial.nll_call))


def row_sums(trial: Trial) -> bool:
    """Softmax rows sum to 1."""
    return not trial.subject.has("primitives") or _close(trial.primitive("softmax").sum(axis=1), np.ones(1))


def gradient_check(trial: Trial) -> bool:
    """The gradient agrees with central differences of the backend's own loss, with a cotangent of 1."""
    if not trial.subject.has("gradient") or trial.problem.reduction == "none":
        return True
    problem, dtype = trial.problem, trial.problem.dtype
    gradient = trial.related(problem.with_(cotangent=array_of(1.0, dtype))).gradients().logits
    for place in ((0, 0), (1, 2), (3, 4)):
        values = []
        for sign in (1, -1):
            moved = problem.logits.astype(np.float64)
            moved[place] += sign * STEP
            values.append(float(trial.related(problem.with_(logits=array_of(moved, dtype))).loss()))
        if abs((values[0] - values[1]) / (2 * STEP) - gradient[place]) > DIFFERENCE_ATOL:
            return False
    return True


def integers_rejected(trial: Trial) -> bool:
    """Integer logits raise an error."""
    logits = trial.problem.logits.astype(np.int64)
    return trial.subject.caller.perform(forward(trial.problem.with_(logits=logits))).raised is not None


IDENTITIES: tuple[Callable[[Trial], bool], ...] = (composition, row_sums, gradient_check, integers_rejected)


def identities(mutant: Mutant) -> bool:
    """Whether a textbook identity fails on a mutant and holds on its twin, for small normals without options."""
    backend, twin = mutant.backend(), mutant.twin()
    dtype, reductions = backend.capabilities.logits_dtypes[0], backend.capabilities.reductions
    wrong, right = Subject.of(backend, dtype), Subject.of(twin, dtype)
    rng = np.random.default_rng(0)
    for _ in range(EXAMPLES):
        logits = array_of(rng.normal(size=(4, 5)), dtype)
        reduction = "mean" if "mean" in reductions else reductions[0]
        problem = Problem(logits, rng.integers(0, 5, size=4), reduction=reduction)
        if any(
            not _holds(check, Trial(wrong, problem)) and _holds(check, Trial(right, problem)) for check in IDENTITIES
        ):
            return True
    return False


def _holds(check: Callable[[Trial], bool], trial: Trial) -> bool:
    try:
        return check(trial)
    except SpoiledError:
        return False


def compared(grid: Grid, mutant: Mutant) -> bool:
    """Whether the results of a mutant differ from those of its twin by more than the tolerances of a grid."""
    backend, twin = mutant.backend(), mutant.twin()
    for dtype in grid.tolerances:
        if dtype in backend.capabilities.logits_dtypes:
            wrong, right = Subject.of(backend, dtype), Subject.of(twin, dtype)
            problems = (p for p in _problems(grid.problems, dtype) if claimed(p, backend.capabilities))
            if any(_differs(grid, Trial(wrong, p), Trial(right, p)) for p in problems):
                return True
    return False


@cache
def _problems(source: Source, dtype: str) -> list[Problem]:
    return list(source(np.random.default_rng(0), dtype))


def _differs(grid: Grid, wrong: Trial, right: Trial) -> bool:
    rtol, atol = grid.tolerances[right.problem.dtype]
    for result, tolerance in _results(grid, right, atol):
        try:
            expected = result(right)
        except SpoiledError:  # not a call that a correct implementation can be compared on
            continue
        try:
            got = result(wrong)
        except SpoiledError:
            return True
        if not np.allclose(got, expected, rtol=rtol, atol=tolerance, equal_nan=True):
            return True
    return False


def _results(grid: Grid, trial: Trial, atol: float) -> Iterator[tuple[Callable[[Trial], F64Array], float]]:
    """What a grid compares, each with its absolute tolerance."""
    yield Trial.loss, atol
    if grid.gradients and trial.subject.has("gradient"):
        yield _gradient, atol if grid.gradient_atol is None else grid.gradient_atol
    if grid.primitives and trial.subject.has("primitives"):
        yield partial(Trial.primitive, name="softmax"), atol
        yield partial(Trial.primitive, name="log_softmax"), atol


def _gradient(trial: Trial) -> F64Array:
    """The gradient for a cotangent of ones."""
    ones = array_of(np.ones(trial.loss_shape()), trial.problem.dtype)
    return trial.related(trial.problem.with_(cotangent=ones)).gradients().logits


BASELINES: dict[str, Callable[[Mutant], bool]] = {
    "four textbook identities": identities,
    **{name: partial(compared, grid) for name, grid in GRIDS.items()},
}


def baselines(mutants: Iterable[Mutant]) -> dict[str, Baseline]:
    """What each baseline kills of some mutants, and the seconds it takes for all of them."""
    listed = list(mutants)
    measured = {}
    for name, killed in BASELINES.items():
        begun = time.perf_counter()
        kills = [m.name for m in listed if killed(m)]
        measured[name] = Baseline(kills, round(time.perf_counter() - begun, 1))
    return measured
