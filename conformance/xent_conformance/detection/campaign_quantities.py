"""The quantities of a false-alarm campaign: each is a result that is compared with the exact one and its bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from xent_conformance.calling.calls import Invocation, backward, forward, primitive, second_order
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import (
    CROSS_ENTROPY,
    GRADIENT,
    LOG_SOFTMAX,
    PROBABILITY_TARGETS,
    SECOND_ORDER,
    SOFTMAX,
    Need,
)
from xent_conformance.judging.trial import SpoiledError, Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import REDUCTIONS, AnyArray, from_rows
from xent_conformance.requirements.checks import product_bound

#: Names in the order of the tables.
QUANTITIES = (
    *("log_softmax", "softmax", "loss none", "loss sum", "loss mean"),
    *("grad_logits", "grad_target", "hessian"),
)
_LABELS = "dtypes.index-dtypes-accepted"
#: The requirements whose known deviations excuse a quantity: those that judge it on the streams of a campaign.
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (f"loss {reduction}" for reduction in REDUCTIONS),
        ("accuracy.loss", "accuracy.any-size", "extremes.loss", "dtypes.mixed", _LABELS),
    ),
    "log_softmax": ("accuracy.log-softmax",),
    "softmax": ("accuracy.softmax",),
    "grad_logits": ("gradients.logits", "gradients.any-size", "extremes.gradient", "dtypes.mixed-gradient", _LABELS),
    "grad_target": ("gradients.probability-targets", "gradients.any-size", "dtypes.mixed-gradient"),
    "hessian": ("gradients.second-order", _LABELS),
}


class Compared(NamedTuple):
    """The finding for a quantity, and the number of elements with a finite answer and bound."""

    quantity: str
    finding: Finding
    elements: int


def compared(trial: Trial) -> Iterator[Compared]:
    """Every quantity of a problem that the backend claims."""

    def has(need: Need) -> bool:
        return need.met_by(trial.subject)

    plain = not trial.problem.extras
    for need in (LOG_SOFTMAX, SOFTMAX) if plain and not trial.problem.ignored().any() else ():
        if has(need):
            yield _one(trial, need.name, _primitive)
    if not has(CROSS_ENTROPY):
        return
    yield _one(trial, f"loss {trial.problem.reduction}", _loss)
    if has(GRADIENT):
        yield _one(trial, "grad_logits", _grad_logits)
        if trial.problem.has_probabilities and has(PROBABILITY_TARGETS):
            yield _one(trial, "grad_target", _grad_target)
    if plain and has(SECOND_ORDER):
        yield _one(trial, "hessian", _hessian)


class Sides(NamedTuple):
    """A result of a call, the exact one, its bound, and further arguments of ``compare``."""

    call: Invocation
    observed: AnyArray
    exact: Exact
    bound: Any
    excuses: Mapping[str, Any]


def _one(trial: Trial, quantity: str, sides: Callable[[Trial, str], Sides]) -> Compared:
    with np.errstate(all="ignore"):
        try:
            call, observed, exact, bound, excuses = sides(trial, quantity)
        except SpoiledError as spoiled:
            return Compared(quantity, spoiled.finding, 1)
        judged = np.isfinite(exact.value) & np.isfinite(np.broadcast_to(bound, exact.value.shape))
        finding = trial.compare(quantity, observed, exact, bound, call=call, **excuses)
    return Compared(quantity, finding, int(judged.sum()))


def _primitive(trial: Trial, name: str) -> Sides:
    call = primitive(name, trial.problem.logits)
    return Sides(call, trial.primitive(name), getattr(trial.answer, name), getattr(trial.bounds, name), {})


def _loss(trial: Trial, _: str) -> Sides:
    bounds = trial.bounds
    return Sides(forward(trial.problem), trial.loss(), trial.answer.loss, bounds.loss, bounds.loss_excuses)


def _grad_logits(trial: Trial, _: str) -> Sides:
    observed = trial.gradients().logits
    return Sides(backward(trial.problem), observed, trial.answer.grad_logits, trial.bounds.grad_logits, {})


def _grad_target(trial: Trial, _: str) -> Sides:
    exact, observed, call = trial.answer.grad_target, trial.gradients().target, backward(trial.problem)
    if observed is None:  # not every library differentiates targets
        return Sides(call, exact.value, exact, np.inf, {})
    return Sides(call, observed, exact, trial.bounds.grad_target, trial.bounds.grad_target_excuses)


def _hessian(trial: Trial, _: str) -> Sides:
    problem = trial.problem
    v = np.resize(np.array([1.0, -0.5, 0.25, -2.0, 0.0, 1.5, 0.75]), (problem.rows, problem.classes))
    vector = from_rows(v, problem.logits, problem.class_axis).astype(problem.logits.dtype)
    call, exact = second_order(vector, problem), trial.answer.hessian_times(v)
    return Sides(call, trial.hessian_times(vector), exact, product_bound(trial, v), {})
