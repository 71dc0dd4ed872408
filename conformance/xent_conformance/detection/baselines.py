"""Usual tests, for comparison: the four textbook identities, and a plain ``allclose`` test.

They run on typical inputs of such tests, float32 normals of one shape without options, with typical tolerances. They
are not part of a run of the suite; the kill matrix shows what they kill, for comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from xent_conformance.calling.calls import forward
from xent_conformance.conventions import Conventions
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import SpoiledError, Trial
from xent_conformance.oracle import Answer
from xent_conformance.problem import F64Array, Problem, array_of

if TYPE_CHECKING:
    from xent_conformance.detection.kills import Mutant

EXAMPLES = 100
RTOL, ATOL = 1e-4, 1e-5
#: Step of central differences in float32 with the smallest rounding error, and the tolerance of the comparison.
STEP, DIFFERENCE_ATOL = 2.0**-6, 1e-2


def _problems(subject: Subject) -> Iterable[Problem]:
    rng = np.random.default_rng(0)
    for _ in range(EXAMPLES):
        logits = array_of(rng.normal(size=(4, 5)), subject.dtype)
        yield Problem(logits, rng.integers(0, 5, size=4), reduction=_reduction(subject))


def _reduction(subject: Subject) -> str:
    claimed = subject.capabilities.reductions
    return "mean" if "mean" in claimed else claimed[0]


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


def bland(trial: Trial) -> bool:
    """Loss and gradient are close to the exact ones."""
    answer = Answer(trial.problem, Conventions())
    if not _close(trial.loss(), answer.loss.value):
        return False
    if not trial.subject.has("gradient") or trial.problem.reduction == "none":
        return True
    problem = trial.problem.with_(cotangent=array_of(1.0, trial.problem.dtype))
    return _close(trial.related(problem).gradients().logits, Answer(problem, Conventions()).grad_logits.value)


BASELINES: dict[str, tuple[Callable[[Trial], bool], ...]] = {
    "four textbook identities": (composition, row_sums, gradient_check, integers_rejected),
    "bland allclose": (bland,),
}


def baselines(mutants: Iterable[Mutant]) -> dict[str, list[str]]:
    """Names of the mutants that each baseline kills."""
    listed = list(mutants)
    return {name: [m.name for m in listed if _killed(m, checks)] for name, checks in BASELINES.items()}


def _killed(mutant: Mutant, checks: Iterable[Callable[[Trial], bool]]) -> bool:
    backend = mutant.backend()
    subject = Subject.of(backend, backend.capabilities.logits_dtypes[0])
    return any(not _holds(check, Trial(subject, problem)) for problem in _problems(subject) for check in checks)


def _holds(check: Callable[[Trial], bool], trial: Trial) -> bool:
    try:
        return check(trial)
    except SpoiledError:
        return False
