"""How gradients depend on the cotangent, and on whether the logits are a leaf of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calling.calls import backward
from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import F64Array, Problem, array_of
from xent_conformance.requirements.agreement import gradient_of, gradients_agree
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import ROWS, cotangent_for
from xent_conformance.strategies.situations import COTANGENTS

_VECTOR = [
    "https://github.com/linkedin/Liger-Kernel/pull/680",
    "https://github.com/linkedin/Liger-Kernel/issues/968",
    "https://github.com/linkedin/Liger-Kernel/pull/1298",
]


def _with_cotangent(problem: Problem, values: F64Array) -> Problem:
    shape = problem.row_shape if problem.reduction == "none" else ()
    return problem.with_(cotangent=array_of(np.reshape(values, shape), problem.dtype))


@requirement(
    "gradients.zero-cotangent",
    "a cotangent of zero gives a gradient of zero",
    source=COTANGENTS,
    needs=[GRADIENT],
    references=[*_VECTOR, "https://github.com/pytorch/pytorch/pull/94226"],
)
def test_a_cotangent_of_zero_gives_a_gradient_of_zero(trial: Trial) -> Iterator[Finding]:
    """If the cotangent of a row is zero, its gradient is exactly zero, whatever the cotangents of the other rows; if a
    single cotangent for all rows is zero, all gradients are.
    """
    problem = trial.problem
    silent = np.broadcast_to(problem.cotangents() == 0, (problem.rows,))
    if not silent.any():
        return
    exact = trial.answer.grad_logits.value
    defined = silent[:, None] & np.isfinite(exact) & np.isfinite(trial.bounds.grad_logits)
    observed = np.where(defined, trial.gradients().logits, 0.0)
    if defined.any():
        zero = np.zeros(observed.shape)
        yield trial.compare("grad_logits", observed, Exact(zero), zero, call=backward(problem))


@requirement(
    "gradients.linear-in-cotangent",
    "gradients are linear in the cotangent",
    source=COTANGENTS,
    needs=[GRADIENT],
    references=[*_VECTOR, "https://github.com/pytorch/pytorch/pull/94226"],
)
def test_gradients_are_linear_in_the_cotangent(trial: Trial) -> Iterator[Finding]:
    """The gradient for the cotangent g is twice that for (g + h) / 2 minus that for h, and half that for 2 g, within
    the sum of their bounds.

    g and h are small multiples of 1/4, so no format rounds them, their mean or their double. A gradient that does not
    depend on the cotangent has the first property and not the second.
    """
    problem = trial.problem
    given = problem.cotangents()
    other = cotangent_for(problem.row_shape, problem.reduction, problem.dtype).astype(np.float64).reshape(given.shape)
    between = (given + other) / 2
    if not np.array_equal(rounded(between, problem.dtype), between):
        return
    halfway = trial.related(_with_cotangent(problem, between))
    alone = trial.related(_with_cotangent(problem, other))
    expected = gradient_of(halfway).times(2.0) + gradient_of(alone).times(-1.0)
    yield gradients_agree(trial, gradient_of(trial), expected, "by linearity from two other cotangents")
    doubled = gradient_of(trial.related(_with_cotangent(problem, 2 * given)))
    yield gradients_agree(trial, gradient_of(trial), doubled.times(0.5), "as half of that for twice the cotangent")


def _behind_zero_strides(problem: Problem) -> Iterable[Problem]:
    """The losses of the rows with one cotangent for all of them, as it arrives from their sum."""
    if problem.rows > 1:
        number = array_of(-1.75, problem.dtype)
        yield problem.with_(reduction="none", cotangent=np.broadcast_to(number, problem.row_shape))


@requirement(
    "gradients.expanded-cotangent",
    "an expanded cotangent acts as a dense one",
    source=COTANGENTS,
    derive=_behind_zero_strides,
    needs=[GRADIENT, ROWS],
    references=["https://github.com/ROCm/TransformerEngine/pull/623", "https://github.com/Dao-AILab/quack/pull/126"],
)
def test_an_expanded_cotangent_is_a_dense_one(trial: Trial) -> Iterator[Finding]:
    """A cotangent with strides of zero, as it arrives from a sum over the losses, gives the same gradient as the same
    numbers in contiguous memory.
    """
    problem = trial.problem
    cotangent = problem.cotangent
    if cotangent is None or problem.rows < 2 or any(cotangent.strides):  # noqa: PLR2004 - one row has no stride
        return
    dense = trial.laid_out(problem.with_(cotangent=np.array(cotangent, copy=True, order="C")))
    yield gradients_agree(trial, gradient_of(trial), gradient_of(dense), "with the cotangent in memory of its own")


@requirement(
    "gradients.inside-a-graph",
    "logits that are not a leaf get the same gradient",
    source=COTANGENTS,
    needs=[GRADIENT],
    references=[
        "https://github.com/linkedin/Liger-Kernel/pull/1251",
        "https://github.com/NVIDIA/Megatron-LM/pull/1594",
        "https://github.com/modelscope/ms-swift/issues/10129",
    ],
)
def test_logits_that_are_no_leaf_get_the_same_gradient(trial: Trial) -> Iterator[Finding]:
    """Logits computed from others, x = 2 (x / 2), get the same gradient as logits that are a leaf of the graph."""
    problem = trial.problem
    x = problem.logits_by_row()
    half = rounded(x / 2, problem.dtype)
    if not np.array_equal(2 * half, x, equal_nan=True):
        return
    gradient = gradient_of(trial, backward(problem, upstream="scaled"))
    yield gradients_agree(trial, gradient, gradient_of(trial), "as a leaf of the graph")


@requirement(
    "gradients.two-graphs",
    "the gradient where other losses are computed before backward",
    source=COTANGENTS,
    needs=[GRADIENT],
    references=["https://docs.pytorch.org/docs/stable/notes/extending.html"],
)
def test_a_loss_that_is_computed_before_backward_does_not_change_the_gradient(trial: Trial) -> Iterator[Finding]:
    """The gradient of a loss is the same if other losses are computed between that loss and its backward pass: of the
    same logits with another target, and of other logits of the same shape.
    """
    alone = gradient_of(trial)
    # A call that overwrites its logits leaves none of which there could be another loss.
    overwritten = "logits" in trial.outcome(backward(trial.problem)).changed
    for upstream in ("interleaved",) if overwritten else ("interleaved", "shared"):
        gradient = gradient_of(trial, backward(trial.problem, upstream=upstream))
        yield gradients_agree(trial, gradient, alone, "without another loss before backward")
