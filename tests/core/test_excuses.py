"""One entry for one fault: it excuses what it lists, and what matches its patterns and fails on its witness."""

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.records.status import Status
from xent_conformance.requirements.registry import load
from xent_conformance.verdicts.deviations import Deviation
from xent_conformance.verdicts.evaluation import evaluate
from xent_conformance.verdicts.excuses import Excuses

WITNESS = {"logits": [[0.0, 1.0]], "target": [0], "weight": [1.0, 1.0], "reduction": "sum"}


class HalfWhereWeighted(NumpyBackend):
    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        return loss if options.get("weight") is None else np.asarray(loss / 2, dtype=loss.dtype)


class HalfOfSeveralRows(NumpyBackend):
    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        wrong = options.get("weight") is not None and target.shape[:1] > (1,)
        return np.asarray(loss / 2, dtype=loss.dtype) if wrong else loss


def verdict(identifier, *, backend=NumpyBackend, **entry):
    known = Deviation(("accuracy.loss",), "half where weighted", "unreported", WITNESS, where=("weight",), **entry)
    requirement = load()[identifier]
    return evaluate(Subject.of(backend(), "float32"), [requirement], Settings("quick", 0), [known])[identifier]


@pytest.mark.parametrize("also", ["accuracy.any-size", "accuracy.*", "*"])
def test_what_matches_and_fails_on_the_witness_is_excused(also):
    made = verdict("accuracy.any-size", backend=HalfWhereWeighted, also=(also,))
    assert made.status is Status.DEVIATION
    ((entry, failing),) = made.deviations
    assert entry.also == (also,)
    assert failing.finding.failed
    assert made.tally.excused > 0


def test_what_matches_no_pattern_is_not():
    assert verdict("accuracy.any-size", backend=HalfWhereWeighted, also=("gradients.*",)).status is Status.FAIL


def test_what_passes_on_the_witness_is_not():
    """Another fault in the same situation, which the witness of one row does not show."""
    assert verdict("accuracy.any-size", backend=HalfOfSeveralRows, also=("*",)).status is Status.FAIL


def test_a_problem_is_excused_while_the_witness_is_still_judged(monkeypatch):
    """A requirement's problems take turns, and the turns change during a call."""
    known = Deviation(("accuracy.loss",), "half where weighted", "unreported", WITNESS, where=("weight",), also=("*",))
    requirement, subject = load()["accuracy.any-size"], Subject.of(HalfWhereWeighted(), "float32")
    excuses, judged, problem = Excuses(requirement, subject, [known], None), Excuses._failing, known.witness_for
    during = []

    def failing(self, deviation, **options):
        if not during:
            during.append(None)
            during.append(self.excuse(problem("float32", None)))
        return judged(self, deviation, **options)

    monkeypatch.setattr(Excuses, "_failing", failing)
    assert excuses.excuse(problem("float32", None))
    assert during == [None, True]


def test_a_witness_that_a_requirement_cannot_judge_excuses_nothing():
    """Here without classes, which no source of this requirement draws and no exact answer exists for."""
    empty = {"logits": {"shape": [1, 0], "value": 0.0}, "target": [0], "reduction": "none"}
    known = Deviation(("edges.labels-without-classes",), "no classes", "unreported", empty, also=("*",))
    subject = Subject.of(HalfWhereWeighted(), "float32")
    for name in ("accuracy.any-size", "extremes.loss"):
        assert evaluate(subject, [load()[name]], Settings("quick", 0), [known])[name].status is Status.FAIL


def test_a_witness_of_a_pattern_that_passes_is_not_stale():
    assert verdict("accuracy.any-size", also=("*",)).status is Status.PASS
    assert verdict("accuracy.loss", also=("*",)).status is Status.ERROR
