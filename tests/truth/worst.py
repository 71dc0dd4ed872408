"""The correct implementations of ``tests/correct``, called directly, on problems that bring them near the bounds."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from correct.catalogue import all_correct
from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.detection.campaign_problems import directed
from xent_conformance.judging.findings import compare
from xent_conformance.oracle import Answer
from xent_conformance.problem import Problem, by_row, from_rows
from xent_conformance.strategies import EVERYTHING

#: Together they come as near to each bound as all of ``tests/correct``.
NAMES = (
    *("A, descending", "A, sums stored", "A, tensors stored"),
    *("B, sequential", "B, all rounded", "B, all and sums rounded"),
)
IMPLEMENTATIONS = {backend.name: backend for backend in all_correct() if backend.name in NAMES}
#: Sizes beyond these take time and bring nothing nearer to its bound.
MOST_CLASSES, MOST_ROWS = 260, 260


@cache
def problems(dtype: str) -> list[Problem]:
    """Directed problems of moderate size."""
    return [p for p in directed(dtype, EVERYTHING, 0) if p.classes <= MOST_CLASSES and p.rows <= MOST_ROWS]


def vector(problem: Problem) -> np.ndarray:
    """A vector of the logits' dtype by row, (rows, C), for the second derivative."""
    return np.resize([1.0, -0.5, 0.25, -2.0, 0.0, 1.5, 0.75], (problem.rows, problem.classes))


@cache
def observed(name: str, problem: Problem) -> dict[str, np.ndarray]:
    """Quantity to what an implementation gives, by row as in the answer."""
    backend, axis, options = IMPLEMENTATIONS[name], problem.class_axis, problem.options()
    dtype = problem.logits.dtype
    cotangent = problem.cotangent
    if cotangent is None:
        cotangent = np.ones(problem.row_shape if problem.reduction == "none" else (), dtype)
    result = backend.cross_entropy_vjp(cotangent, problem.logits, problem.target, **options)
    along = np.ascontiguousarray(from_rows(vector(problem), problem.logits, axis)).astype(dtype)
    product = backend.cross_entropy_hvp(along, cotangent, problem.logits, problem.target, **options)
    found: dict[str, Any] = {
        f"loss {problem.reduction}": result.loss.reshape(-1) if problem.reduction == "none" else result.loss,
        "grad_logits": by_row(result.grad_logits, axis),
        "hessian": by_row(product, axis),
    }
    if problem.has_probabilities:
        found["grad_target"] = by_row(result.grad_target, axis)
    if not problem.ignored().any():
        found["softmax"] = by_row(backend.softmax(problem.logits), axis)
        found["log_softmax"] = by_row(backend.log_softmax(problem.logits), axis)
    return found


def share(name: str, problem: Problem, quantity: str) -> float:
    """Ratio of an implementation's error to the bound of its own precision."""
    answer = Answer(problem, Conventions())
    bounds = Bounds(answer, IMPLEMENTATIONS[name].precision)
    with np.errstate(all="ignore"):
        if quantity == "hessian":
            exact, bound = answer.hessian_times(vector(problem)), bounds.hessian_times(vector(problem))
            bound = np.where(np.isfinite(bounds.grad_logits), bound, np.inf)
        else:
            field = quantity.split(maxsplit=1)[0]
            exact, bound = getattr(answer, field), getattr(bounds, field)
        excuses = getattr(bounds, f"{quantity.split(maxsplit=1)[0]}_excuses", {})
        got = observed(name, problem)[quantity]
        return float(compare(quantity, got, exact, bound, problem.format, **excuses).ratio)


def largest_shares(dtype: str) -> dict[str, float]:
    """Quantity to the largest ratio of all implementations on all problems."""
    found: dict[str, float] = {}
    for name in NAMES:
        for problem in problems(dtype):
            for quantity in observed(name, problem):
                found[quantity] = max(found.get(quantity, 0.0), share(name, problem, quantity))
    return found
