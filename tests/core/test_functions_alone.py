"""Backends without cross_entropy: purity is judged by the functions that they have."""

from itertools import islice

import numpy as np
import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.interface import Capabilities
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.requirements.registry import load

TWIN = NumpyTwin("twin", ("float32",))
PURITY = sorted(
    name
    for name, requirement in load().items()
    if name.startswith("purity.") and name not in {"purity.first-call", "purity.surroundings"}
)


class OnlyLogSoftmax:
    """log_softmax and its gradient, and nothing else."""

    name, device = "log-softmax", "cpu"
    capabilities = Capabilities(logits_dtypes=("float32",), unbatched=True, spatial=True)

    def log_softmax(self, logits):
        return TWIN.log_softmax(logits)

    def log_softmax_vjp(self, cotangent, logits):
        return TWIN.log_softmax_vjp(cotangent, logits)


class OnlyNllLoss:
    """nll_loss and nothing else."""

    name, device = "nll", "cpu"
    capabilities = TWIN.capabilities

    def nll_loss(self, log_probs, target, **options):
        return TWIN.nll_loss(log_probs, target, **options)


class OneBuffer(OnlyLogSoftmax):
    """Every result of one shape is the same array."""

    def __init__(self):
        self.buffers = {}

    def log_softmax(self, logits):
        buffer = self.buffers.setdefault(logits.shape, np.empty(logits.shape, logits.dtype))
        buffer[...] = super().log_softmax(logits)
        return buffer


class Overwrites(OnlyLogSoftmax):
    """The result is written over the logits."""

    def log_softmax(self, logits):
        logits[...] = super().log_softmax(logits)
        return logits.copy()


class Alternates(OnlyNllLoss):
    """Every other loss is off."""

    calls = 0

    def nll_loss(self, log_probs, target, **options):
        self.calls += 1
        return super().nll_loss(log_probs, target, **options) + np.float32(self.calls % 2)


def findings_of(backend, name):
    subject, requirement = Subject.of(backend, "float32"), load()[name]
    assert requirement.not_applicable(subject) is None
    return [
        found
        for trial in islice(trials(subject, requirement.source, Settings()), 12)
        for _, some in judge(requirement, trial)
        for found in some
    ]


@pytest.mark.parametrize("name", PURITY)
@pytest.mark.parametrize("backend", [OnlyLogSoftmax, OnlyNllLoss])
def test_a_right_function_is_pure(backend, name):
    found = findings_of(backend(), name)
    assert any(f.exercised for f in found)
    assert not any(f.failed for f in found)


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (OneBuffer, "purity.results-are-independent"),
        (Overwrites, "purity.inputs-unchanged"),
        (Alternates, "purity.repeatable"),
    ],
)
def test_an_impure_function_fails(backend, name):
    assert any(f.failed for f in findings_of(backend(), name))
