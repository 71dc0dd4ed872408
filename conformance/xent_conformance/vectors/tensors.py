"""One problem as tensors: its inputs, and for each result the exact value, its bound, and what else is correct.

For a result R in the shape that the call returns it in: ``R.exact`` and ``R.bound`` in float64; ``R.rest`` where the
exact value is the unevaluated sum of ``R.exact`` and it; ``R.also`` where infinity (1) or nan (2) is correct as well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.oracle import Answer, Exact
from xent_conformance.precision import Precision
from xent_conformance.problem import AnyArray, F64Array, Problem, from_rows

#: What may stand in place of a value: infinity of its sign, or of any where it is zero; nan. Their sum: both.
INFINITY, NAN = 1, 2


def tensors_of(problem: Problem, conventions: Conventions, precision: Precision) -> dict[str, AnyArray]:
    """Tensors by name, all in C order."""
    answer = Answer(problem, conventions)
    bounds = Bounds(answer, precision)
    with np.errstate(all="ignore"):  # overflow and nan are what many problems are about
        found = {
            **problem.arrays(),
            **_result("loss", problem, answer.loss, _judged_loss(bounds), bounds.overflows, bounds.undefined),
            **_result("grad_logits", problem, answer.grad_logits, bounds.grad_logits),
        }
        if problem.has_probabilities:
            excuses = bounds.grad_target_overflows, bounds.grad_target_undefined
            found |= _result("grad_target", problem, answer.grad_target, bounds.grad_target, *excuses)
    return {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in found.items()}


def _judged_loss(bounds: Bounds) -> F64Array:
    """The bound of the loss, infinite where a row that counts has no softmax because of infinities: see SPEC, 4.2.

    What becomes of such a row is observed, not judged; a nan among its logits makes its loss nan all the same.
    """
    problem = bounds.problem
    x = problem.logits_by_row()
    infinite = (np.isposinf(x).any(axis=1) | np.isneginf(x).all(axis=1)) & ~problem.ignored()
    return np.where(infinite if problem.reduction == "none" else infinite.any(), np.inf, bounds.loss)


def _result(
    name: str,
    problem: Problem,
    exact: Exact,
    bound: F64Array,
    overflows: npt.ArrayLike = 0,
    undefined: npt.ArrayLike = 0,
) -> dict[str, AnyArray]:
    """The tensors of a result, of arrays by row; ``overflows`` and ``undefined`` as ``findings.compare`` has them."""
    value = exact.value
    # A bound that is no number judges nothing, as an infinite one.
    tolerance = np.nan_to_num(np.broadcast_to(bound, value.shape), nan=np.inf, posinf=np.inf)
    beyond = np.asarray(overflows, dtype=bool) | (np.abs(value) + tolerance >= problem.format.max_finite)
    also = INFINITY * (np.isfinite(value) & beyond) + NAN * np.broadcast_to(
        np.asarray(undefined, dtype=bool), value.shape
    )
    rest = np.where(np.isfinite(value), np.broadcast_to(exact.residual, value.shape), 0.0)
    found: dict[str, AnyArray] = {"exact": value, "bound": tolerance}
    if rest.any():
        found["rest"] = rest
    if also.any():
        found["also"] = also.astype(np.uint8)
    return {f"{name}.{part}": _as_returned(array, name, problem) for part, array in found.items()}


def _as_returned(array: AnyArray, name: str, problem: Problem) -> AnyArray:
    """A result by row in the shape that the call returns it in."""
    if name != "loss":
        return from_rows(array, problem.logits, problem.class_axis)
    return array.reshape(problem.row_shape if problem.reduction == "none" else ())
