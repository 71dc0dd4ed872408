"""A first look at an adapter: a broken one is reported as such, never as an implementation that fails everything."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calling.calls import Executor, forward
from xent_conformance.interface import Capabilities
from xent_conformance.judging.subject import labelled
from xent_conformance.loading.description import Description
from xent_conformance.loading.loader import BrokenBackendError
from xent_conformance.problem import Problem, array_of


def plain_problems(claims: Capabilities) -> Iterator[Problem]:
    """A small problem in each dtype and reduction. The first is the first call that an adapter has in a process."""
    classes = max(claims.min_classes, min(3, claims.max_classes or 3))
    rows = [np.resize(row, classes) for row in ([1.0, 0.0, 3.0], [2.0, 1.0, 0.0])]
    for dtype in claims.logits_dtypes:
        for reduction in claims.reductions:
            target = np.array([min(2, classes - 1), 0])
            problem = labelled(Problem(array_of(rows, dtype), target, reduction=reduction), claims)
            assert problem is not None
            yield problem


def first_call(description: Description, executor: Executor) -> Problem:
    """A plain problem that the backend answers in the right form; raises BrokenBackendError where it answers none.

    Whether the answer is right is judged by a requirement, ``purity.first-call``.
    """
    first = None
    for problem in plain_problems(description.capabilities):
        wrong = _wrong(description, executor, problem)
        if wrong is None:
            return problem
        first = first or wrong
    raise BrokenBackendError(f"{description.spec}: nothing it returns can be judged: {first}")


def _wrong(description: Description, executor: Executor, problem: Problem) -> str | None:
    """What is wrong with the answer to a problem; None: nothing that can be seen without knowing the answer."""
    outcome = executor.perform(forward(problem))
    call = f"cross_entropy of {problem.dtype} logits {problem.logits.shape}, reduction={problem.reduction!r},"
    if outcome.trouble is not None:
        return f"{call} {outcome.trouble}"
    loss = outcome.arrays["loss"]
    shape = (2,) if problem.reduction == "none" else ()
    wide = description.capabilities.conventions.output_dtype == "float32"
    if loss.shape != shape or loss.dtype.name not in ({problem.dtype, "float32"} if wide else {problem.dtype}):
        return f"{call} returned {loss.dtype.name} {loss.shape}, expected {problem.dtype} {shape}"
    return None
