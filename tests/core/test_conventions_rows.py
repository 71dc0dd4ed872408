"""Rows without a softmax: a backend passes by the convention that it declares, and by no other."""

from dataclasses import replace

import numpy as np
import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.conventions import Conventions
from xent_conformance.interface import Vjp
from xent_conformance.judging.judge import findings, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.requirements.registry import load

REQUIREMENTS = {name: one for name, one in load().items() if name.startswith(("conventions.all-m", "conventions.inf"))}


class Guarded(NumpyTwin):
    """Replaces rows of only -inf by rows of zeros without a share; takes +inf for the limit of large numbers."""

    def __init__(self, **choices):
        super().__init__("guarded", ("float32",))
        self.capabilities = replace(self.capabilities, conventions=Conventions(**choices))

    def cross_entropy(self, logits, target, **options):
        return self.cross_entropy_vjp(np.ones(target.shape, np.float32), logits, target, **options).loss

    def cross_entropy_vjp(self, cotangent, logits, target, **options):
        masked, infinite = np.isneginf(logits).all(axis=1), np.isposinf(logits)
        limited = np.where(infinite.any(axis=1, keepdims=True), np.where(infinite, 1e30, 0), logits)
        calm = np.where(masked[:, None], 0, limited).astype(logits.dtype)
        result = super().cross_entropy_vjp(cotangent, calm, target, **options)
        loss = np.where(result.loss > 1e20, np.inf, np.where(masked, 0, result.loss)).astype(logits.dtype)
        return Vjp(loss, np.where(masked[:, None], 0, result.grad_logits).astype(logits.dtype), None)


def failing(backend):
    subject = Subject.of(backend, "float32")
    return {
        name
        for name, one in REQUIREMENTS.items()
        for trial in trials(subject, one.source, Settings("quick"))
        if any(finding.failed for finding in findings(one, trial))
    }


def test_numbers_and_limits_are_right_where_they_are_declared():
    assert len(REQUIREMENTS) == 4
    assert failing(Guarded(all_masked_row="zero", infinite_row="limit")) == set()
    assert failing(Guarded()) == set(REQUIREMENTS)


@pytest.mark.parametrize("choice", ["inf", "nan"])
def test_a_loss_of_zero_is_no_other_convention(choice):
    assert "conventions.all-masked-row" in failing(Guarded(all_masked_row=choice, infinite_row="limit"))


def test_nan_is_not_the_limit_but_is_not_finite():
    twin = NumpyTwin("twin", ("float32",))
    wants = Conventions(infinite_row="limit", all_masked_row="zero")
    assert failing(twin) == set()
    twin.capabilities = replace(twin.capabilities, conventions=wants)
    assert failing(twin) == set(REQUIREMENTS)
    twin.capabilities = replace(twin.capabilities, conventions=Conventions(infinite_row="not_finite"))
    assert failing(twin) == set()


def test_a_message_names_the_convention_that_would_have_to_be_declared():
    subject = Subject.of(Guarded(), "float32")
    for name, one in REQUIREMENTS.items():
        found = [f for trial in trials(subject, one.source, Settings("quick")) for f in findings(one, trial)]
        choice = "all_masked_row=nan" if "masked" in name else "infinite_row=nan"
        assert {f.message.rpartition(" (")[2] for f in found if f.failed} == {f"by the convention {choice})"}
