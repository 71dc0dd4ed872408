"""The loss of a linear map where a hidden state is nan, and its effect on other rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calling.calls import Factors, linear, linear_backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import FUSED_LINEAR, LINEAR_GRADIENT
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import nan_or_zero
from xent_conformance.requirements.factors import factors_of
from xent_conformance.requirements.linear_products import exact_enough, exact_grad_hidden
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.spoiled_rows import LEAKS, row_to_spoil
from xent_conformance.strategies.language_models import LINEAR


def _spoiled(problem: Problem) -> tuple[Factors, Factors, int] | None:
    """Factors of the logits, the same with a nan in one hidden state, and its row; None as for ``row_to_spoil``."""
    row, factors = row_to_spoil(problem), factors_of(problem, bias=False)
    if row is None or factors is None:
        return None
    hidden = factors.hidden.copy()
    # The last feature: products of bfloat16 matrices by oneDNN read the first ones of the next row, times zero, and are
    # nan for a nan there (uxlfoundation/oneDNN#5717). That is no fault of a loss that calls them; one in a kernel's own
    # product reads nan behind the last row.
    hidden[row, -1] = np.nan
    return factors, factors._replace(hidden=hidden), row


@requirement(
    "fused_linear.nan",
    "a hidden state of nan makes the loss of its row nan, and no other",
    source=LINEAR,
    needs=[FUSED_LINEAR],
    references=LEAKS,
)
def test_a_hidden_state_of_nan_makes_the_loss_of_its_row_nan(trial: Trial) -> Iterator[Finding]:
    """A nan in the hidden state of a row makes its loss nan, and so the sum and the mean: never a plausible number. The
    losses of all other rows are within their bounds.
    """
    spoiled = _spoiled(trial.problem)
    if spoiled is None:
        return
    _, factors, row = spoiled
    loss, call = trial.linear_loss(factors), linear(factors, trial.problem)
    own = np.where(np.arange(loss.size) == row, loss, np.nan) if loss.ndim else loss
    yield nan_or_zero("loss", own, "nan", call, "a hidden state is nan")
    if loss.ndim:
        exact, bounds = trial.answer.loss, trial.bounds
        others = np.where(np.arange(loss.size) == row, exact.value.astype(np.float64), loss)
        yield trial.compare("loss", others, exact, bounds.loss, call=call, **bounds.loss_excuses)


@requirement(
    "fused_linear.nan-gradient",
    "a hidden state of nan changes no gradient of another one",
    source=LINEAR,
    needs=[FUSED_LINEAR, LINEAR_GRADIENT],
    references=LEAKS,
)
def test_a_hidden_state_of_nan_changes_no_gradient_of_another_one(trial: Trial) -> Iterator[Finding]:
    """A nan in the hidden state of a row leaves the gradients of all other hidden states within their bounds, in every
    reduction. The gradients of weight and bias, which are sums over the rows, are not judged.
    """
    spoiled = _spoiled(trial.problem)
    if spoiled is not None and exact_enough(trial) and np.isfinite(trial.answer.grad_logits.value).all():
        ordinary, factors, row = spoiled
        exact, bound = exact_grad_hidden(trial, ordinary)
        gradient = trial.linear_gradients(factors)["grad_hidden"].copy()
        gradient[row] = exact.value[row]
        yield trial.compare("grad_hidden", gradient, exact, bound, call=linear_backward(factors, trial.problem))
