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

ALL = {name: one for name, one in load().items() if name.startswith(("conventions.all-m", "conventions.inf"))}
OF_SOFTMAX = {name for name in ALL if name.endswith("-softmax")}
OF_LOSS = set(ALL) - OF_SOFTMAX


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


class GuardedSoftmax(NumpyTwin):
    """The same for softmax and log_softmax: no share for rows of only -inf, and the limit for +inf."""

    def __init__(self, **choices):
        super().__init__("guarded-softmax", ("float32",))
        self.capabilities = replace(self.capabilities, conventions=Conventions(**choices))

    def softmax(self, logits):
        masked, infinite = np.isneginf(logits).all(axis=1, keepdims=True), np.isposinf(logits)
        limited = np.where(infinite.any(axis=1, keepdims=True), infinite, super().softmax(logits))
        return np.where(masked, 0, limited).astype(logits.dtype)

    def log_softmax(self, logits):
        with np.errstate(divide="ignore"):
            spoiled = ~np.isfinite(logits.max(axis=1, keepdims=True))
            return np.where(spoiled, np.log(self.softmax(logits)), super().log_softmax(logits)).astype(logits.dtype)


def failing(backend):
    subject = Subject.of(backend, "float32")
    return {
        name
        for name, one in ALL.items()
        for trial in trials(subject, one.source, Settings("quick"))
        if any(finding.failed for finding in findings(one, trial))
    }


def test_numbers_and_limits_are_right_where_they_are_declared():
    assert (len(OF_LOSS), len(OF_SOFTMAX)) == (4, 2)
    assert failing(Guarded(all_masked_row="zero", infinite_row="limit")) == set()
    assert failing(Guarded()) == OF_LOSS


@pytest.mark.parametrize("masked", ["inf", "zero"])
def test_a_guarded_softmax_is_right_where_a_guarded_loss_is_declared(masked):
    assert failing(GuardedSoftmax(all_masked_row=masked, infinite_row="limit")) & OF_SOFTMAX == set()
    assert failing(GuardedSoftmax()) == OF_SOFTMAX


@pytest.mark.parametrize("choice", ["inf", "nan"])
def test_a_loss_of_zero_is_no_other_convention(choice):
    assert "conventions.all-masked-row" in failing(Guarded(all_masked_row=choice, infinite_row="limit"))


def test_nan_is_not_the_limit_but_is_not_finite():
    twin = NumpyTwin("twin", ("float32",))
    wants = Conventions(infinite_row="limit", all_masked_row="zero")
    assert failing(twin) == set()
    twin.capabilities = replace(twin.capabilities, conventions=wants)
    assert failing(twin) == OF_LOSS
    twin.capabilities = replace(twin.capabilities, conventions=Conventions(infinite_row="not_finite"))
    assert failing(twin) == set()


def test_a_message_names_the_convention_that_would_have_to_be_declared():
    for name, one in ALL.items():
        subject = Subject.of(GuardedSoftmax() if name in OF_SOFTMAX else Guarded(), "float32")
        found = [f for trial in trials(subject, one.source, Settings("quick")) for f in findings(one, trial)]
        choice = "all_masked_row=nan" if "masked" in name else "infinite_row=nan"
        assert {f.message.rpartition(" (")[2] for f in found if f.failed} == {f"by the convention {choice})"}
