"""Points on which frameworks differ: each backend is judged by its declared choice, or its behaviour is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calling.calls import backward, forward
from xent_conformance.formats import dtype_of
from xent_conformance.judging.findings import Finding, Held, WrongConvention
from xent_conformance.judging.subject import (
    DIVIDES_BY_WEIGHT,
    GRADIENT,
    IGNORING,
    NON_FINITE_LOGITS,
    WEIGHT,
    Need,
    Subject,
)
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import chosen, convention_finding, gradient_finding, loss_finding, phrases
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.twins import MEAN, classes_of, in_every_reduction, problem_of, row_shape_of
from xent_conformance.strategies.sources import listed

_INF = np.inf


@listed("weights that are zero or cancel")
def zero_weights(subject: Subject) -> Iterable[Problem]:
    """Rows that are not ignored, with weights that are zero or cancel, in every rank."""
    claims = subject.capabilities
    shapes: list[tuple[int, ...]] = [(2, 3)]
    if not claims.static_shapes:
        shapes += [(3,)] if claims.unbatched else []
        shapes += [(2, 3, 2)] if claims.spatial else []
    for shape in shapes:
        logits = np.resize(np.array([1.0, -2.0, 0.5, 3.0, -0.25]), shape)
        target = np.resize(np.array([0, 1]), row_shape_of(shape))
        yield problem_of(subject, logits, target, "mean", weight=np.zeros(3))
        if claims.label_smoothing:
            yield problem_of(subject, logits, target, "mean", weight=np.array([0.0, 0.0, 1.0]), label_smoothing=0.5)


@requirement(
    "conventions.zero-weight-gradient",
    "weights that sum to zero: the gradient of the mean",
    source=zero_weights,
    needs=[WEIGHT, MEAN, GRADIENT, DIVIDES_BY_WEIGHT],
    references=["https://github.com/pytorch/pytorch/issues/70348", "https://github.com/apache/tvm/pull/14987"],
)
def test_gradient_of_a_mean_whose_weights_sum_to_zero(trial: Trial) -> Iterator[Finding]:
    """If the weights of the rows that are not ignored sum to zero, the gradient of the mean follows the declared
    convention: not finite in every such row, or zero.
    """
    problem = trial.problem
    if problem.reduction != "mean" or problem.ignored().any() or trial.answer.form.divisor != 0:
        return
    convention = trial.subject.conventions.zero_weight_gradient
    gradient = trial.gradients().logits
    right = gradient == 0 if convention == "zero" else ~np.isfinite(gradient)
    rows = right.all(axis=1) if convention == "zero" else right.any(axis=1)
    if rows.all():
        yield Held(quantity="grad_logits")
    else:
        row = int(np.flatnonzero(~rows)[0])
        yield WrongConvention(
            quantity="grad_logits",
            calls=(backward(problem),),
            index=(row,),
            expected="zero" if convention == "zero" else "not finite",
            got=str(gradient[row].tolist()),
            because="the weights of its rows sum to zero",
            convention=chosen(trial, "zero_weight_gradient"),
        )


@listed("zero times infinity")
def zero_times_infinity(subject: Subject) -> Iterable[Problem]:
    """A share of exactly zero on a logit of -inf: of probabilities, and of smoothing with a weight of zero."""
    claims = subject.capabilities
    rows = np.array([[-_INF, 0.0, 1.0], [0.5, -_INF, 2.0]])
    first = claims.reductions[0]
    shaped = [(rows, (0, 2))]
    if claims.spatial and not claims.static_shapes:
        shaped.append((rows.T[None], (0, 2)))
    for logits, (_, label) in shaped:
        if claims.probability_targets:
            share = np.where(np.isfinite(logits), 0.5, 0.0)
            yield from in_every_reduction(subject, [problem_of(subject, logits, share, first)])
        if claims.label_smoothing and claims.weight:
            target = np.full(2 if logits.ndim == 2 else (1, 2), label)  # noqa: PLR2004 - flat or spatial
            smoothed = problem_of(
                subject, logits, target, first, weight=np.array([0.0, 0.0, 1.0]), label_smoothing=0.25
            )
            yield from in_every_reduction(subject, [smoothed])


@requirement(
    "conventions.zero-times-infinity",
    "a share of zero on a logit of -inf",
    source=zero_times_infinity,
    needs=[NON_FINITE_LOGITS],
    references=[
        "https://github.com/google-deepmind/optax/issues/896",
        "https://github.com/google-deepmind/optax/pull/898",
        "https://github.com/OpenBMB/ModelCenter/issues/14",
    ],
)
def test_a_share_of_zero_on_a_logit_of_minus_infinity(trial: Trial) -> Iterator[Finding]:
    """If a logit is -inf and its target probability, or with smoothing its class weight, is exactly zero, it adds
    nothing to the loss or makes it nan, according to the declared convention, in every reduction.
    """
    problem = trial.problem
    if np.isneginf(problem.logits_by_row()).any():
        yield loss_finding(trial)


@requirement(
    "conventions.zero-times-infinity-gradient",
    "a share of zero on a logit of -inf: the gradient",
    source=zero_times_infinity,
    needs=[
        NON_FINITE_LOGITS,
        GRADIENT,
        Need("zero for a share of zero on a logit of -inf", lambda s: s.conventions.zero_times_infinity == "zero"),
    ],
    references=["https://github.com/google-deepmind/optax/pull/1762"],
)
def test_gradient_of_a_share_of_zero_on_a_logit_of_minus_infinity(trial: Trial) -> Iterator[Finding]:
    """If a share of zero on a logit of -inf adds nothing to the loss, it does not make any gradient nan either."""
    yield gradient_finding(trial)


SITUATIONS: dict[str, tuple[list[float], int]] = {
    "+inf at the target": ([_INF, 0.0, 1.0], 0),
    "+inf elsewhere": ([_INF, 0.0, 1.0], 1),
    "+inf twice": ([_INF, _INF, 1.0], 0),
    "-inf at the target": ([-_INF, 0.0, 1.0], 0),
    "-inf throughout": ([-_INF, -_INF, -_INF], 0),
    "nan elsewhere": ([float("nan"), 0.0, 1.0], 1),
}


@listed("non finite rows")
def non_finite_rows(subject: Subject) -> Iterable[Problem]:
    """Single rows of logits that are not finite."""
    for logits, label in SITUATIONS.values():
        # A backend that compiles every shape has compiled two rows of three classes already.
        rows = 2 if subject.capabilities.static_shapes else 1
        yield problem_of(subject, [logits] * rows, [label] * rows, subject.capabilities.reductions[0])


@requirement(
    "conventions.non-finite-logits",
    "infinite and nan logits",
    level=Level.OBSERVED,
    source=non_finite_rows,
    needs=[NON_FINITE_LOGITS],
    observe=phrases,
    references=[
        "https://github.com/ml-explore/mlx/issues/576",
        "https://github.com/apache/mxnet/pull/19703",
        "https://github.com/pytorch/pytorch/pull/71502",
    ],
)
def test_infinite_and_nan_logits(trial: Trial) -> Iterator[Finding]:
    """Loss and gradient for infinite and nan logits are not documented by frameworks; the report shows what each
    backend returns.
    """
    problem = trial.problem
    row, label = problem.logits_by_row()[:1], problem.labels()[:1].tolist()
    names = (n for n, (x, t) in SITUATIONS.items() if np.array_equal([x], row, equal_nan=True) and label == [t])
    name = next(names, None)
    if name is None:
        return
    seen = f"{name}: loss {trial.loss().reshape(-1)[:1].tolist()}"
    if GRADIENT.met_by(trial.subject):
        seen += f", gradient {np.round(trial.gradients().logits[0], 3).tolist()}"
    yield Held(quantity=seen)


@listed("odd weights")
def odd_weights(subject: Subject) -> Iterable[Problem]:
    """Class weights of other dtypes than the logits'."""
    for dtype in ("int64", "bool", "complex64", "float16", "float32", "float64"):
        if dtype != subject.dtype:
            plain = problem_of(subject, np.array([[1.0, 0.0], [0.5, 2.0]]), np.array([0, 1]), "none")
            weight = np.array([1, 2]).astype(dtype_of(dtype))
            for problem in in_every_reduction(subject, [plain.with_(reduction=subject.capabilities.reductions[0])]):
                yield problem.with_(weight=weight)


