"""A gradient of probability targets may be missing, but not for some calls alone."""

import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.records.status import Status
from xent_conformance.requirements.registry import load
from xent_conformance.verdicts.evaluation import evaluate


def verdict_where(gives):
    """The verdict on a backend that differentiates its targets for the logits that it ``gives`` for, and no others."""

    class Partly(NumpyBackend):
        def cross_entropy_vjp(self, cotangent, logits, target, **options):
            found = super().cross_entropy_vjp(cotangent, logits, target, **options)
            return found if gives(logits) else found._replace(grad_target=None)

    chosen = load()["gradients.probability-targets"]
    return evaluate(Subject.of(Partly(), "float32"), [chosen], Settings("quick"))[chosen.id]


def test_one_that_is_never_given_is_not_applicable_and_says_so():
    verdict = verdict_where(lambda logits: False)
    assert verdict.status is Status.NOT_APPLICABLE
    assert verdict.reason == "numpy returns no gradient of probability targets (grad_target is None)"
    assert verdict.tally.ratio is None


@pytest.mark.parametrize("gives", [lambda logits: logits.ndim == 2, lambda logits: len(logits) > 2])
def test_one_that_is_given_for_some_calls_is_missing_in_the_others(gives):
    verdict = verdict_where(gives)
    assert verdict.status is Status.FAIL
    assert "returned no grad_target, though it does for logits" in verdict.failing[0].finding.message


def test_one_that_is_always_given_is_judged():
    assert verdict_where(lambda logits: True).status is Status.PASS
