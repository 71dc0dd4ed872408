"""Which gradient of a call is right where the other one is wrong: then the fault is not in what both share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xent_conformance.calling.calls import backward
from xent_conformance.judging.findings import Compared, Finding
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.checks import gradient_finding, target_gradient_finding
from xent_conformance.verdicts.tally import Failing

#: A result is right if its error is below this share of the bound; between that and 1 it is nearly wrong.
CLEARLY = 0.25
#: Each gradient of a call with probability targets: the other one, and its check.
OTHER: dict[str, tuple[str, Callable[[Trial], Finding | None]]] = {
    "grad_logits": ("grad_target", target_gradient_finding),
    "grad_target": ("grad_logits", gradient_finding),
}


def right_beside(subject: Subject, failing: Failing) -> tuple[str, ...]:
    """The other gradient of a failing call, where that is right.

    The problem is the failing one before it is reduced: of a small one, both gradients may be zero, which many faults
    leave as it is. For the same reason a zero says nothing.

    Args:
        subject: The backend.
        failing: A failing problem; a wrong gradient of the logits or of the target.

    Returns:
        The name of the other gradient, or nothing: ``("grad_logits",)`` for a backend whose gradients of targets alone
        are zero.
    """
    finding, problem = failing.finding, failing.trial.problem
    own = isinstance(finding, Compared) and finding.problem is None and finding.call == backward(problem).method
    if not (own and finding.quantity in OTHER and problem.has_probabilities):
        return ()
    name, check = OTHER[finding.quantity]
    try:
        with np.errstate(all="ignore"):
            trial = Trial(subject, problem)
            found, gradient = check(trial), trial.gradient_as_returned(name)
    except Exception:  # noqa: BLE001 - what the suite cannot judge says nothing
        return ()
    if found is None or gradient is None or found.ratio >= CLEARLY:
        return ()
    return (name,) if np.any((gradient != 0) & np.isfinite(gradient)) else ()
