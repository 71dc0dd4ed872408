"""Reductions: sum and mean of the rows, and a batch compared with its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem, array_of
from xent_conformance.requirements.agreement import agree, gradient_of, gradients_agree, loss_of
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import ALL_REDUCTIONS, FREE_SHAPES, chosen_rows, in_reduction
from xent_conformance.strategies.situations import RELATIONS

_MEAN = [
    "https://github.com/PaddlePaddle/Paddle/issues/48663",
    "https://github.com/tracel-ai/burn/issues/5568",
    "https://github.com/NVIDIA/TransformerEngine/pull/2476",
    "https://github.com/chainer/chainer/pull/8301",
]
_PARTS = [
    "https://github.com/huggingface/transformers/pull/34191",
    "https://github.com/pytorch/torchtitan/pull/2206",
    "https://github.com/NVIDIA/Megatron-LM/issues/673",
]


def _divisor(trial: Trial) -> float:
    """The divisor of a problem's mean; 0 if every row is ignored."""
    return float(trial.answer.form.divisor) if trial.answer.any_row_left else 0.0


def _summed(problem: Problem) -> Iterable[Problem]:
    yield in_reduction(problem, "sum")


@requirement(
    "reduction.sum-of-rows",
    "sum = the sum of none",
    source=RELATIONS,
    derive=_summed,
    needs=[ALL_REDUCTIONS],
    references=["https://github.com/pytorch/pytorch/issues/85791", "https://github.com/linkedin/Liger-Kernel/pull/435"],
)
def test_sum_is_the_sum_of_the_rows(trial: Trial) -> Iterator[Finding]:
    """The loss with reduction "sum" is the sum of the losses with reduction "none"."""
    if trial.problem.reduction != "sum":
        return
    rows = trial.related(in_reduction(trial.problem, "none"))
    otherwise = 'as the sum of the losses with reduction "none"'
    yield agree(trial, "loss", loss_of(trial), loss_of(rows).sum(), otherwise)


def _averaged(problem: Problem) -> Iterable[Problem]:
    yield in_reduction(problem, "mean")


@requirement(
    "reduction.mean-times-divisor",
    "mean x divisor = sum",
    source=RELATIONS,
    derive=_averaged,
    needs=[ALL_REDUCTIONS],
    references=_MEAN,
)
def test_mean_times_divisor_is_sum(trial: Trial) -> Iterator[Finding]:
    """The loss with reduction "mean" is that with reduction "sum" divided by the declared divisor: the sum of the
    weights of the targets that are not ignored, or the number of rows for probabilities.
    """
    divisor = _divisor(trial)
    if trial.problem.reduction != "mean" or not divisor:
        return
    otherwise = f"as the sum over the divisor {divisor:.9g}"
    total = loss_of(trial.related(in_reduction(trial.problem, "sum")))
    yield agree(trial, "loss", loss_of(trial), total.times(1 / divisor), otherwise)


@requirement(
    "reduction.gradients",
    "gradients of the three reductions",
    source=RELATIONS,
    derive=_averaged,
    needs=[ALL_REDUCTIONS, GRADIENT],
    references=["https://github.com/deepspeedai/DeepSpeed/pull/8587", *_MEAN],
)
def test_gradients_of_the_three_reductions(trial: Trial) -> Iterator[Finding]:
    """The gradient of the mean times the divisor is the gradient of the sum, which is the gradient of the losses with
    the same cotangent for every row.
    """
    problem, divisor = trial.problem, _divisor(trial)
    if problem.reduction != "mean" or not divisor or problem.cotangent is None:
        return
    mean = gradient_of(trial)
    total = gradient_of(trial.related(problem.with_(reduction="sum")))
    yield gradients_agree(trial, mean, total.times(1 / divisor), "as the gradient of the sum over the divisor")
    repeated = array_of(np.full(problem.row_shape, float(problem.cotangent)), problem.dtype)
    rows = gradient_of(trial.related(problem.with_(reduction="none", cotangent=repeated)))
    yield gradients_agree(trial, mean, rows.times(1 / divisor), "as that of the losses over the divisor")


def _several_rows(problem: Problem) -> Iterable[Problem]:
    if problem.rows > 1 and problem.reduction != "none":
        yield problem


def _parts(trial: Trial, cut: int) -> list[Trial] | None:
    """The rows before and from a cut, without a part of only ignored rows; None if a mean is undefined."""
    problem = trial.problem
    spans = (np.arange(cut), np.arange(cut, problem.rows))
    parts = [trial.related(chosen_rows(problem, rows)) for rows in spans]
    counted = [part for part in parts if part.answer.any_row_left]
    # The mean of rows whose weights sum to zero is undefined, although smoothing may give them a loss.
    undefined = problem.reduction == "mean" and not all(_divisor(part) for part in (trial, *counted))
    return None if undefined or not counted else counted


@requirement(
    "reduction.recombination",
    "a batch is recombined from its parts",
    source=RELATIONS,
    derive=_several_rows,
    needs=[FREE_SHAPES],
    references=_PARTS,
)
def test_a_batch_is_put_together_from_its_parts(trial: Trial) -> Iterator[Finding]:
    """The sum of a batch is the sum of the sums of its parts, and its mean is the average of their means weighted by
    their divisors, not the unweighted one.
    """
    problem = trial.problem
    if problem.reduction not in ("sum", "mean") or problem.rows < 2:  # noqa: PLR2004 - no parts
        return
    cut = max(1, problem.rows // 3)
    parts = _parts(trial, cut)
    if parts is None:
        return
    otherwise = f"from the parts before and from row {cut}"
    averaged = problem.reduction == "mean"
    shares = [_divisor(part) / _divisor(trial) if averaged else 1.0 for part in parts]
    first, *rest = [loss_of(part).times(share) for part, share in zip(parts, shares, strict=True)]
    yield agree(trial, "loss", loss_of(trial), first + rest[0] if rest else first, otherwise)


def _reduced(problem: Problem) -> Iterable[Problem]:
    if problem.reduction != "none" and problem.rows:
        yield problem


@requirement(
    "reduction.duplicate-batch",
    "a duplicated batch",
    source=RELATIONS,
    derive=_reduced,
    needs=[FREE_SHAPES],
    references=_PARTS,
)
def test_a_batch_twice_over_has_the_same_mean(trial: Trial) -> Iterator[Finding]:
    """Repeating every row leaves the mean unchanged and doubles the sum."""
    problem = trial.problem
    if problem.reduction not in ("sum", "mean") or not problem.rows:
        return
    twice = chosen_rows(problem, np.tile(np.arange(problem.rows), 2))
    if not trial.subject.takes(twice):
        return
    otherwise = "from every row twice"
    double = loss_of(trial.related(twice))
    yield agree(trial, "loss", loss_of(trial), double if problem.reduction == "mean" else double.times(0.5), otherwise)
