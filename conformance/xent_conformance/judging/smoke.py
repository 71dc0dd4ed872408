"""A smoke test of an adapter, so that a broken one is reported as broken and not as failing every requirement."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calling.calls import Executor, Factors, Invocation, forward, linear, nll_loss, primitive
from xent_conformance.conventions import loss_dtype
from xent_conformance.formats import is_floating
from xent_conformance.interface import Capabilities
from xent_conformance.judging.subject import labelled
from xent_conformance.loading.claims import FUNCTIONS
from xent_conformance.loading.description import OBJECT, Description
from xent_conformance.loading.errors import BrokenBackendError
from xent_conformance.problem import Problem, array_of

#: Part of the message of a TypeError for a call without an argument that a function needs.
MISSING = "missing 1 required"


def plain_problems(claims: Capabilities) -> Iterator[Problem]:
    """A small problem in each dtype and reduction. The first of them is the first call in every process."""
    classes = max(claims.min_classes, min(3, claims.max_classes or 3))
    rows = [np.resize(row, classes) for row in ([1.0, 0.0, 3.0], [2.0, 1.0, 0.0])][: claims.max_rows]
    for dtype in claims.logits_dtypes:
        for reduction in claims.reductions:
            target = np.array([min(2, classes - 1), 0])[: claims.max_rows]
            problem = labelled(Problem(array_of(rows, dtype), target, reduction=reduction), claims)
            assert problem is not None
            yield problem


def plain_call(description: Description, problem: Problem) -> Invocation:
    """A call of the first of the functions that a backend has; for a fused linear map, with the identity matrix."""
    function = next(name for name in FUNCTIONS if name in description.methods)
    if function == "cross_entropy":
        return forward(problem)
    if function == "linear_cross_entropy":
        return linear(Factors(problem.logits, np.eye(problem.classes).astype(problem.logits.dtype), None), problem)
    if function == "nll_loss":
        return nll_loss(problem.logits, problem)  # defined for any numbers
    return primitive(function, problem.logits, problem.target if function == "token_log_probs" else None)


def first_call(description: Description, executor: Executor) -> Invocation:
    """A plain call whose result has the right form; raises BrokenBackendError if there is none.

    Whether the result is correct is judged by the requirement ``purity.first-call``.
    """
    first = None
    for problem in plain_problems(description.capabilities):
        call = plain_call(description, problem)
        wrong = _wrong(description, executor, call, problem)
        if wrong is None:
            return call
        first = first or wrong
    raise BrokenBackendError(f"{description.spec}: no result can be judged: {first}{_hint(description, first or '')}")


def _hint(description: Description, why: str) -> str:
    """For the message about a callable, what to do if an argument is missing, and where its framework was not named
    that this was taken from the imports of its file.
    """
    origin = description.origin
    if origin is None or origin.kind not in ("callable", OBJECT):
        return ""
    if MISSING in why:
        return "; judge a function that passes it, such as functools.partial(function, name=value)"
    if origin.kind == OBJECT or origin.spec.startswith(f"{origin.place}:"):
        return ""
    return (
        f"; it was called with arrays of {origin.place}, which its file imports:"
        f" FRAMEWORK:{origin.spec} names another framework"
    )


def _wrong(description: Description, executor: Executor, call: Invocation, problem: Problem) -> str | None:
    """What is wrong with the form of a call's result; None if nothing is."""
    outcome = executor.perform(call)
    (result,), (first, array) = call.results, next(iter(call.arrays.items()))
    how = f", reduction={problem.reduction!r}" if call.options else ""
    about = f"{call.method} of {problem.dtype} {first} {array.shape}{how},"
    if outcome.trouble is not None:
        return f"{about} {outcome.trouble}"
    returned = outcome.arrays[result]
    shape = problem.row_shape if problem.reduction == "none" else ()
    if not call.options:
        shape = problem.logits.shape if call.method in ("softmax", "log_softmax") else problem.row_shape
    declared = loss_dtype(description.capabilities.conventions.output_dtype, problem.dtype)
    # A wider result is as good as one of the right dtype for all requirements but the one about its dtype.
    wider = is_floating(returned.dtype) and returned.dtype.itemsize > problem.logits.dtype.itemsize
    named = returned.dtype.name in {problem.dtype, declared}
    if returned.shape != shape or not (named or wider):
        return f"{about} returned {returned.dtype.name} {returned.shape}, expected {problem.dtype} {shape}"
    return None
