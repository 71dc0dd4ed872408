"""One problem as tensors: its inputs, and for each result the exact value, its bound, and other correct values.

A result R, in the shape in which the call returns it, has ``R.exact`` and ``R.bound`` in float64. It has ``R.rest`` if
the exact value is ``R.exact + R.rest``, which need not be a float64, and ``R.also`` if infinity (1), nan (2) or both
(3) are correct as well for some elements.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.oracle import Answer, Exact
from xent_conformance.precision import Precision
from xent_conformance.problem import AnyArray, F64Array, Problem, from_rows

#: Flags of ``R.also``: infinity of the exact value's sign, or of any sign if that is zero; nan.
INFINITY, NAN = 1, 2


def tensors_of(problem: Problem, conventions: Conventions, precision: Precision) -> dict[str, AnyArray]:
    """The tensors of a problem by name, all in C order."""
    answer = Answer(problem, conventions)
    bounds = Bounds(answer, precision)
    with np.errstate(all="ignore"):  # many problems overflow or contain nan on purpose
        tensors = {
            **problem.arrays(),
            **_result("loss", problem, answer.loss, _judged_loss(bounds), bounds.overflows, bounds.undefined),
            **_result("grad_logits", problem, answer.grad_logits, bounds.grad_logits),
        }
        if problem.has_probabilities:
            excuses = bounds.grad_target_overflows, bounds.grad_target_undefined
            tensors |= _result("grad_target", problem, answer.grad_target, bounds.grad_target, *excuses)
    return {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in tensors.items()}


def _judged_loss(bounds: Bounds) -> F64Array:
    """The bound of the loss; infinite where a row that is not ignored has no softmax because of infinite logits.

    SPEC, section 4.2: the loss of such a row is observed, not judged.
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
    """The tensors of a result.

    Args:
        name: "loss", "grad_logits" or "grad_target".
        problem: The problem.
        exact: The exact result, by row.
        bound: Its bound, by row.
        overflows: Mask of elements for which infinity is correct as well.
        undefined: Mask of elements for which nan is correct as well.
    """
    value = exact.value
    # A bound of nan, like an infinite one, allows any value.
    tolerance = np.nan_to_num(np.broadcast_to(bound, value.shape), nan=np.inf, posinf=np.inf)
    beyond = np.asarray(overflows, dtype=bool) | (np.abs(value) + tolerance >= problem.format.max_finite)
    also = INFINITY * (np.isfinite(value) & beyond) + NAN * np.broadcast_to(
        np.asarray(undefined, dtype=bool), value.shape
    )
    rest = np.where(np.isfinite(value), np.broadcast_to(exact.residual, value.shape), 0.0)
    parts: dict[str, AnyArray] = {"exact": value, "bound": tolerance}
    if rest.any():
        parts["rest"] = rest
    if also.any():
        parts["also"] = also.astype(np.uint8)
    return {f"{name}.{part}": _as_returned(array, name, problem) for part, array in parts.items()}


def _as_returned(array: AnyArray, name: str, problem: Problem) -> AnyArray:
    """A result by row in the shape in which the call returns it."""
    if name != "loss":
        return from_rows(array, problem.logits, problem.class_axis)
    return array.reshape(problem.row_shape if problem.reduction == "none" else ())