@requirement(
    "conventions.weight-dtypes",
    "weights of another dtype than the logits",
    level=Level.OBSERVED,
    source=odd_weights,
    needs=[WEIGHT],
    observe=phrases,
    references=["https://github.com/pytorch/pytorch/issues/134896"],
)
def test_weights_of_another_dtype(trial: Trial) -> Iterator[Finding]:
    """Class weights of an integer, bool or complex dtype, or of another format than the logits, may be rejected or
    converted; the report names the dtype of the loss.
    """
    problem = trial.problem
    if problem.weight is None:
        return
    outcome = trial.outcome(forward(problem))
    seen = "rejected" if outcome.trouble else f"loss of {outcome.arrays['loss'].dtype.name}"
    yield Held(quantity=f"{problem.weight.dtype.name}: {seen}")


@listed("all ignored")
def all_ignored(subject: Subject) -> Iterable[Problem]:
    """Every row ignored, by default and by a chosen sentinel, in every rank, reduction and option."""
    claims = subject.capabilities
    shapes: list[tuple[int, ...]] = [(2, 3)]
    if not claims.static_shapes:
        shapes += [(1, 1), (3, 4)]
        shapes += [(4,)] if claims.unbatched else []
        shapes += [(2, 3, 2)] if claims.spatial else []
    options: list[dict[str, object]] = [{}]
    options += [{"weight": True}] if claims.weight else []
    options += [{"label_smoothing": 0.25}] if claims.label_smoothing else []
    sentinels = [claims.default_ignore_index] if claims.default_ignore_index is not None else []
    sentinels += [-1, 0] if claims.ignore_index else []
    for shape in shapes:
        logits = np.resize(np.array([1.0, -2.0, 0.5, 3.0, -0.25]), shape)
        for sentinel in sentinels:
            target = np.full(row_shape_of(shape), sentinel)
            for option in options:
                more = dict(option)
                if "weight" in more:
                    more["weight"] = np.arange(1.0, classes_of(shape) + 1)
                if sentinel != claims.default_ignore_index:
                    more["ignore_index"] = sentinel
                problem = problem_of(subject, logits, target, claims.reductions[0], **more)
                yield from in_every_reduction(subject, [problem])


