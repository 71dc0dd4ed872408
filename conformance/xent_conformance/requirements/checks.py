"""Comparisons of a trial's results with their exact answers, for requirements of several families."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from xent_conformance.bounds import Bounds
from xent_conformance.calling.calls import (
    Invocation,
    Outcome,
    as_float64,
    backward,
    forward,
    primitive,
    primitive_backward,
    second_order,
)
from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Accepted, Compared, Finding, Held, WrongConvention, WrongForm
from xent_conformance.judging.findings.numbers import TELLING, worst_of
from xent_conformance.judging.subject import (
    CROSS_ENTROPY,
    GRADIENT,
    LOG_SOFTMAX,
    NLL_LOSS,
)
from xent_conformance.judging.trial import Trial, spoiling
from xent_conformance.oracle import Exact
from xent_conformance.precision import RECOMMENDED, Precision
from xent_conformance.problem import AnyArray, F64Array, Problem, from_rows
from xent_conformance.requirements.agreement import SMALLEST_EFFECT, effect_of
from xent_conformance.requirements.functions import ELEMENTWISE, function_finding


def loss_finding(trial: Trial, precision: Precision | None = None, quantity: str = "loss") -> Finding:
    """The loss compared with the exact one and the bound of a precision: by default that which a backend MUST meet."""
    bounds = trial.bounds if precision is None else trial.bounds_under(precision)
    observed, bound = trial.loss(), bounds.loss
    return trial.compare(quantity, observed, trial.answer.loss, bound, **bounds.loss_excuses)


def gradient_finding(trial: Trial, precision: Precision | None = None, quantity: str = "grad_logits") -> Finding:
    """The gradient of the logits compared with the exact one and the bound of a precision as in ``loss_finding``."""
    bounds = trial.bounds if precision is None else trial.bounds_under(precision)
    if trial.answer.blocks:
        found = _gradient_in_blocks(trial, bounds, "grad_logits", quantity)
        assert found is not None
        return found
    exact, observed, call = trial.answer.grad_logits, trial.gradients().logits, backward(trial.problem)
    return trial.compare(
        quantity,
        observed,
        exact,
        bounds.grad_logits,
        effect=effect_of(exact.value),
        call=call,
        result="grad_logits",
    )


def as_in_float32(trial: Trial, finding: Callable[..., Finding]) -> Iterator[Finding]:
    """``loss_finding`` or ``gradient_finding`` for float32 arithmetic, whatever precision is declared.

    Nothing for a result that misses the bound of the declared precision: there a MUST fails.
    """
    if not finding(trial).failed:
        yield finding(trial, RECOMMENDED)


def target_gradient_finding(trial: Trial) -> Finding | None:
    """The gradient of probability targets compared with the exact one; None if a backend returns none."""
    if trial.answer.blocks:
        return _gradient_in_blocks(trial, trial.bounds, "grad_target", "grad_target")
    observed, exact, bounds = trial.gradients().target, trial.answer.grad_target, trial.bounds
    if observed is None:
        return None
    effect, call = effect_of(exact.value), backward(trial.problem)
    excuses = bounds.grad_target_excuses
    return trial.compare("grad_target", observed, exact, bounds.grad_target, effect=effect, call=call, **excuses)


def _gradient_in_blocks(trial: Trial, bounds: Bounds, name: str, quantity: str) -> Compared | None:
    """A gradient of a large problem, compared block by block, as it is computed; None if there is none."""
    observed = trial.gradient_as_returned(name)
    if observed is None:
        return None
    made: list[Compared] = []
    largest, least, undefined = SMALLEST_EFFECT, math.inf, False
    for rows in bounds.blocks:
        block = bounds.block(rows)
        exact, bound = getattr(block.answer, name), getattr(block, name)
        excuses = block.grad_target_excuses if name == "grad_target" else {}
        found = trial.compare(
            quantity,
            as_float64(observed[rows]),
            exact,
            bound,
            effect=1.0,
            call=backward(trial.problem),
            result=name,
            **excuses,
        )
        place = (rows.start + found.index[0], found.index[1]) if found.index is not None else None
        made.append(replace(found, index=place))
        finite = np.isfinite(exact.value)
        undefined |= not finite.all()
        largest = max(largest, float(np.abs(exact.value).max(where=finite, initial=0.0)))
        least = float(np.fmin(least, np.fmin.reduce(bound, axis=None)))
    # The effect is the largest finite element of all blocks, as in ``effect_of``.
    return replace(worst_of(made), exercised=undefined or least <= TELLING * largest)


def nll_finding(trial: Trial) -> Compared:
    """The loss from the backend's primitives compared with the exact one; log_softmax, if that is wrong."""
    composed, exact, bounds = trial.loss(trial.nll_call), trial.answer.loss, trial.bounds
    finding = trial.compare("loss", composed, exact, bounds.loss, call=trial.nll_call, **bounds.loss_excuses)
    if not finding.failed or not trial.subject.has("log_softmax"):
        return finding
    log_softmax = function_finding(trial, "log_softmax")
    return log_softmax if log_softmax.failed else finding


def form_finding(
    trial: Trial, call: Invocation, name: str, dtypes: Sequence[str], shape: tuple[int, ...] | None = None
) -> Finding:
    """Whether a returned array has one of some dtypes, and a shape if one is given."""
    outcome = trial.outcome(call)
    spoiled = spoiling(outcome, name, call, trial.problem)
    if spoiled is not None:
        return spoiled
    array, shown = outcome.arrays[name], "" if shape is None else f" {shape}"
    if array.dtype.name in dtypes and shape in (None, array.shape):
        return Held(quantity=name, calls=(call,))
    got = array.dtype.name if shape is None else f"{array.dtype.name} {array.shape}"
    return WrongForm(quantity=name, calls=(call,), got=got, expected=f"{' or '.join(dtypes)}{shown}")


