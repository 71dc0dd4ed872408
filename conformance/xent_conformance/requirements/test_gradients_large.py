"""Gradients of millions of elements, for which kernels split their work differently than for fewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from xent_conformance.calling.calls import backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, Need, Subject, so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import AnyArray, Problem
from xent_conformance.requirements.agreement import effect_of
from xent_conformance.requirements.checks import gradient_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import FREE_SHAPES, problem_of
from xent_conformance.strategies.sources import listed

#: Rows and classes: about 2^22 elements, and neither a multiple of a block.
ROWS, CLASSES = 4101, 1031
#: Number of different rows, which repeat: a prime, so that successive blocks of rows differ.
DIFFERENT = 31

#: float64 would take twice the time and memory, and kernels split its work in the same way.
NARROW = Need("a dtype narrower than float64", lambda s: s.dtype != "float64")
MANY_CLASSES = Need(f"{CLASSES} classes", lambda s: s.takes_classes(CLASSES), "many classes")
ROW_LOSSES = Need('the reduction "none"', lambda s: "none" in s.capabilities.reductions)


@listed("a large gradient")
def a_large_gradient(subject: Subject) -> Iterator[Problem]:
    """The different rows of a large batch, some of them ignored."""
    claims = subject.capabilities
    place = np.arange(DIFFERENT * CLASSES)
    logits = ((place * 11 % 37) / 8 + place % 1009 % 5).reshape(DIFFERENT, CLASSES)
    labels = np.arange(DIFFERENT) * 337 % CLASSES
    if claims.default_ignore_index is not None:
        labels[::5] = claims.default_ignore_index
    yield problem_of(subject, logits, labels, "none")


@requirement(
    "gradients.large-call",
    "a gradient of four million elements",
    source=a_large_gradient,
    needs=[FREE_SHAPES, GRADIENT, NARROW, so_many(ROWS), MANY_CLASSES, ROW_LOSSES],
    references=[
        "https://github.com/pytorch/pytorch/issues/190139",
        "https://github.com/PaddlePaddle/Paddle/pull/73533",
    ],
    reducible=False,
    cheaper=lambda trial: [gradient_finding(trial)],
)
def test_each_element_of_a_large_gradient_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """In one call of 4101 rows and 1031 classes each row, ignored or not, gets its own gradient."""
    few, problem = trial.problem, _many_rows(trial.problem)
    gradient = trial.related(problem).gradients().logits
    exact = trial.answer.grad_logits
    # Of equal rows, the one with the largest error is judged.
    distance = np.abs(gradient - exact.value[np.arange(ROWS) % DIFFERENT]).max(axis=1)
    far = np.where(np.isnan(distance), np.inf, distance)
    worst = np.array([np.argmax(far[row::DIFFERENT]) * DIFFERENT + row for row in range(len(few.logits))])
    found = trial.compare(
        "grad_logits",
        gradient[worst],
        exact,
        trial.bounds.grad_logits,
        effect=effect_of(exact.value),
        call=backward(problem),
    )
    yield replace(found, index=None if found.index is None else (int(worst[found.index[0]]), *found.index[1:]))


def _many_rows(few: Problem) -> Problem:
    """The problem with ROWS rows that repeat those of a smaller problem."""

    def repeated(array: AnyArray) -> AnyArray:
        return np.ascontiguousarray(array[np.arange(ROWS) % len(few.logits)])

    cotangent = None if few.cotangent is None else repeated(few.cotangent)
    return few.with_(logits=repeated(few.logits), target=repeated(few.target), cotangent=cotangent)
