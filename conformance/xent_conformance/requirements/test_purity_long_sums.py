"""Long sums, which round differently in another order, and which threads share: a repeated call gives the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.judging.findings import Finding, Held, NotRepeatable
from xent_conformance.judging.subject import DETERMINISM, FUNCTION, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import calls_of
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import FREE_SHAPES, claims_rank, classes_of, problem_of, row_shape_of
from xent_conformance.strategies.sources import listed

#: Shapes of logits whose sums have terms of very different size, with one problem for each reduction.
SHAPES: tuple[tuple[int, ...], ...] = ((611, 3), (2, 3, 17, 19), (3, 911), (1025,))
#: A shape whose calls last so long that the threads of a kernel run at the same time, even if these have to be woken.
#: With few classes they add to the sum often, so that a race between them shows.
MANY_ROWS = 20011, 2
#: How often a call is repeated; one of many rows more often.
AGAIN, AGAIN_WITH_MANY_ROWS = 4, 12


@listed("long sums", in_a_row=True)
def long_sums(subject: Subject) -> Iterator[Problem]:
    """Long sums over rows, positions and classes: each rounds differently in another order."""
    claims = subject.capabilities
    for shape in (s for s in (*SHAPES, MANY_ROWS) if claims_rank(subject, s)):
        rng = np.random.default_rng(len(shape))
        logits = rng.normal(size=shape) * 4
        labels = rng.integers(0, classes_of(shape), size=row_shape_of(shape))
        # Every reduction takes the same time, and of many rows that is long.
        summed = [reduction for reduction in claims.reductions if reduction != "none"] or claims.reductions
        for reduction in summed[:1] if shape is MANY_ROWS else claims.reductions:
            yield problem_of(subject, logits, labels, reduction)


@requirement(
    "purity.long-sums",
    "long sums are added in one order",
    source=long_sums,
    needs=[FUNCTION, DETERMINISM, FREE_SHAPES],
    references=[
        "https://github.com/pytorch/pytorch/issues/17350",
        "https://github.com/tensorflow/tensorflow/issues/38185",
    ],
)
def test_long_sums_are_added_in_one_order(trial: Trial) -> Iterator[Finding]:
    """If deterministic results are claimed, repeating a call gives bitwise the same loss and gradient, also with
    hundreds of positions or classes to add, and with up to 20,011 rows.
    """
    caller = trial.subject.caller
    again = AGAIN_WITH_MANY_ROWS if trial.problem.logits.shape == MANY_ROWS else AGAIN
    for call in calls_of(trial):
        first = caller.perform(call)
        if first.trouble is not None:
            continue
        others = [caller.perform(call) for _ in range(again)]
        seen = (NotRepeatable.seen((call,), first, other) for other in others)
        yield next((finding for finding in seen if finding is not None), Held(quantity="second call"))