_NOTHING_LEFT = [
    "https://github.com/pytorch/pytorch/issues/70348",
    "https://github.com/pytorch/pytorch/pull/64572",
    "https://github.com/karpathy/nanochat/pull/610",
    "https://github.com/keras-team/tf-keras/issues/734",
]


@requirement(
    "conventions.all-ignored-loss",
    "every row ignored: the loss",
    source=all_ignored,
    needs=[IGNORING],
    references=_NOTHING_LEFT,
)
def test_loss_with_every_row_ignored(trial: Trial) -> Iterator[Finding]:
    """If every row is ignored, each loss and their sum are 0, and the mean is nan or 0, according to the declared
    convention, in every rank and with every option.
    """
    problem = trial.problem
    if problem.ignored().all() and problem.rows:
        convention = "all_ignored_loss" if problem.reduction == "mean" else None
        yield convention_finding(trial, "loss", trial.loss(), convention, forward(problem), "every row is ignored")


@requirement(
    "conventions.all-ignored-gradient",
    "every row ignored: the gradient",
    source=all_ignored,
    needs=[IGNORING, GRADIENT],
    references=_NOTHING_LEFT,
)
def test_gradient_with_every_row_ignored(trial: Trial) -> Iterator[Finding]:
    """If every row is ignored, the gradient is 0; that of the mean is nan or 0, according to the declared convention,
    in every rank and with every option.
    """
    problem = trial.problem
    if problem.ignored().all() and problem.rows:
        convention = "all_ignored_gradient" if problem.reduction == "mean" else None
        yield convention_finding(
            trial, "grad_logits", trial.gradients().logits, convention, backward(problem), "every row is ignored"
        )
