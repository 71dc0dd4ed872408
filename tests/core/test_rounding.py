"""What is rounded otherwise in another memory layout is no state that a call has left behind."""

import numpy as np

from mutants.numpy_twin import NumpyTwin
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load


class RoundedByLayout(NumpyTwin):
    """The loss of logits that are not contiguous is one unit in the last place larger, as of sums in another order."""

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        return loss if logits.flags.c_contiguous else np.nextafter(loss, np.float32(np.inf))


def test_arguments_that_are_read_anew_are_compared_in_their_layout():
    logits = np.array([[0, 1], [2, 0], [0, 0]], np.float32, order="F")
    trial = Trial(Subject.of(RoundedByLayout(), "float32"), Problem(logits, np.array([0, 1, 1]), reduction="sum"))
    found = findings(load()["purity.arguments-read-anew"], trial)
    assert found
    assert not any(finding.failed for finding in found)
