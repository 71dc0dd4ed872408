"""Sizes beyond the range of narrow indices. The problems take gigabytes, so they have a profile of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from xent_conformance.calling.calls import Outcome, forward
from xent_conformance.calling.strides import windows
from xent_conformance.isolation.process import granted_memory
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, OWN_PROCESS, Need, Subject, so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import gradient_finding, loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import problem_of
from xent_conformance.strategies.sources import listed

#: Numbers of classes beyond the largest of ``sweeps``.
CLASSES = (2**17 - 1, 2**17 + 1, 2**18, 2**19 + 1, 2**20 - 1, 2**20)
#: Classes and rows of the large array: slightly more than 2**31 elements.
WIDE, LONG = 65537, 32771
#: Distance between two classes with larger logits, a prime.
APART = 311
#: Number of rows that are judged besides those around 2**30 and 2**31 elements.
OTHERS = 16
#: Size of the array, a contiguous copy, its log-probabilities and a reserve, as a multiple of the array.
COPIES = 4

_SIZES = [
    "https://github.com/pytorch/pytorch/issues/111484",
    "https://github.com/pytorch/pytorch/issues/84144",
    "https://github.com/PaddlePaddle/Paddle/pull/74061",
]
UNLIMITED = Need("any number of classes", lambda s: s.capabilities.max_classes is None, "many classes")
ROW_LOSSES = Need('the reduction "none"', lambda s: "none" in s.capabilities.reductions)


@listed("many classes")
def many_classes(subject: Subject) -> Iterator[Problem]:
    """Rows with different largest classes, including the first and the last."""
    for classes in CLASSES[-1:] if subject.capabilities.static_shapes else CLASSES:
        lanes = np.array([classes - 1, 0, classes // 2, 2**17 - 2])
        logits = np.full((len(lanes), classes), -50.0)
        logits[np.arange(len(lanes)), lanes] = 0.0
        yield problem_of(subject, logits, lanes, subject.capabilities.reductions[0])


@requirement(
    "scale.classes",
    "a million classes: the loss",
    source=many_classes,
    needs=[UNLIMITED],
    references=_SIZES,
    reducible=False,
)
def test_every_class_of_a_million_counts(trial: Trial) -> Iterator[Finding]:
    """With up to 2^20 classes the loss is within its bound, whichever class has the largest logit."""
    yield loss_finding(trial)


@requirement(
    "scale.classes-gradient",
    "a million classes: the gradient",
    source=many_classes,
    needs=[UNLIMITED, GRADIENT],
    references=_SIZES,
    reducible=False,
)
def test_every_class_of_a_million_has_its_gradient(trial: Trial) -> Iterator[Finding]:
    """With up to 2^20 classes each class has its own gradient."""
    yield gradient_finding(trial)


@listed("one long row")
def one_long_row(subject: Subject) -> Iterator[Problem]:
    """The row of which logits (LONG, WIDE) are windows; no problem if copies of these would not fit into memory."""
    base = np.full(LONG + WIDE - 1, -2.0)
    base[::APART] = np.arange(len(base[::APART])) % 5 + 1.0
    problem = problem_of(subject, base[None], [0])
    if COPIES * LONG * WIDE * problem.logits.itemsize <= (granted_memory() if subject.device == "cpu" else np.inf):
        yield problem


@requirement(
    "scale.elements",
    "more than 2^31 elements",
    source=one_long_row,
    # If memory runs out, only the worker process ends.
    needs=[so_many(LONG), UNLIMITED, ROW_LOSSES, OWN_PROCESS],
    references=[*_SIZES, "https://github.com/Dao-AILab/flash-attention/issues/714"],
    reducible=False,
)
def test_rows_beyond_two_to_the_31_elements_count(trial: Trial) -> Iterator[Finding]:
    """With more than 2^31 logits each row has its own loss. Row i is the window of one long row that starts at i, so
    that neighbouring rows differ. A call that runs out of memory is not judged.
    """
    problem = _large(trial.problem)
    if problem is None:
        return
    large = trial.related(problem)
    if ran_out_of_memory(large.outcome(forward(problem))):
        return
    judged = _judged_rows(problem.rows)
    few = trial.related(problem.with_(logits=problem.logits[judged], target=problem.target[judged], cotangent=None))
    loss, exact, bounds, call = large.loss(), few.answer.loss, few.bounds, forward(problem)
    finding = large.compare("loss", loss[judged], exact, bounds.loss, overflows=bounds.overflows, call=call)
    yield replace(finding, index=None if finding.index is None else (int(judged[finding.index[0]]),))


def _large(row: Problem) -> Problem | None:
    """The problem of the windows of a long row; the target of each is the next class with a larger logit."""
    base = np.ascontiguousarray(row.logits[0])
    if base.size < LONG + WIDE - 1:
        return None
    logits = windows(base, (LONG, WIDE), (base.itemsize, base.itemsize))
    target = -np.arange(LONG, dtype=np.int64) % APART
    return row.with_(logits=logits, target=target, reduction="none", cotangent=None)


def _judged_rows(rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    edges = [2**30 // WIDE, 2**31 // WIDE]
    near = [row + step for row in edges for step in (-1, 0, 1, 2) if row + step < rows]
    some = np.linspace(0, rows - 1, OTHERS).astype(np.int64)
    return np.unique([*near, *some.tolist()])


def ran_out_of_memory(outcome: Outcome) -> bool:
    """Whether a call raised because of too little memory, by the messages of NumPy, torch and XLA."""
    message = f"{outcome.raised_type} {outcome.raised}".lower() if outcome.raised is not None else ""
    return "memory" in message or "resource_exhausted" in message
