"""A trial: one problem on one subject. Answer, bounds and outcomes are computed once and shared by requirements."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import Bounds
from xent_conformance.calling.calls import (
    Factors,
    Invocation,
    LostError,
    Outcome,
    as_float64,
    backward,
    forward,
    linear,
    linear_backward,
    nll_loss,
    primitive,
    second_order,
)
from xent_conformance.judging.findings import (
    Compared,
    Finding,
    Missing,
    NoResult,
    Raised,
    StrayWrite,
    WrongForm,
    compare,
)
from xent_conformance.judging.subject import Subject
from xent_conformance.oracle import Answer, Exact
from xent_conformance.precision import Precision
from xent_conformance.problem import AnyArray, F64Array, Problem, by_row, from_rows
from xent_conformance.strategies.recipe import Recipe


class SpoiledError(Exception):
    """A call without a result that can be judged; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        """Carries the finding to the judge."""
        super().__init__(finding.message)
        self.finding = finding


class Gradients:
    """The result of a vjp by row: the loss (rows,) or (), the gradients (rows, C) or None."""

    def __init__(self, loss: F64Array, logits: F64Array, target: F64Array | None) -> None:
        """Holds the arrays."""
        self.loss = loss
        self.logits = logits
        self.target = target


class Trial:
    """One problem on one subject. Accessors raise SpoiledError if the backend returned no result of the right form.

    Args:
        subject: The backend and dtype.
        problem: The problem.
        shared: Answer and bounds, shared with other trials of the same problem.
        recipe: The recipe that the problem was drawn from; None for other problems.
        example: Its number in its source.
        like: Another trial. If that has the same array of logits, scaled and capped in the same way, the exact softmax
            is computed only once for both.
    """

    def __init__(
        self,
        subject: Subject,
        problem: Problem,
        shared: dict[Any, Any] | None = None,
        *,
        recipe: Recipe | None = None,
        example: int = 0,
        like: Trial | None = None,
    ) -> None:
        """Nothing is computed or called yet."""
        self.subject = subject
        self.problem = problem
        self.shared: dict[Any, Any] = {} if shared is None else shared
        self.recipe = recipe
        self.example = example
        self._like = like if like is not None and _same_softmax(like.problem, problem) else None
        # The invocation is stored too: keys contain ids of arrays, which could be reused once they are freed.
        self._outcomes: dict[Any, tuple[Invocation, Outcome | LostError]] = {}

    @cached_property
    def answer(self) -> Answer:
        """The exact answer."""
        conventions = self.subject.conventions
        key = tuple(conventions.choices().values())
        if key not in self.shared:
            like = None if self._like is None else self._like.answer
            self.shared[key] = Answer(self.problem, conventions, like=like)
        answer: Answer = self.shared[key]
        return answer

    @property
    def bounds(self) -> Bounds:
        """The bounds that the subject MUST meet."""
        return self.bounds_under(self.subject.precision)

    def bounds_under(self, precision: Precision) -> Bounds:
        """The bounds for another precision."""
        key = (precision, id(self.answer))
        if key not in self.shared:
            self.shared[key] = Bounds(self.answer, precision)
        bounds: Bounds = self.shared[key]
        return bounds

    def related(self, problem: Problem) -> Trial:
        """A trial of another problem on the same subject."""
        return Trial(self.subject, problem, like=self)

    def laid_out(self, problem: Problem) -> Trial:
        """A trial of the same problem in another memory layout; answer and bounds are shared."""
        return Trial(self.subject, problem, self.shared)

    def on(self, subject: Subject) -> Trial:
        """The same problem on another subject with the same claims; answer and bounds are shared."""
        return Trial(subject, self.problem, self.shared, recipe=self.recipe, example=self.example)

    def where(self, call: Invocation, outcome: Outcome) -> Trial:
        """This trial, with an outcome of a call that has been made already."""
        returned = outcome.fate is None
        self._outcomes[call.key] = call, outcome if returned else LostError((call,), outcome)
        return self

    def outcome(self, call: Invocation) -> Outcome:
        """The outcome of a call, which is made only once; raises LostError if it does not return."""
        key = call.key
        if key not in self._outcomes:
            self._outcomes[key] = call, self._performed(call)
        _, outcome = self._outcomes[key]
        if isinstance(outcome, LostError):
            raise outcome
        return outcome

    def _performed(self, call: Invocation) -> Outcome | LostError:
        try:
            return self.subject.caller.perform(call)
        except LostError as lost:
            return lost

    def compare(
        self,
        quantity: str,
        observed: npt.NDArray[Any],
        exact: Exact,
        bound: npt.ArrayLike,
        *,
        call: Invocation | None = None,
        **details: Any,
    ) -> Compared:
        """A result compared with the exact answer, see ``findings.compare``; by default of the function form."""
        call = forward(self.problem) if call is None else call
        return compare(quantity, observed, exact, bound, self.problem.format, call=call, **details)

    def loss(self, call: Invocation | None = None) -> F64Array:
        """The loss of a call, by default of the function form: (rows,) for none, else ()."""
        call = forward(self.problem) if call is None else call
        loss = self._array(call, "loss", self.loss_shape())
        return loss.reshape(-1) if self.problem.reduction == "none" else loss

    def gradients(self, call: Invocation | None = None) -> Gradients:
        """Loss and gradients of a vjp, by default that of the function form."""
        call = backward(self.problem) if call is None else call
        loss, logits = self.loss(call), self._rows(call, "grad_logits")
        given = "grad_target" in self.outcome(call).arrays
        return Gradients(loss, logits, self._rows(call, "grad_target") if given else None)

    def gradient_as_returned(self, name: str) -> AnyArray | None:
        """A gradient of the function form by row, (rows, C), in its own dtype; None if there is none."""
        call = backward(self.problem)
        self.loss(call)
        self._returned(call, "grad_logits", self.problem.logits.shape)
        if name not in self.outcome(call).arrays:
            return None
        return by_row(self._returned(call, name, self.problem.logits.shape), self.problem.class_axis)

    def primitive(self, name: str) -> F64Array:
        """Softmax or log_softmax, (rows, C)."""
        return self._rows(primitive(name, self.problem.logits), name)

    def of_rows(self, call: Invocation) -> F64Array:
        """The result of a call with one number for each row, (rows,)."""
        return self._array(call, call.results[0], self.problem.row_shape).reshape(-1)

    def primitive_gradient(self, call: Invocation) -> F64Array:
        """The gradient of a function of the logits, (rows, C)."""
        return self._rows(call, "grad_logits")

    @cached_property
    def nll_call(self) -> Invocation:
        """The call of nll_loss on the result of the backend's own log_softmax, unchanged.

        For a backend without one it is called with the exact log-probabilities, rounded to the dtype of the logits. The
        bound of the loss includes that of log_softmax, which allows for the rounding.
        """
        if not self.subject.has("log_softmax"):
            exact = from_rows(self.answer.log_softmax.value, self.problem.logits, self.problem.class_axis)
            return nll_loss(exact.astype(self.problem.logits.dtype), self.problem)
        self.primitive("log_softmax")
        outcome = self.outcome(primitive("log_softmax", self.problem.logits))
        return nll_loss(outcome.arrays["log_softmax"], self.problem)

    def hessian_times(self, vector: AnyArray) -> F64Array:
        """Second derivative times a vector of the logits' shape, (rows, C)."""
        return self._rows(second_order(vector, self.problem), "product")

    def linear_loss(self, factors: Factors) -> F64Array:
        """The loss with a linear map fused in, as ``loss``."""
        return self.loss(linear(factors, self.problem))

    def linear_gradients(self, factors: Factors) -> dict[str, F64Array]:
        """Gradients of a fused linear map by name, each (rows, columns); that of the bias, if any, is (C, 1)."""
        call = linear_backward(factors, self.problem)
        self.loss(call)
        gradients = {}
        for name, factor in factors._asdict().items():
            if factor is not None:
                array = self._array(call, f"grad_{name}", factor.shape)
                gradients[f"grad_{name}"] = array.reshape(len(array), -1)
        return gradients

    def loss_shape(self) -> tuple[int, ...]:
        """The shape that the loss must have."""
        return self.problem.row_shape if self.problem.reduction == "none" else ()

    def _rows(self, call: Invocation, name: str) -> F64Array:
        array = self._array(call, name, self.problem.logits.shape)
        return np.asarray(by_row(array, self.problem.class_axis), dtype=np.float64)

    def _array(self, call: Invocation, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        return as_float64(self._returned(call, name, shape))

    def _returned(self, call: Invocation, name: str, shape: tuple[int, ...]) -> AnyArray:
        outcome = self.outcome(call)
        spoiled = spoiling(outcome, name, call, self.problem)
        if spoiled is not None:
            raise SpoiledError(spoiled)
        array = outcome.arrays[name]
        if array.shape != shape:
            got, expected = str(array.shape), str(shape)
            form = WrongForm(quantity=name, calls=(call,), problem=self.problem, got=got, expected=expected)
            raise SpoiledError(form)
        return array


def _same_softmax(first: Problem, second: Problem) -> bool:
    return first.logits is second.logits and first.logit_map == second.logit_map


def spoiling(outcome: Outcome, name: str, call: Invocation, problem: Problem) -> Finding | None:
    """The finding that explains why an outcome lacks a result; None if it has it."""
    about: dict[str, Any] = {"calls": (call,), "problem": problem}
    if outcome.raised is not None:
        return Raised.by(name, call, outcome, problem)
    if outcome.malformed is not None:
        return NoResult(quantity=name, how=outcome.malformed, **about)
    if outcome.strayed:
        return StrayWrite(names=outcome.strayed, **about)
    return None if name in outcome.arrays else Missing(quantity=name, **about)
