"""A first look at an adapter: a broken one is reported as such, never as an implementation that fails everything."""

from __future__ import annotations

import re

import numpy as np

from xent_conformance.calls import Caller
from xent_conformance.formats import FLOATING, is_floating
from xent_conformance.interface import Backend, Capabilities, Precision
from xent_conformance.loading import BrokenBackendError
from xent_conformance.problem import Problem, array_of

REDUCTIONS = ("none", "sum", "mean")
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def check(backend: Backend, spec: str) -> None:
    """Raise BrokenBackendError where a backend has not the interface, or gives nothing of the right form."""
    complaint = _interface(backend) or _claims(backend)
    if complaint is not None:
        raise BrokenBackendError(f"{spec}: {complaint}")
    complaint = _first_calls(backend)
    if complaint is not None:
        raise BrokenBackendError(f"{spec}: nothing it returns can be judged: {complaint}")


def _interface(backend: Backend) -> str | None:
    if not isinstance(getattr(backend, "name", None), str) or not NAME.fullmatch(backend.name):
        return f"name must be letters, digits, '.', '-' and '_', not {getattr(backend, 'name', None)!r}"
    if not isinstance(getattr(backend, "capabilities", None), Capabilities):
        return "capabilities must be a xent_conformance.interface.Capabilities"
    if not callable(getattr(backend, "cross_entropy", None)):
        return "it has no method cross_entropy(logits, target, **options)"
    return None


def _claims(backend: Backend) -> str | None:
    claims = backend.capabilities
    for field, known in (("logits_dtypes", FLOATING), ("reductions", REDUCTIONS)):
        values = getattr(claims, field)
        if not isinstance(values, tuple) or not values or set(values) - set(known):
            return f"capabilities.{field} must be a tuple of {', '.join(known)}, not {values!r}"
    for dtype in claims.logits_dtypes:
        precision = claims.precision_for(dtype)
        if precision is not None and not isinstance(precision, Precision):
            return f"capabilities.precision must be a Precision, not {precision!r}"
    return None


def _first_calls(backend: Backend) -> str | None:
    """What is wrong with the first plain call where every plain call is wrong; None where one is right."""
    first = None
    for dtype in backend.capabilities.logits_dtypes:
        logits = array_of([[1.0, 0.0, 3.0], [2.0, 1.0, 0.0]], dtype)
        for reduction in backend.capabilities.reductions:
            wrong = _plain_call(backend, Problem(logits, np.array([2, 0]), reduction=reduction))
            if wrong is None:
                return None
            first = first or wrong
    return first


def _plain_call(backend: Backend, problem: Problem) -> str | None:
    outcome = Caller(backend).cross_entropy(problem)
    call = f"cross_entropy of {problem.dtype} logits (2, 3), reduction={problem.reduction!r},"
    if outcome.trouble is not None:
        return f"{call} {outcome.trouble}"
    loss = outcome.arrays["loss"]
    shape = (2,) if problem.reduction == "none" else ()
    allowed = (
        {problem.dtype, "float32"} if backend.capabilities.conventions.output_dtype == "float32" else {problem.dtype}
    )
    if loss.shape != shape or loss.dtype.name not in allowed:
        return f"{call} returned {loss.dtype.name} {loss.shape}, expected {problem.dtype} {shape}"
    assert is_floating(loss.dtype)
    return None
