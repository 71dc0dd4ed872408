"""Problems with their reference, and how far a value of the oracle is from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property

import numpy as np

from truth.reference import MOST, Reference, Row, digits
from xent_conformance.conventions import Conventions
from xent_conformance.oracle import Answer, Exact
from xent_conformance.problem import Problem
from xent_conformance.strategies import EVERYTHING
from xent_conformance.strategies.menu import SHAPES
from xent_conformance.strategies.streams import Draw, Stream, recipes_of

SMALL = Stream("oracle tests", only={"shape": {k: SHAPES[k] for k in ("small", "unbatched", "spatial")}})
#: In turn, so that every choice that the oracle knows is met.
CONVENTIONS = (
    Conventions(),
    Conventions(mean_divisor="valid_rows", smoothing_mass="other_classes"),
    Conventions(
        mean_divisor="all_rows",
        probability_divisor="weighted",
        smoothing_weight="per_target",
        zero_times_infinity="zero",
        all_ignored_loss="zero",
        zero_weight_loss="zero",
    ),
    Conventions(zero_times_infinity="zero"),
)
#: Below it the second number of a pair is lost to underflow, and with it the digits that the pair has beyond float64.
SMALLEST = Decimal("1e-290")

Rows = list[Row]


@dataclass(frozen=True, eq=False)
class Case:
    """A problem, conventions, and its exact answer."""

    problem: Problem
    conventions: Conventions
    reference: Reference

    @cached_property
    def exact(self) -> dict[str, tuple[Rows, Rows]]:
        """Quantity to its exact values and the sizes their errors are relative to, of those that are defined."""
        reference = self.reference
        found: dict[str, tuple[Rows, Rows]] = {"loss": tuple([part] for part in reference.loss())}
        if all(row is not None for row in reference.rows):
            found |= {"log_softmax": reference.log_softmax(), "softmax": reference.softmax()}
        if reference.divisor:
            found |= {"grad_logits": reference.grad_logits(), "hessian": reference.hessian_times(self.vector.tolist())}
            # Over the other classes the gradient of targets depends on how they are kept normalised.
            if self.problem.has_probabilities and self.conventions.smoothing_mass == "all_classes":
                found["grad_target"] = reference.grad_target()
        return found

    @property
    def vector(self) -> np.ndarray:
        """A vector (rows, C) for the second derivative."""
        return np.resize([1.0, -0.5, 0.25, -2.0, 0.0, 1.5, 0.75], (self.problem.rows, self.problem.classes))

    def errors(self, answer: Answer) -> Iterator[tuple[str, float]]:
        """Quantity and the largest error of an answer in units of its size; infinite for a wrong inf or nan."""
        for quantity, (values, sizes) in self.exact.items():
            exact = answer.hessian_times(self.vector) if quantity == "hessian" else getattr(answer, quantity)
            yield quantity, error(exact, values, sizes)


@cache
def cases(dtype: str, count: int = 80) -> list[Case]:
    """Drawn problems of few elements whose rows all have a softmax."""
    found = []
    for number, recipe in enumerate(recipes_of(SMALL, dtype, Draw(5, count))):
        problem, conventions = recipe.build(dtype, EVERYTHING), CONVENTIONS[number % len(CONVENTIONS)]
        reference = Reference(problem, conventions)
        if reference.defined:
            found.append(Case(problem, conventions, reference))
    return found


def error(exact: Exact, values: list[Row], sizes: list[Row]) -> float:
    """The largest error of the elements, relative to their sizes."""
    high = np.asarray(exact.value)
    low = np.broadcast_to(exact.residual, high.shape).reshape(-1).tolist()
    expected, scale = ([v for row in rows for v in row] for rows in (values, sizes))
    largest = 0.0
    with digits(MOST):
        for h, r, v, s in zip(high.reshape(-1).tolist(), low, expected, scale, strict=True):
            if v.is_finite() and np.isfinite(h):
                gap = abs(Decimal(h) + Decimal(r) - v)
                largest = max(largest, float(gap / max(s, SMALLEST)))
            elif not (Decimal(h) == v or (v.is_nan() and np.isnan(h))):
                return float("inf")
    return largest
