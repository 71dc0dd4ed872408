"""Definitions in terms of the backend's own functions: softmax, its logarithm, and the meaning of targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import CROSS_ENTROPY, LOG_SOFTMAX, PROBABILITY_TARGETS, SOFTMAX
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import Problem
from xent_conformance.requirements.agreement import ROUNDING, Measured, agree, both_agree, loss_of, primitive_of
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import ROWS, cotangent_for
from xent_conformance.strategies.situations import RELATIONS


@requirement(
    "identities.log-of-softmax",
    "log(softmax) = log_softmax",
    needs=[SOFTMAX, LOG_SOFTMAX],
    references=["https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"],
)
def test_logarithm_of_softmax_is_log_softmax(trial: Trial) -> Iterator[Finding]:
    """Where the probability does not underflow, the logarithm of softmax is log_softmax.

    A relative error r of p moves log p by -log(1 - r) at most; elements with r above 1/2 are left out.
    """
    bounds, exact = trial.bounds, trial.answer.softmax.value
    with np.errstate(all="ignore"):
        relative = bounds.softmax / exact
        judged = (exact > trial.problem.format.smallest_normal) & (relative < 0.5)  # noqa: PLR2004 - see the docstring
        logarithm = np.where(judged, np.log(trial.primitive("softmax")), 0.0)
        moved = np.where(judged, -np.log1p(-np.where(judged, relative, 0.0)) + ROUNDING * np.abs(logarithm), np.inf)
    got, softmax = primitive_of(trial, "log_softmax"), primitive_of(trial, "softmax")
    expected = replace(softmax, value=logarithm, bound=moved, formula="np.log({})".format)
    got = replace(got, value=np.where(judged, got.value, 0.0))
    yield agree(trial, "log_softmax", got, expected, "by the logarithm of softmax")


@requirement(
    "identities.definition",
    "loss = -sum Q log p",
    needs=[CROSS_ENTROPY, LOG_SOFTMAX],
    source=RELATIONS,
    references=["https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html"],
)
def test_loss_is_the_expectation_of_the_log_probabilities(trial: Trial) -> Iterator[Finding]:
    """H(q, p) = -sum_j Q_ij log p_ij: the loss agrees with its definition in terms of the backend's own log_softmax,
    where Q is the targets with smoothing and weights.
    """
    problem, form = trial.problem, trial.answer.form
    if problem.ignored().any():
        return
    q = np.asarray(form.q).astype(np.float64)
    read = trial.answer.read & (q != 0)
    bounds = trial.bounds
    got = loss_of(trial)
    log_p = primitive_of(trial, "log_softmax")
    surprise = np.where(read, -log_p.value, 0.0)
    with np.errstate(all="ignore"):
        tolerance = np.where(read, np.abs(q) * bounds.log_softmax, 0.0).sum(axis=1)
        terms = q * surprise
        tolerance = tolerance + (problem.classes + 4) * ROUNDING * np.abs(terms).sum(axis=1)
    beyond = np.asarray(~np.isfinite(surprise).all(axis=1))

    def formula(log_softmax: str) -> str:
        return f"np.where(np.array({read.tolist()}), -np.array({q.tolist()}) * {log_softmax}, 0.0).sum(axis=1)"

    rows = Measured(terms.sum(axis=1), tolerance, beyond, log_p.terms, formula)
    divisor = float(form.divisor)
    if problem.reduction == "none":
        expected = rows
    elif problem.reduction == "sum" or divisor == 0:
        expected = rows.sum()
    else:
        expected = rows.sum().times(1 / divisor)
    yield agree(trial, "loss", got, expected, "by definition from log_softmax")


def _as_one_hot(problem: Problem) -> Iterable[Problem]:
    """The problem if a one-hot target is equivalent: without ignored rows, and without a mean over weights."""
    if problem.has_probabilities or (problem.weight is not None and problem.reduction == "mean"):
        return
    ignored = problem.ignored()
    labels = np.where(ignored, 0, problem.labels()).reshape(problem.target.shape).astype(problem.target.dtype)
    kept = problem.with_(target=labels, ignore_index=None)
    if np.isfinite(problem.logits_by_row()[ignored]).all() and not kept.ignored().any():
        yield kept


@requirement(
    "identities.one-hot-is-index",
    "one-hot probabilities = class index",
    source=RELATIONS,
    derive=_as_one_hot,
    needs=[PROBABILITY_TARGETS],
    references=["https://github.com/PFCCLab/PaddleAPITest/pull/410", "https://github.com/pytorch/pytorch/pull/61044"],
)
def test_one_hot_probabilities_are_a_class_index(trial: Trial) -> Iterator[Finding]:
    """A target with probability 1 for one class gives the same loss and gradient as the index of that class. The
    weighted mean is not compared, because its divisors differ.
    """
    problem = trial.problem
    if problem.has_probabilities or problem.ignored().any():
        return
    per_target = trial.subject.conventions.smoothing_weight == "per_target" and problem.label_smoothing > 0
    if problem.weight is not None and (problem.reduction == "mean" or per_target):
        return
    one_hot = (problem.labels()[:, None] == np.arange(problem.classes)).astype(problem.logits.dtype)
    shaped = np.moveaxis(one_hot.reshape(*problem.row_shape, problem.classes), -1, problem.class_axis)
    twin = trial.related(problem.with_(target=np.ascontiguousarray(shaped), ignore_index=None))
    yield from both_agree(trial, twin, "with the target as one-hot probabilities")


def _gibbs(problem: Problem) -> Iterable[Problem]:
    """Unweighted, unsmoothed probabilities, with the same logits and with the logarithms of the targets as logits."""
    if not problem.has_probabilities:
        return
    plain = problem.with_(
        weight=None,
        label_smoothing=0.0,
        reduction="none",
        cotangent=cotangent_for(problem.row_shape, "none", problem.dtype),
    )
    yield plain
    with np.errstate(divide="ignore"):
        logarithm = np.log(problem.target.astype(np.float64))
    yield plain.with_(logits=np.where(np.isfinite(logarithm), logarithm, -100.0).astype(problem.logits.dtype))


@requirement(
    "identities.gibbs",
    "cross-entropy is at least the entropy",
    source=RELATIONS,
    derive=_gibbs,
    needs=[PROBABILITY_TARGETS, ROWS],
    references=["https://github.com/tracel-ai/burn/pull/4829"],
)
def test_cross_entropy_is_at_least_the_entropy(trial: Trial) -> Iterator[Finding]:
    """Gibbs' inequality: without weights and smoothing the loss of a row is at least H(q) + S log S, with S = sum q and
    H(q) = -sum q log q; it is equal for logits of log q.
    """
    problem = trial.problem
    if not problem.has_probabilities or problem.weight is not None or problem.label_smoothing:
        return
    q = problem.probabilities()
    if problem.reduction != "none" or (q < 0).any():
        return
    with np.errstate(all="ignore"):
        entropy = -np.where(q > 0, q * np.log(q), 0.0).sum(axis=1)
        mass = q.sum(axis=1)
        least = entropy + np.where(mass > 0, mass * np.log(mass), 0.0)
        own = (problem.classes + 8) * ROUNDING * (np.abs(np.where(q > 0, q * np.log(q), 0.0)).sum(axis=1) + mass)
    loss = loss_of(trial)
    exact = np.maximum(loss.value, least)
    yield trial.compare("loss", loss.value, Exact(exact), loss.bound + own)
