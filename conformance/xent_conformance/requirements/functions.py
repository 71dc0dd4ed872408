"""Functions of the logits alone: their calls, their values, and the comparison of these with the exact ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import Bounds, of_rows
from xent_conformance.calling.calls import Invocation, primitive
from xent_conformance.judging.findings import Compared
from xent_conformance.judging.subject import (
    ENTROPY,
    LOG_SOFTMAX,
    LOG_SOFTMAX_GRADIENT,
    LOGSUMEXP,
    SOFTMAX,
    SOFTMAX_GRADIENT,
    Form,
    Subject,
)
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import F64Array, Problem, by_row

#: Functions with one number for each logit, and the form that is their gradient.
ELEMENTWISE: dict[str, Form] = {"softmax": SOFTMAX_GRADIENT, "log_softmax": LOG_SOFTMAX_GRADIENT}


@dataclass(frozen=True)
class _Function:
    """What a backend needs to have a function, and the bound of its value."""

    need: Form
    bound: Callable[[Bounds], F64Array]


_FUNCTIONS = {
    "softmax": _Function(SOFTMAX, attrgetter("softmax")),
    "log_softmax": _Function(LOG_SOFTMAX, attrgetter("log_softmax")),
    "logsumexp": _Function(LOGSUMEXP, of_rows.logsumexp),
    "entropy": _Function(ENTROPY, of_rows.entropy),
}
ANY_FUNCTION = Form(
    "softmax, log_softmax, logsumexp or entropy", lambda s: any(f.need.met_by(s) for f in _FUNCTIONS.values())
)


def functions_of(subject: Subject) -> Iterator[str]:
    """The functions of the logits that a backend has."""
    return (name for name, function in _FUNCTIONS.items() if function.need.met_by(subject))


def elementwise_of(subject: Subject) -> Iterator[str]:
    """Those with one number for each logit: softmax and log_softmax."""
    return (name for name in functions_of(subject) if name in ELEMENTWISE)


def has_softmax(problem: Problem) -> npt.NDArray[np.bool_]:
    """Rows whose softmax is defined, (rows,): not those with nan or +inf, or of only -inf."""
    largest = by_row(problem.logits, problem.class_axis).max(axis=1)
    return np.asarray(np.isfinite(largest.astype(np.float64)))


def function_call(trial: Trial, name: str) -> Invocation:
    """The call of a function with the logits of the problem."""
    return primitive(name, trial.problem.logits)


def function_value(trial: Trial, name: str) -> F64Array:
    """What a function returned: (rows, C) for softmax and log_softmax, (rows,) for logsumexp and entropy."""
    return trial.primitive(name) if name in ELEMENTWISE else trial.of_rows(function_call(trial, name))


def function_finding(trial: Trial, name: str) -> Compared:
    """What a function returned compared with the exact value, in the rows that have a softmax."""
    bound, judged = _FUNCTIONS[name].bound(trial.bounds), has_softmax(trial.problem)
    if not judged.all():
        bound = np.where(judged.reshape(-1, *[1] * (bound.ndim - 1)), bound, np.inf)
    call = function_call(trial, name)
    return trial.compare(name, function_value(trial, name), getattr(trial.answer, name), bound, call=call)
