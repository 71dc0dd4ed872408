"""Checks that the loss of a call is right at the shape that is timed: against a float64 reference, within the bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent_conformance.bounds import Bounds
from xent_conformance.calling.calls import Invocation, as_float64, backward, forward
from xent_conformance.judging.subject import Subject
from xent_conformance.oracle import Answer
from xent_conformance.problem import F64Array, Problem

FORMS = {"cross_entropy": forward, "cross_entropy_vjp": backward}


class Judged:
    """The exact loss of a problem and its bound: of the mean or, if that has no finite bound, of each row.

    For a backend that declares to sum over the batch in bfloat16, the mean of 256 or more rows has no finite bound,
    because the worst-case error of such a sum is as large as the sum. The losses of the rows have one.
    """

    def __init__(self, subject: Subject, problem: Problem) -> None:
        """Compute the reference, for the precision and conventions of ``subject``."""
        self.problem, self.expected, self.bound = problem, *_reference(subject, problem)
        if not np.isfinite(self.bound).all() and "none" in subject.capabilities.reductions:
            ones = np.ones(problem.row_shape, problem.logits.dtype)
            self.problem = problem.with_(reduction="none", cotangent=ones)
            self.expected, self.bound = _reference(subject, self.problem)

    def invocation(self, method: str, timed: Problem) -> Invocation:
        """The call whose loss is checked: the timed one, or the same with the loss of each row."""
        problem = timed.with_(reduction=self.problem.reduction, cotangent=self.problem.cotangent)
        return FORMS[method](problem)

    @property
    def obstacle(self) -> str | None:
        """Why no loss can be judged, or None if it can."""
        if np.isfinite(self.bound).all():
            return None
        return "no bound holds for the mean of so many rows in the declared precision"

    def complaint(self, loss: Any) -> str | None:
        """What is wrong with a loss, or None if it is within the bound."""
        expected_shape = self.problem.row_shape if self.problem.reduction == "none" else ()
        got = as_float64(loss)
        if got.shape != expected_shape:
            return f"the loss has shape {got.shape}, not {expected_shape}"
        got = got.reshape(self.expected.shape)
        beyond = ~(np.abs(got - self.expected) <= self.bound)
        if not beyond.any():
            return None
        place = np.unravel_index(np.argmax(beyond), beyond.shape)
        what = f"the loss of row {place[0]}" if place else "the loss"
        return f"{what} is {got[place]:.9g}, expected {self.expected[place]:.9g} within {self.bound[place]:.2g}"


def _reference(subject: Subject, problem: Problem) -> tuple[F64Array, F64Array]:
    """The exact loss and its bound."""
    answer = Answer(problem, subject.conventions)
    return np.asarray(answer.loss.value), np.asarray(Bounds(answer, subject.precision).loss)
