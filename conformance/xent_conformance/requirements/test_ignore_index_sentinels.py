"""Ignoring rows is the same as removing them, whatever number marks them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, IGNORING, Need
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.agreement import agree, both_agree, gradient_of, gradients_agree, loss_of
from xent_conformance.requirements.checks import loss_finding
from xent_conformance.requirements.grids import exact_sentinels
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import CHOSEN_SENTINEL, FREE_SHAPES, chosen_rows, relabelled
from xent_conformance.strategies.situations import IGNORING_ROWS

_REMOVED = [
    "https://github.com/PaddlePaddle/Paddle/issues/48663",
    "https://github.com/tracel-ai/burn/issues/5568",
    "https://github.com/pytorch/pytorch/issues/73205",
    "https://github.com/pytorch/pytorch/pull/69511",
    "https://github.com/Jittor/jittor/pull/233",
]


@requirement(
    "ignore_index.ignoring-is-removing",
    "ignoring rows is the same as removing them",
    source=IGNORING_ROWS,
    needs=[IGNORING, FREE_SHAPES],
    references=_REMOVED,
)
def test_ignored_rows_are_rows_that_are_not_there(trial: Trial) -> Iterator[Finding]:
    """Removing the ignored rows changes neither the losses of the others, nor sum, mean and divisor, nor any gradient,
    also with weights and smoothing.
    """
    problem = trial.problem
    ignored = problem.ignored()
    if not ignored.any() or ignored.all():
        return
    kept = np.flatnonzero(~ignored)
    twin, otherwise = trial.related(chosen_rows(problem, kept)), "without the ignored rows"
    ratio = 1.0
    if problem.reduction == "mean":
        divisor = float(trial.answer.form.divisor)
        ratio = float(twin.answer.form.divisor) / divisor if divisor else 1.0
    loss = loss_of(trial)
    of_kept = loss[kept] if problem.reduction == "none" else loss

    def place(index: tuple[int, ...]) -> tuple[int, ...]:
        return (int(kept[index[0]]), *index[1:]) if index else ()

    yield agree(trial, "loss", of_kept, loss_of(twin).times(ratio), otherwise, place=place)
    if GRADIENT.met_by(trial.subject):
        alone = gradient_of(twin).times(ratio)
        yield gradients_agree(trial, gradient_of(trial)[kept], alone, otherwise, place=place)


def _marked_otherwise(problem: Problem) -> Iterable[Problem]:
    """The same rows marked with other numbers: below and above the classes, C itself, and a class without rows."""
    ignored = problem.ignored()
    if problem.has_probabilities or not ignored.any():
        return
    labels, classes = problem.labels(), problem.classes
    unused = np.setdiff1d(np.arange(classes), labels[~ignored])[:1].tolist()
    every = [-1, classes, *unused, -2, 255, -classes, -100, classes + 1, 10**6]
    limits = np.iinfo(problem.target.dtype.name)
    for sentinel in every[(problem.rows + classes) % 4 :: 4]:
        if limits.min <= sentinel <= limits.max and not (labels[~ignored] == sentinel).any():
            yield relabelled(problem, np.where(ignored, sentinel, labels), ignore_index=int(sentinel))


def _unlike(sentinel: int) -> int:
    """A sentinel that differs from another one."""
    return -100 if sentinel != -100 else -7  # noqa: PLR2004 - the usual one


@requirement(
    "ignore_index.any-sentinel",
    "any number may mark ignored rows",
    source=IGNORING_ROWS,
    derive=_marked_otherwise,
    needs=[CHOSEN_SENTINEL],
    references=[
        "https://github.com/chainer/chainer/issues/2715",
        "https://github.com/pytorch/pytorch/issues/108148",
        "https://github.com/pytorch/pytorch/issues/15508",
        "https://github.com/PaddlePaddle/Paddle/issues/34718",
        "https://github.com/pytorch/pytorch/pull/192685",
    ],
)
def test_any_number_may_mark_ignored_rows(trial: Trial) -> Iterator[Finding]:
    """The result is the same for any ignore_index: negative, C or larger, or a class that no other row has."""
    problem = trial.problem
    ignored = problem.ignored()
    if problem.has_probabilities or problem.ignore_index is None or not ignored.any():
        return
    usual = _unlike(problem.ignore_index)
    twin = trial.related(relabelled(problem, np.where(ignored, usual, problem.labels()), ignore_index=usual))
    yield from both_agree(trial, twin, f"with ignore_index={usual}", equally=True)


def _by_default(problem: Problem) -> Iterable[Problem]:
    """Rows ignored by default, without passing ignore_index."""
    default = problem.sentinel
    if problem.has_probabilities or default is None:
        return
    ignored = problem.ignored()
    labels = problem.labels()
    if not (labels[~ignored] == default).any():
        yield relabelled(problem, np.where(ignored, default, labels), ignore_index=None)


@requirement(
    "ignore_index.default",
    "the default sentinel passed explicitly",
    source=IGNORING_ROWS,
    derive=_by_default,
    needs=[CHOSEN_SENTINEL, Need("a default ignore_index", lambda s: s.capabilities.default_ignore_index is not None)],
    references=["https://github.com/PaddlePaddle/Paddle/issues/17961", "https://github.com/pytorch/pytorch/pull/95833"],
)
def test_the_default_sentinel_may_be_passed(trial: Trial) -> Iterator[Finding]:
    """Passing the default value of ignore_index changes nothing, with and without rows that it ignores."""
    problem = trial.problem
    if problem.has_probabilities or problem.ignore_index is not None or problem.sentinel is None:
        return
    twin = trial.related(problem.with_(ignore_index=problem.sentinel))
    yield from both_agree(trial, twin, f"with ignore_index={problem.sentinel} passed", equally=True)


@requirement(
    "ignore_index.sentinel-is-exact",
    "the sentinel is not rounded or wrapped",
    source=exact_sentinels,
    needs=[CHOSEN_SENTINEL],
    references=["https://github.com/keras-team/keras/pull/15015", "https://github.com/pytorch/pytorch/pull/60650"],
)
def test_the_sentinel_is_not_rounded_or_wrapped(trial: Trial) -> Iterator[Finding]:
    """Only labels equal to ignore_index are ignored: not neighbouring ones around 2^8 and 2^11, which are equal to it
    in a narrow floating-point format, nor those that differ from it by 2^8, 2^16 or 2^32, which are equal in a narrow
    integer.
    """
    yield loss_finding(trial)
