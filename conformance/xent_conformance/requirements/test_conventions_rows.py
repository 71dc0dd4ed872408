"""Rows whose softmax is undefined: only -inf, or with +inf. Each backend is judged by its declared convention."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.calls import Invocation, backward, forward
from xent_conformance.judging.findings import Expected, Finding, Held, WrongConvention
from xent_conformance.judging.subject import (
    EITHER_SOFTMAX,
    GRADIENT,
    NON_FINITE_LOGITS,
    Subject,
)
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import F64Array, Problem
from xent_conformance.requirements.checks import chosen
from xent_conformance.requirements.functions import elementwise_of, function_call, function_value
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import ROWS, problem_of
from xent_conformance.strategies.sources import listed

_INF = np.inf
#: Numbers of classes at and between powers of two.
CLASSES = (1, 2, 3, 5, 8, 13, 17, 32, 47, 65, 100, 129, 257, 300, 513, 1000, 1025, 3000, 4097, 20000)


@listed("rows without a softmax")
def rows_without_a_softmax(subject: Subject) -> Iterable[Problem]:
    """Between two ordinary rows, one of only -inf, one with +inf at its target, and one with +inf elsewhere."""
    claims = subject.capabilities
    if claims.static_shapes:
        # Two rows of three classes have been compiled already.
        for two in ([[-_INF, -_INF, -_INF], [1.0, _INF, 0.5]], [[1.0, -2.0, 0.5], [_INF, 0.0, 1.0]]):
            yield problem_of(subject, two, np.array([0, 1]), "none")
        return
    for number, classes in enumerate(CLASSES):
        rows = np.resize(np.array([1.0, -2.0, 0.5, 3.0, -0.25]), (5, classes))
        rows[1] = -_INF
        rows[2, classes // 2] = _INF
        rows[3, classes - 1] = _INF
        labels = np.array([0, 0, classes // 2, 0, classes - 1])
        options: dict[str, object] = {}
        if claims.weight and number % 3 == 1:
            options["weight"] = np.resize(np.array([1.0, 2.0, 0.5]), classes)
        yield problem_of(subject, rows, labels, "none", **options)
        if claims.spatial and classes <= 33:  # noqa: PLR2004 - the rest is the same for all ranks
            yield problem_of(subject, rows.T[None], labels[None], "none")


def _masked(problem: Problem) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isneginf(problem.logits_by_row()).all(axis=1) & ~problem.ignored())


def _infinite(problem: Problem) -> npt.NDArray[np.bool_]:
    """Rows with a single +inf and no nan: with two of them the limit is undefined."""
    x = problem.logits_by_row()
    return np.asarray((np.isposinf(x).sum(axis=1) == 1) & ~np.isnan(x).any(axis=1) & ~problem.ignored())


_REFERENCES = [
    "https://github.com/pytorch/pytorch/issues/11551",
    "https://github.com/ml-explore/mlx/issues/576",
]


#: Reports of plausible probabilities for rows that have none.
SOFTMAX_OF_UNDEFINED = [
    "https://github.com/tenstorrent/tt-metal/issues/56056",
    "https://github.com/jax-ml/jax/pull/21501",
]


@requirement(
    "conventions.all-masked-row",
    "a row of only -inf: its loss",
    source=rows_without_a_softmax,
    needs=[NON_FINITE_LOGITS, ROWS],
    references=_REFERENCES,
)
def test_loss_of_a_row_of_only_minus_infinity(trial: Trial) -> Iterator[Finding]:
    """The loss of a row whose logits are all -inf is nan, inf or zero, according to the declared convention, for every
    number of classes.
    """
    rows, choice = _masked(trial.problem), trial.subject.conventions.all_masked_row
    if _plain(trial.problem, rows):
        yield _rows(trial, "all_masked_row", "loss", trial.loss(), rows, _ASKED[choice], forward(trial.problem))


@requirement(
    "conventions.all-masked-row-gradient",
    "a row of only -inf: its gradient",
    source=rows_without_a_softmax,
    needs=[NON_FINITE_LOGITS, ROWS, GRADIENT],
    references=_REFERENCES,
)
def test_gradient_of_a_row_of_only_minus_infinity(trial: Trial) -> Iterator[Finding]:
    """The gradient of a row whose logits are all -inf is nan if its loss is nan, and zero if that is zero, for every
    number of classes. If the loss is inf, the gradient is not judged.
    """
    problem, choice = trial.problem, trial.subject.conventions.all_masked_row
    rows = _masked(problem)
    if _plain(problem, rows) and choice != "inf":
        gradient = trial.gradients().logits
        yield _rows(trial, "all_masked_row", "grad_logits", gradient, rows, _ASKED[choice], backward(problem))


@requirement(
    "conventions.infinite-row",
    "a row with +inf: its loss",
    source=rows_without_a_softmax,
    needs=[NON_FINITE_LOGITS, ROWS],
    references=_REFERENCES,
)
def test_loss_of_a_row_with_plus_infinity(trial: Trial) -> Iterator[Finding]:
    """The loss of a row with a logit of +inf follows the declared convention: nan; not finite; or the limit, which is
    zero if that logit is the target's, and inf otherwise.
    """
    problem, choice = trial.problem, trial.subject.conventions.infinite_row
    rows = _infinite(problem)
    if not _plain(problem, rows):
        return
    at_target = rows & np.isposinf(problem.logits_by_row()[np.arange(problem.rows), problem.labels()])
    for some, limit in ((at_target, "zero"), (rows & ~at_target, "inf")):
        expected = _ASKED[limit if choice == "limit" else choice]
        yield _rows(trial, "infinite_row", "loss", trial.loss(), some, expected, forward(problem))


@requirement(
    "conventions.infinite-row-gradient",
    "a row with +inf: its gradient",
    source=rows_without_a_softmax,
    needs=[NON_FINITE_LOGITS, ROWS, GRADIENT],
    references=_REFERENCES,
)
def test_gradient_of_a_row_with_plus_infinity(trial: Trial) -> Iterator[Finding]:
    """The gradient of a row with a logit of +inf has an element that is not finite, so that training does not continue
    unnoticed. If the convention is the limit, it is the gradient of the limit: zero if the logit is the target's,
    otherwise w at that logit and -w at the target, times the cotangent.
    """
    problem, choice = trial.problem, trial.subject.conventions.infinite_row
    rows = _infinite(problem)
    if not _plain(problem, rows):
        return
    gradient, call = trial.gradients().logits, backward(problem)
    if choice != "limit":
        yield _rows(trial, "infinite_row", "grad_logits", gradient, rows, "not finite", call)
        return
    labels, finite = problem.labels(), np.isfinite(problem.logits_by_row())
    share = (problem.cotangents() * problem.class_weights()[labels])[:, None]
    limit = np.where(finite, 0.0, share) - share * (np.arange(problem.classes) == labels[:, None])
    limit = np.where(rows[:, None], limit, 0.0)
    yield trial.compare("grad_logits", np.where(rows[:, None], gradient, 0.0), Exact(limit), 0.0, call=call)


@requirement(
    "conventions.all-masked-row-softmax",
    "a row of only -inf: its softmax",
    source=rows_without_a_softmax,
    needs=[EITHER_SOFTMAX, NON_FINITE_LOGITS, ROWS],
    references=SOFTMAX_OF_UNDEFINED,
)
def test_softmax_of_a_row_of_only_minus_infinity(trial: Trial) -> Iterator[Finding]:
    """Softmax and log_softmax of a row whose logits are all -inf are nan, for every number of classes. Where the
    declared loss of such a row is inf or zero, the softmax may be zero, and its logarithm -inf or zero.
    """
    rows, choice = _masked(trial.problem), trial.subject.conventions.all_masked_row
    others: dict[str, Expected] = {"softmax": "nan or zero", "log_softmax": "nan, -inf or zero"}
    for name in elementwise_of(trial.subject) if rows.any() else ():
        value, call = function_value(trial, name), function_call(trial, name)
        yield _rows(trial, "all_masked_row", name, value, rows, "nan" if choice == "nan" else others[name], call)


@requirement(
    "conventions.infinite-row-softmax",
    "a row with +inf: its softmax",
    source=rows_without_a_softmax,
    needs=[EITHER_SOFTMAX, NON_FINITE_LOGITS, ROWS],
    references=SOFTMAX_OF_UNDEFINED,
)
def test_softmax_of_a_row_with_plus_infinity(trial: Trial) -> Iterator[Finding]:
    """Softmax and log_softmax of a row with a logit of +inf have an element that is not finite. Where the declared
    loss of such a row is the limit, they may be that too: a probability of 1 for the class of that logit, else 0.
    """
    problem, choice = trial.problem, trial.subject.conventions.infinite_row
    rows = _infinite(problem)
    for name in elementwise_of(trial.subject) if rows.any() else ():
        value, call = function_value(trial, name), function_call(trial, name)
        if choice != "limit":
            yield _rows(trial, "infinite_row", name, value, rows, "not finite", call)
            continue
        judged = rows & ~np.isnan(value).any(axis=1)
        limit = np.isposinf(problem.logits_by_row()).astype(np.float64)
        with np.errstate(divide="ignore"):
            exact = limit if name == "softmax" else np.log(limit)
        exact, value = (np.where(judged[:, None], numbers, 0.0) for numbers in (exact, value))
        yield trial.compare(name, value, Exact(exact), 0.0, call=call)


def _plain(problem: Problem, rows: npt.NDArray[np.bool_]) -> bool:
    return bool(rows.any()) and problem.reduction == "none" and not problem.has_probabilities


#: Choice to the expected numbers of a row.
_ASKED: dict[str, Expected] = {"nan": "nan", "inf": "inf", "zero": "zero", "not_finite": "not finite"}


#: The words of what is expected that are about a single number.
_IS: dict[str, Callable[[F64Array], npt.NDArray[np.bool_]]] = {
    "nan": np.isnan,
    "inf": np.isposinf,
    "-inf": np.isneginf,
    "zero": lambda numbers: numbers == 0,
}
#: Why a convention applies to a row.
_BECAUSE = {"all_masked_row": "all logits of the row are -inf", "infinite_row": "it has a logit of +inf"}


def _holds(numbers: F64Array, expected: Expected) -> bool:
    if expected == "not finite":
        return not np.isfinite(numbers).all()
    allowed = [_IS[word](numbers) for word in re.split(", | or ", expected)]
    return bool(np.any(allowed, axis=0).all())


def _rows(
    trial: Trial,
    convention: str,
    quantity: str,
    value: F64Array,
    rows: npt.NDArray[np.bool_],
    expected: Expected,
    call: Invocation,
) -> Finding:
    """Whether some rows of a result, (rows,) or (rows, C), are what is expected by a convention."""
    wrong = [int(row) for row in np.flatnonzero(rows) if not _holds(value[row], expected)]
    if not wrong:
        return Held(quantity=quantity)
    row = wrong[0]
    got = f"{value[row]:.9g}" if value.ndim == 1 else str(value[row].tolist()[:8])
    return WrongConvention(
        quantity=quantity,
        calls=(call,),
        index=(row,),
        expected=expected,
        got=got,
        because=_BECAUSE[convention],
        convention=chosen(trial, convention),
    )
