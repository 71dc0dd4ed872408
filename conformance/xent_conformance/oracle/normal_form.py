"""The normal form to which every variant of the loss reduces.

    loss_i = sum_j Q_ij * nlp_ij          nlp = -log_softmax(x)
    index targets:        Q_ij = [i not ignored] (w_t (1 - eps) [j = t] + (eps / C) w_j)
    probability targets:  Q_ij = w_j ((1 - eps) q_ij + eps / C)

with the variations of :class:`~xent_conformance.conventions.Conventions`. Q may be negative: negative class weights and
negative "probabilities" are valid inputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xent_conformance.conventions import Conventions
from xent_conformance.oracle.arithmetic import Arithmetic, RealArray
from xent_conformance.problem import Problem


class NormalForm(NamedTuple):
    """Q (rows, C), the divisor of the mean, and its summands (rows,), or (1,) if the divisor is given."""

    q: RealArray
    divisor: Any
    divisor_terms: RealArray
    ignored: npt.NDArray[np.bool_]


def normal_form(problem: Problem, conventions: Conventions, arithmetic: Arithmetic) -> NormalForm:
    """The normal form of a problem whose labels are all valid."""
    weight = arithmetic.array(problem.class_weights())
    ignored = problem.ignored()
    target = _target_distribution(problem, ignored, arithmetic)
    q = _smoothed(problem, conventions, target, arithmetic)
    if conventions.smoothing_weight == "per_target" and not problem.has_probabilities:
        q = q * (target * weight).sum(axis=1, keepdims=True)
    else:
        q = q * weight
    q[ignored] = arithmetic.number(0)
    terms = _divisor_terms(problem, conventions, target * weight, arithmetic)
    return NormalForm(q, terms.sum(), terms, ignored)


def smoothing_shares(problem: Problem, conventions: Conventions, arithmetic: Arithmetic) -> tuple[Any, Any]:
    """The share that smoothing leaves to the target, and the share of each class: q -> keep * q + spread.

    If only the other classes share the mass, ``spread`` is eps / (C - 1), and ``keep`` is smaller by that.
    """
    eps = arithmetic.number(problem.label_smoothing)
    if conventions.smoothing_mass == "all_classes":
        return 1 - eps, eps / max(problem.classes, 1)
    other = eps / max(problem.classes - 1, 1)
    return 1 - eps - other, other


def _target_distribution(problem: Problem, ignored: npt.NDArray[np.bool_], arithmetic: Arithmetic) -> RealArray:
    """The target as a distribution, (rows, C): one-hot for class indices."""
    if problem.has_probabilities:
        return arithmetic.array(problem.probabilities())
    one_hot = np.zeros((problem.rows, problem.classes))
    kept = np.flatnonzero(~ignored)
    one_hot[kept, problem.labels()[kept]] = 1
    return arithmetic.array(one_hot)


def _smoothed(problem: Problem, conventions: Conventions, target: RealArray, arithmetic: Arithmetic) -> RealArray:
    if not problem.label_smoothing:
        return target.copy()
    keep, spread = smoothing_shares(problem, conventions, arithmetic)
    return np.asarray(keep * target + spread)


def _divisor_terms(
    problem: Problem, conventions: Conventions, weighted: RealArray, arithmetic: Arithmetic
) -> RealArray:
    """The summands of the mean's divisor, (rows,), or the divisor that is given, (1,)."""
    if problem.divisor is not None:
        return arithmetic.array(np.array([problem.divisor]))
    summed = (
        conventions.probability_divisor == "weighted"
        if problem.has_probabilities
        else conventions.mean_divisor == "target_weight"
    )
    if summed:
        return np.asarray(weighted.sum(axis=1))
    every_row = problem.has_probabilities or conventions.mean_divisor == "all_rows"
    return arithmetic.array(np.ones(problem.rows) if every_row else ~problem.ignored())
