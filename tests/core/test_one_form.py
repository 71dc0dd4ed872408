"""A backend with one function only is judged by what is said of that function, and by nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

from xent_backends import numpy_cross_entropy, numpy_linear
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.interface import Capabilities
from xent_conformance.judging.judge import findings
from xent_conformance.judging.smoke import first_call
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.claims import complaint
from xent_conformance.loading.description import describe
from xent_conformance.loading.objects import is_backend
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load

CLAIMS = Capabilities(ignore_index=True, default_ignore_index=-100, weight=True, label_smoothing=True)
FUNCTIONS = {
    "linear_cross_entropy": numpy_linear.linear_cross_entropy,
    "softmax": numpy_cross_entropy.softmax,
    "log_softmax": numpy_cross_entropy.log_softmax,
    "nll_loss": numpy_cross_entropy.nll_loss,
}
JUDGED = {
    "linear_cross_entropy": {"fused_linear.loss"},
    "softmax": {
        "accuracy.softmax",
        "accuracy.softmax-any-size",
        "extremes.other-rows-of-functions",
        "identities.probabilities-in-range",
        "identities.softmax-rows-sum-to-one",
        "identities.worked-example",
    },
    "log_softmax": {
        "accuracy.log-softmax",
        "accuracy.softmax-any-size",
        "extremes.other-rows-of-functions",
        "identities.probabilities-in-range",
        "identities.worked-example",
    },
    "nll_loss": {"accuracy.nll-every-combination", "accuracy.nll-every-row-count"},
}
PROBLEM = Problem(
    np.array([[1.0, -2.0, 3.0], [0.0, 4.0, 2.0], [2.0, 2.0, -1.0]], dtype=np.float32),
    np.array([2, 0, -100]),
    reduction="none",
    sentinel=-100,
)


def only(name, function=None):
    return SimpleNamespace(name=f"only-{name}", capabilities=CLAIMS, **{name: function or FUNCTIONS[name]})


def failing(backend, problem):
    """Ids of the requirements that a backend breaks on a problem, and of those that are judged on it."""
    subject, broken, judged = Subject.of(backend, "float32"), set(), set()
    for requirement in load().values():
        if requirement.not_applicable(subject) is None:
            found = findings(requirement, Trial(subject, problem))
            judged.add(requirement.id)
            broken |= {requirement.id} if any(f.failed for f in found) else set()
    return broken, judged


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_an_adapter_whose_first_call_is_one_of_that_function(name):
    backend = only(name)
    assert complaint(backend) is None
    assert is_backend(backend)
    assert first_call(describe(backend), LocalExecutor(backend)).method == name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_correct_one_passes_what_is_said_of_its_function_and_nothing_else_applies(name):
    plain = PROBLEM.with_(target=np.array([2, 0, 1]), ignore_index=None)
    for problem in (PROBLEM, plain):
        broken, judged = failing(only(name), problem)
        assert not broken
    assert judged >= JUDGED[name]
    subject = Subject.of(only(name), "float32")
    others = [r for r in load().values() if r.id not in judged]
    assert all(
        reason.startswith((f"only-{name} has no ", f"only-{name} does not claim "))
        for reason in (requirement.not_applicable(subject) for requirement in others)
    )
    assert load()["accuracy.loss"].not_applicable(subject) == f"only-{name} has no cross_entropy"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_wrong_one_is_found(name):
    def wrong(*args, **options):
        return FUNCTIONS[name](*args, **options) * np.float32(1.25)

    problem = PROBLEM.with_(target=np.array([2, 0, 1]), ignore_index=None)
    broken, _ = failing(only(name, wrong), problem)
    assert broken & JUDGED[name]
    assert broken <= {*JUDGED[name], *(i for i in load() if i.startswith(("primitives.", "fused_linear.")))}


def test_a_backend_without_any_function_is_told_which_there_are():
    said = complaint(SimpleNamespace(name="nothing", capabilities=CLAIMS))
    assert said is not None
    assert "linear_cross_entropy, log_softmax, softmax, nll_loss" in said


def test_a_derivative_of_no_function_is_a_mistake():
    backend = only("softmax")
    backend.cross_entropy_vjp = numpy_cross_entropy.cross_entropy_vjp
    assert complaint(backend) == "it has cross_entropy_vjp, but no cross_entropy"
