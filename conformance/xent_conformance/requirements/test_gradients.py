"""Gradients compared with their closed form: G (p S - Q) for logits, G w nlp for probability targets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calling.calls import backward
from xent_conformance.judging.findings import Declined, Disagreement, Finding, Held, Missing
from xent_conformance.judging.subject import DETERMINISM, GRADIENT, IGNORING, PROBABILITY_TARGETS, SECOND_ORDER
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import Problem
from xent_conformance.requirements import references
from xent_conformance.requirements.agreement import SMALLEST_EFFECT, agree, loss_of
from xent_conformance.requirements.checks import (
    gradient_finding,
    gradient_findings,
    second_order_finding,
    target_gradient_finding,
)
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import problem_of
from xent_conformance.strategies.broad import FORMS, SIZES


@requirement(
    "gradients.logits",
    "gradient of the logits within its bound",
    needs=[GRADIENT],
    references=[
        "https://github.com/linkedin/Liger-Kernel/issues/968",
        "https://github.com/pytorch/pytorch/pull/94226",
        "https://github.com/ROCm/TransformerEngine/pull/623",
    ],
)
def test_gradient_of_the_logits_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The gradient of the logits, for a cotangent that differs from row to row, is within the bound of the exact one,
    in every reduction and with all options combined.
    """
    yield gradient_finding(trial)


@requirement(
    "gradients.any-size",
    "gradient at sizes of every magnitude",
    source=SIZES,
    needs=[GRADIENT],
    references=[*references.CLASS_COUNTS, *references.ROW_COUNTS],
)
def test_gradient_is_within_its_bound_at_any_size(trial: Trial) -> Iterator[Finding]:
    """With up to 65536 rows, or up to 151936 classes, whether their number is at the edge of a block or not, the
    gradients of the logits and of probability targets are within their bounds, for cotangents of every size and layout
    and with all options combined.
    """
    yield from gradient_findings(trial)


@requirement(
    "gradients.loss-unchanged",
    "same loss with and without gradients",
    needs=[GRADIENT, DETERMINISM],
    references=["https://github.com/deepspeedai/DeepSpeed/pull/8587"],
)
def test_loss_is_the_same_with_gradients(trial: Trial) -> Iterator[Finding]:
    """Asking for gradients does not change the loss beyond twice its bound."""
    with_gradients = loss_of(trial, backward(trial.problem), strict=True)
    yield agree(trial, "loss", with_gradients, loss_of(trial, strict=True), "without gradients")


@requirement(
    "gradients.ignored-rows-are-zero",
    "zero gradient on ignored rows",
    needs=[GRADIENT, IGNORING],
    references=["https://github.com/PaddlePaddle/Paddle/pull/28622", "https://github.com/apache/mxnet/issues/6202"],
)
def test_ignored_rows_have_zero_gradient(trial: Trial) -> Iterator[Finding]:
    """The gradient of an ignored row is exactly zero, in every reduction."""
    ignored = trial.problem.ignored()
    all_ignored_is_nan = trial.subject.conventions.all_ignored_gradient == "nan"
    if not ignored.any() or (ignored.all() and trial.problem.reduction == "mean" and all_ignored_is_nan):
        return
    if trial.problem.reduction == "mean" and trial.answer.form.divisor == 0 and not ignored.all():
        return
    rows = np.where(ignored[:, None], trial.gradients().logits, 0.0)
    bound = np.zeros(rows.shape)
    yield trial.compare("grad_logits", rows, Exact(bound), bound, call=backward(trial.problem))


