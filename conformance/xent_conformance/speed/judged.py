"""Whether the loss of a call is right at the shape that is timed, by a float64 reference and the declared precision."""

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
    """What a problem's loss is held to: its mean, or where no bound of that exists the loss of each row.

    A precision that sums the batch in bfloat16 promises nothing for the mean of 256 rows and more: each sum may be off
    by all of it. The losses of the rows have bounds all the same.
    """

    def __init__(self, subject: Subject, problem: Problem) -> None:
        """Computes the reference; ``subject`` says which precision and conventions hold."""
        self.problem, self.expected, self.bound = problem, *_reference(subject, problem)
        if not np.isfinite(self.bound).all() and "none" in subject.capabilities.reductions:
            ones = np.ones(problem.row_shape, problem.logits.dtype)
            self.problem = problem.with_(reduction="none", cotangent=ones)
            self.expected, self.bound = _reference(subject, self.problem)

    def invocation(self, method: str, timed: Problem) -> Invocation:
        """The call whose loss is looked at: the one that is timed, or the same with the loss of each row."""
        problem = timed.with_(reduction=self.problem.reduction, cotangent=self.problem.cotangent)
        return FORMS[method](problem)

    @property
    def obstacle(self) -> str | None:
        """Why no loss can be judged; None: it can."""
        if np.isfinite(self.bound).all():
            return None
        return "no bound holds for the mean of so many rows in the declared precision"

    def complaint(self, loss: Any) -> str | None:
        """What is wrong with a loss; None: it is within the bound."""
        expected_shape = self.problem.row_shape if self.problem.reduction == "none" else ()
        found = as_float64(loss)
        if found.shape != expected_shape:
            return f"the loss has shape {found.shape}, not {expected_shape}"
        found = found.reshape(self.expected.shape)
        beyond = ~(np.abs(found - self.expected) <= self.bound)
        if not beyond.any():
            return None
        place = np.unravel_index(np.argmax(beyond), beyond.shape)
        what = f"the loss of row {place[0]}" if place else "the loss"
        return f"{what} is {found[place]:.9g}, expected {self.expected[place]:.9g} within {self.bound[place]:.2g}"


def _reference(subject: Subject, problem: Problem) -> tuple[F64Array, F64Array]:
    """The exact loss and its bound."""
    answer = Answer(problem, subject.conventions)
    return np.asarray(answer.loss.value), np.asarray(Bounds(answer, subject.precision).loss)
