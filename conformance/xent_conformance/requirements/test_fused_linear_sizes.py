"""Fused linear maps of every size: classes, rows and hidden features at the edges of vectors, tiles and blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import FUSED_LINEAR, LINEAR_GRADIENT, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.factors import factors_of
from xent_conformance.requirements.linear_products import exact_enough, gradients_beside_exact, loss_beside_exact
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import FREE_SHAPES, problem_of
from xent_conformance.strategies.sources import listed

#: Numbers of classes at the edges of vectors, blocks and integer types, and three vocabularies.
CLASSES = (
    *(1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 511, 512, 513),
    *(1000, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, 8191, 8192, 8193, 16383, 16384, 16385),
    *(21128, 30522, 32000, 32767, 32768),
)
ROWS = (
    *(1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129),
    *(255, 256, 257, 511, 512, 513, 1023, 1024),
)
#: Numbers of classes that each number of rows is tried with, in turn.
FEW_CLASSES = (5, 40)
#: One problem in so many has the last class as a label.
LAST = 3


@listed("linear sizes")
def linear_sizes(subject: Subject) -> Iterator[Problem]:
    """A problem for each number of classes, in which the last class and one in the middle lead, and for each of rows.

    The number of features differs from problem to problem (see ``factors``).
    """
    claims = subject.capabilities
    limit, default = claims.max_classes or max(CLASSES), claims.default_ignore_index
    for number, classes in enumerate(c for c in CLASSES if c <= limit):
        logits = np.full((2, classes), -4.0)
        logits[0, -1] = logits[1, classes // 2] = 4.0
        labels = np.array([classes - 1 if number % LAST == 0 else 0, min(1, classes - 1)])
        yield problem_of(subject, logits, labels, claims.reductions[number % len(claims.reductions)])
    for number, rows in enumerate(ROWS):
        classes = min(limit, FEW_CLASSES[number % len(FEW_CLASSES)])
        place = np.arange(rows)
        logits = (place[:, None] * 3 + np.arange(classes) * 5) % 7 - 3.0
        labels = place * 7 % classes
        if default is not None and number % LAST:
            # The last row, and others, but not the first.
            labels[rows - 1 : 0 : -5] = default
        yield problem_of(subject, logits, labels, claims.reductions[number % len(claims.reductions)])


@requirement(
    "fused_linear.every-size",
    "linear maps of every size",
    source=linear_sizes,
    needs=[FUSED_LINEAR, FREE_SHAPES],
    references=[
        "https://github.com/apple/ml-cross-entropy/issues/53",
        "https://github.com/verl-project/verl/pull/5349",
    ],
)
def test_a_linear_map_of_every_size(trial: Trial) -> Iterator[Finding]:
    """For 1 to 32768 classes, 1 to 1024 rows and up to 256 hidden features, at every edge of a vector, tile or block,
    loss and gradients of a linear map are within their bounds.
    """
    factors = factors_of(trial.problem, bias=trial.subject.capabilities.linear_bias)
    if factors is None:
        return
    yield loss_beside_exact(trial, factors)
    defined = np.isfinite(trial.answer.grad_logits.value).all()
    if LINEAR_GRADIENT.met_by(trial.subject) and defined and exact_enough(trial):
        yield from gradients_beside_exact(trial, factors, trial.linear_gradients(factors))