@requirement(
    "gradients.probability-targets",
    "gradient of probability targets",
    needs=[GRADIENT, PROBABILITY_TARGETS],
    references=[
        "https://github.com/pytorch/pytorch/pull/188296",
        "https://github.com/tensorflow/tensorflow/issues/26495",
    ],
)
def test_gradient_of_probability_targets_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The gradient of probability targets, if there is one, is within the bound of G (1 - eps) w nlp; if some calls
    return it, all do.
    """
    if not trial.problem.has_probabilities:
        return
    finding = target_gradient_finding(trial)
    if finding is not None:
        yield finding
        return
    given = next((p for p in _plain_probabilities(trial) if trial.related(p).gradients().target is not None), None)
    if given is None:
        reason = "returns no gradient of probability targets (grad_target is None)"
        yield Declined(quantity="grad_target", reason=reason)
    else:
        there = f"logits {given.logits.shape}, reduction {given.reduction!r}"
        calls = (backward(trial.problem), backward(given))
        yield Missing(quantity="grad_target", calls=calls, there=there)


def _plain_probabilities(trial: Trial) -> Iterator[Problem]:
    """Calls with probability targets of different rank, size and options, to find one that returns a gradient."""
    subject, claims = trial.subject, trial.subject.capabilities
    q = np.array([[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])
    reductions = claims.reductions
    yield problem_of(subject, [[1.0, 0.0, 3.0], [2.0, 1.0, 0.0]], q, reductions[0])
    if claims.static_shapes:
        return
    yield problem_of(subject, [[1.0, 0.0, 3.0]] * 20, np.resize(q, (20, 3)), reductions[-1])
    if claims.weight:
        yield problem_of(subject, [[1.0, 0.0, 3.0], [2.0, 1.0, 0.0]], q, reductions[-1], weight=[1.0, 2.0, 0.5])
    if claims.unbatched:
        yield problem_of(subject, [1.0, 0.0, 3.0], q[0], reductions[-1])
    if claims.spatial:
        yield problem_of(subject, np.ones((2, 3, 2)), np.ones((2, 3, 2)) / 4, reductions[0])


@requirement(
    "gradients.rows-sum-to-zero",
    "gradient rows sum to 0",
    needs=[GRADIENT],
    references=["https://github.com/tensorflow/tensorflow/issues/126634"],
)
def test_gradient_rows_sum_to_zero(trial: Trial) -> Iterator[Finding]:
    """The gradient of a row sums to zero within the sum of its bounds, with weights and smoothing too."""
    bound = trial.bounds.grad_logits.sum(axis=1)
    sums = trial.gradients().logits.sum(axis=1)
    exact = trial.answer.grad_logits.value
    defined = np.isfinite(exact).all(axis=1) & np.isfinite(bound)
    effect = np.abs(np.where(np.isfinite(exact), exact, 0.0)).max(axis=1, initial=SMALLEST_EFFECT)
    yield trial.compare(
        "grad_logits row sum",
        np.where(defined, sums, 0.0),
        Exact(np.zeros(sums.shape)),
        np.where(defined, bound, np.inf),
        effect=effect,
        call=backward(trial.problem),
        result="grad_logits",
        reading="{}.sum(axis=1)",
    )


@requirement(
    "gradients.second-backward",
    "a second backward pass, with another cotangent",
    source=FORMS,
    needs=[GRADIENT, DETERMINISM],
    references=["https://github.com/modelscope/ms-swift/issues/10129"],
)
def test_second_backward_gives_the_same(trial: Trial) -> Iterator[Finding]:
    """The gradient is bitwise the same in a second backward pass through a graph, after one with another cotangent."""
    calls = backward(trial.problem, repeats=2), backward(trial.problem)
    twice, once = (trial.gradients(call).logits for call in calls)
    if np.array_equal(once, twice, equal_nan=True):
        yield Held(quantity="second gradient")
    else:
        place = np.argwhere(~((once == twice) | (np.isnan(once) & np.isnan(twice))))[0]
        index = tuple(int(i) for i in place)
        yield Disagreement(
            quantity="grad_logits",
            calls=calls,
            results=("grad_logits", "grad_logits"),
            formulas=("{0}", "{1}"),
            index=index,
            expected=float(once[index]),
            got=float(twice[index]),
            bound=0.0,
            otherwise="after a backward pass with another cotangent",
        )


@requirement(
    "gradients.second-order",
    "second derivatives within their bound",
    source=FORMS,
    needs=[SECOND_ORDER],
    references=["https://github.com/tensorflow/tensorflow/issues/7403"],
)
def test_second_derivative_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The second derivative times a vector is within the bound of G S p (v - <p, v>)."""
    yield second_order_finding(trial)
