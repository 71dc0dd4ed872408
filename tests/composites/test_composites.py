"""Planted faults are told apart, and one fault is one cause. CONTRIBUTING has the figures of many composites."""

from itertools import islice

import numpy as np
import pytest

from composites.measure import line, run, score, tallies
from composites.planted import candidates, sampled
from mutants.numpy_twin import NumpyTwin
from xent_conformance.judging.judge import trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.records.causes import causes as recorded
from xent_conformance.requirements.registry import load
from xent_conformance.witnesses.behind import causes


class UnbatchedMeanOfNothing(NumpyTwin):
    """The mean of an unbatched row that is ignored is 0, as on one device of a library, where it is nan for a batch."""

    def reduced(self, call, losses):
        nothing = call.logits.ndim == 1 and call.ignored.all() and call.reduction == "mean"
        return np.zeros((), call.logits.dtype) if nothing else super().reduced(call, losses)


@pytest.mark.parametrize(
    "names",
    [
        ("all-ignored-gradient-is-nan", "spatial-mean-over-batch"),
        ("mean-over-all-rows", "unknown-reduction-is-mean"),
        ("expanded-weight-read-as-dense", "ignored-targets-in-weighted-divisor"),
    ],
    ids=" and ".join,
)
def test_two_faults_are_named_in_one_run(names):
    mutants = candidates()
    made = run(tuple(mutants[name] for name in names), Settings("composites"))
    assert made.visible == set(names)
    found = score([made])
    assert (found.named, found.misplaced) == (1, 0)
    assert found.surplus <= 1


def test_one_fault_that_breaks_four_requirements_in_four_dtypes_is_one_cause():
    broken = ("accuracy.loss", "conventions.all-ignored-loss", "extremes.loss", "identities.ce-is-nll-of-log-softmax")
    lines = []
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        subject = Subject.of(UnbatchedMeanOfNothing(), dtype)
        for requirement in map(load().get, broken):
            drawn = islice(trials(subject, requirement.source, Settings()), 250)
            for judged, tally in tallies([requirement], subject, drawn):
                lines += [line(judged, cause, {}) for cause in causes(judged, subject, tally.failing)]
    (cause,) = recorded(lines)
    assert (cause.requirements, len(cause.dtypes)) == (tuple(sorted(broken)), 4)
    assert {"unbatched", "reduction mean"} <= set(cause.shown.failure.situation)


def test_composites_are_the_same_for_the_same_seed():
    one, other = ([[m.name for m in mutants] for mutants in sampled(4, 2, seed)] for seed in (5, 5))
    assert one == other
    assert one != [[m.name for m in mutants] for mutants in sampled(4, 2, 6)]
