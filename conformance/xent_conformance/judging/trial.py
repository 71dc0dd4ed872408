"""A trial: one problem on one subject. Answer, bounds and outcomes are computed once and shared by requirements."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import Bounds
from xent_conformance.calling.calls import Factors, LostError, Outcome, as_float64
from xent_conformance.judging.judge import Finding, broken
from xent_conformance.judging.subject import Subject
from xent_conformance.oracle import Answer
from xent_conformance.precision import Precision
from xent_conformance.problem import AnyArray, F64Array, Problem, by_row


class SpoiledError(Exception):
    """A call whose result cannot be judged any further; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        """Carries the finding to the judge."""
        super().__init__(finding.message)
        self.finding = finding


class Gradients:
    """The result of a vjp by row: loss as in the answer, gradients (rows, C), None where there is none."""

    def __init__(self, loss: F64Array, logits: F64Array, target: F64Array | None) -> None:
        """Holds the arrays."""
        self.loss = loss
        self.logits = logits
        self.target = target


class Trial:
    """What requirements judge. Accessors raise SpoiledError where the backend gave no result of the right form."""

    def __init__(self, subject: Subject, problem: Problem, shared: dict[Any, Any] | None = None) -> None:
        """Nothing is computed or called yet. ``shared`` keeps answer and bounds for other trials of this problem."""
        self.subject = subject
        self.problem = problem
        self.shared: dict[Any, Any] = {} if shared is None else shared
        self._outcomes: dict[Any, Outcome | LostError] = {}
        # An argument that was let go of would leave its identity to the next one.
        self._held: list[Any] = []

    @cached_property
    def answer(self) -> Answer:
        """The exact answer."""
        conventions = self.subject.conventions
        key = tuple(conventions.choices().values())
        if key not in self.shared:
            self.shared[key] = Answer(self.problem, conventions)
        found: Answer = self.shared[key]
        return found

    @property
    def bounds(self) -> Bounds:
        """Bounds of what the subject MUST meet."""
        return self.bounds_under(self.subject.precision)

    def bounds_under(self, precision: Precision) -> Bounds:
        """Bounds of another precision."""
        key = (precision, id(self.answer))
        if key not in self.shared:
            self.shared[key] = Bounds(self.answer, precision)
        found: Bounds = self.shared[key]
        return found

    def related(self, problem: Problem) -> Trial:
        """A trial of another problem on the same subject."""
        return Trial(self.subject, problem)

    def outcome(self, method: str, *args: Any, **variation: Any) -> Outcome:
        """Outcome of a method of the caller, called once for each variation; LostError where it does not come back."""
        key = self.key(method, *args, **variation)
        if key not in self._outcomes:
            self._held.append(args)
            try:
                self._outcomes[key] = getattr(self.subject.caller, method)(*args, **variation)
            except LostError as lost:
                self._outcomes[key] = lost
        found = self._outcomes[key]
        if isinstance(found, LostError):
            raise found
        return found

    @staticmethod
    def key(method: str, *args: Any, **variation: Any) -> Any:
        """What an outcome is kept under: its arguments are told apart by identity."""
        return method, tuple(id(a) for a in args), tuple(sorted(variation.items()))

    def loss(self, method: str = "cross_entropy") -> F64Array:
        """The call's value: (rows,) for none, else ()."""
        return self._loss_of(self.outcome(method, self.problem), method)

    def gradients(self, method: str = "vjp", **variation: Any) -> Gradients:
        """Loss and gradients of a vjp."""
        outcome = self.outcome(method, self.problem, **variation)
        call = "cross_entropy_layer_vjp" if method == "layer_vjp" else "cross_entropy_vjp"
        loss = self._loss_of(outcome, call)
        target = outcome.arrays.get("grad_target")
        return Gradients(
            loss,
            self._rows_of(outcome, "grad_logits", call),
            None if target is None else self._rows_of(outcome, "grad_target", call),
        )

    def primitive(self, name: str) -> F64Array:
        """Softmax or log_softmax, (rows, C)."""
        return self._rows_of(self.outcome("primitive", name, self.problem.logits), name, name)

    def raw_log_softmax(self) -> AnyArray:
        """log_softmax exactly as the backend returned it, to be handed to its nll_loss."""
        self.primitive("log_softmax")
        return self.outcome("primitive", "log_softmax", self.problem.logits).arrays["log_softmax"]

    def nll_of_log_softmax(self) -> F64Array:
        """nll_loss of the backend's own log_softmax, as ``loss``."""
        outcome = self.outcome("nll_loss", self.raw_log_softmax(), self.problem)
        return self._loss_of(outcome, "nll_loss")

    def hessian_times(self, vector: AnyArray) -> F64Array:
        """Second derivative times a vector of the logits' shape, (rows, C)."""
        return self._rows_of(self.outcome("hvp", vector, self.problem), "product", "cross_entropy_hvp")

    def linear_loss(self, factors: Factors) -> F64Array:
        """The loss with a linear map fused in, as ``loss``."""
        return self._loss_of(self.outcome("linear", factors, self.problem), "linear_cross_entropy")

    def linear_gradients(self, factors: Factors) -> dict[str, F64Array]:
        """Gradients of a fused linear map by name, each (rows, columns): of the bias (C, 1), if there is one."""
        outcome, call = self.outcome("linear_vjp", factors, self.problem), "linear_cross_entropy_vjp"
        self._loss_of(outcome, call)
        found = {}
        for name, factor in factors._asdict().items():
            if factor is not None:
                array = self._array(outcome, f"grad_{name}", call, factor.shape)
                found[f"grad_{name}"] = array.reshape(len(array), -1)
        return found

    def loss_shape(self) -> tuple[int, ...]:
        """Shape that the loss must have."""
        return self.problem.row_shape if self.problem.reduction == "none" else ()

    def _loss_of(self, outcome: Outcome, call: str) -> F64Array:
        call = {"layer": "cross_entropy_layer"}.get(call, call)
        loss = self._array(outcome, "loss", call, self.loss_shape())
        return loss.reshape(-1) if self.problem.reduction == "none" else loss

    def _rows_of(self, outcome: Outcome, name: str, call: str) -> F64Array:
        array = self._array(outcome, name, call, self.problem.logits.shape)
        return np.asarray(by_row(array, self.problem.class_axis), dtype=np.float64)

    def _array(self, outcome: Outcome, name: str, call: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        if outcome.trouble is not None:
            raise SpoiledError(broken(name, f"{call} {outcome.trouble}", call=call, got=outcome.trouble))
        if name not in outcome.arrays:
            raise SpoiledError(broken(name, f"{call} returned no {name}", call=call))
        array = outcome.arrays[name]
        if array.shape != shape:
            message = f"{call} returned {name} of shape {array.shape}, expected {shape}"
            raise SpoiledError(broken(name, message, call=call, got=str(array.shape), expected=str(shape)))
        return as_float64(array)