def rejection_finding(quantity: str, call: Invocation, outcome: Outcome, wrong: str) -> Finding:
    """Whether an invalid call has raised an exception; ``wrong`` is what is wrong with it."""
    if outcome.raised is not None:
        return Held(quantity=quantity)
    return Accepted(quantity=quantity, calls=(call,), what=wrong, got=outcome.shown)


def rejected(trial: Trial, quantity: str, wrong: str) -> Finding:
    """The same for the loss of the problem."""
    call = forward(trial.problem)
    return rejection_finding(quantity, call, trial.outcome(call), wrong)


def counted_classes(count: int) -> str:
    """A number of classes in words."""
    return f"{count} class{'es' * (count != 1)}"


def function_gradient_finding(trial: Trial, call: Invocation, exact: Exact, bound: F64Array) -> Finding:
    """The gradient of a function of the logits alone, such as softmax, compared with the exact one."""
    observed, effect = trial.primitive_gradient(call), effect_of(exact.value)
    return trial.compare("grad_logits", observed, exact, bound, effect=effect, call=call)


def likeliest(problem: Problem) -> AnyArray:
    """The likeliest class of each row, in the shape of the rows: its loss is finite wherever one is."""
    return np.asarray(np.argmax(problem.logits.astype(np.float64), axis=problem.class_axis))


def of_both_signs(problem: Problem, shape: tuple[int, ...]) -> F64Array:
    """Numbers of both signs and zeros that the dtype of the logits holds."""
    digits = np.array([1.0, -0.5, 0.3, -2.1, 0.0, 1.7, 0.73])
    return np.resize(rounded(digits, problem.dtype), shape)


def direction(problem: Problem) -> F64Array:
    """Numbers to multiply a derivative with, (rows, C)."""
    return of_both_signs(problem, (problem.rows, problem.classes))


def product_bound(trial: Trial, along: F64Array) -> F64Array:
    """Tolerance of the second derivative times a vector (rows, C); infinite where the gradient is not defined."""
    undefined = ~np.isfinite(trial.bounds.grad_logits)
    return np.where(undefined, np.inf, trial.bounds.hessian_times(along))


def second_order_finding(trial: Trial) -> Finding:
    """The second derivative times a vector compared with the exact product."""
    problem, v = trial.problem, direction(trial.problem)
    exact = trial.answer.hessian_times(v)
    vector = from_rows(v, problem.logits, problem.class_axis).astype(problem.logits.dtype)
    return trial.compare(
        "second derivative",
        trial.hessian_times(vector),
        exact,
        product_bound(trial, v),
        effect=effect_of(exact.value),
        call=second_order(vector, problem),
    )


def calls_of(trial: Trial) -> list[Invocation]:
    """The call for the loss, and that for the gradient if it is claimed; without cross_entropy, of what there is."""
    problem, subject = trial.problem, trial.subject
    if not CROSS_ENTROPY.met_by(subject):
        return list(_other_calls(trial))
    return [forward(problem), *([backward(problem)] if GRADIENT.met_by(subject) else [])]


def _other_calls(trial: Trial) -> Iterator[Invocation]:
    """The calls of softmax, log_softmax, their gradients and nll_loss, as far as a backend has them."""
    problem, subject = trial.problem, trial.subject
    for name, gradient in ELEMENTWISE.items():
        if subject.has(name):
            yield primitive(name, problem.logits)
        if gradient.met_by(subject):
            cotangent = of_both_signs(problem, problem.logits.shape).astype(problem.logits.dtype)
            yield primitive_backward(name, cotangent, problem.logits)
    # nll_loss has no smoothing and no probability targets; beside log_softmax it gets the result of that.
    if NLL_LOSS.met_by(subject) and not LOG_SOFTMAX.met_by(subject) and not problem.has_probabilities:
        yield trial.related(problem.with_(label_smoothing=0.0)).nll_call


def phrases(worst: Iterable[Finding]) -> str:
    """What was observed, one phrase for each situation."""
    return "; ".join(sorted(f.quantity for f in worst))


def gradient_findings(trial: Trial) -> Iterator[Finding]:
    """The gradients of the logits and, if there is one, of probability targets."""
    yield gradient_finding(trial)
    if trial.problem.has_probabilities and (found := target_gradient_finding(trial)) is not None:
        yield found


def chosen(trial: Trial, convention: str) -> str:
    """A convention with the choice of the subject, as a command line would declare it: "infinite_row=nan"."""
    return f"{convention}={getattr(trial.subject.conventions, convention)}"


def convention_finding(
    trial: Trial, what: str, value: F64Array, convention: str | None, call: Invocation, because: str
) -> Finding:
    """Whether all numbers are what the subject has chosen for a convention, nan or zero; zero where there is none."""
    if convention is None:
        return nan_or_zero(what, value, "zero", call, because)
    choice = getattr(trial.subject.conventions, convention)
    return nan_or_zero(what, value, choice, call, because, chosen(trial, convention))


def nan_or_zero(
    what: str, value: F64Array, expected: str, call: Invocation, because: str, convention: str = ""
) -> Finding:
    """Whether all numbers are nan, or all are zero; ``convention`` as in ``WrongConvention``."""
    right = np.isnan(value) if expected == "nan" else value == 0
    if right.all():
        return Held(quantity=what)
    place = tuple(int(i) for i in np.argwhere(~right)[0])
    return WrongConvention(
        quantity=what,
        calls=(call,),
        index=place,
        expected="nan" if expected == "nan" else "zero",
        got=f"{float(value[place]):.9g}",
        because=because,
        convention=convention,
    )
