"""logsumexp, log-probabilities of tokens and entropy: exact answers, and bounds against correct implementations."""

import numpy as np
import pytest
from flint import arb, ctx

from correct.catalogue import all_correct
from mutants.numpy_functions import Functions
from xent_conformance.conventions import Conventions
from xent_conformance.formats import FLOATING
from xent_conformance.interface import Capabilities
from xent_conformance.judging.judge import findings
from xent_conformance.judging.smoke import first_call
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.claims import complaint
from xent_conformance.oracle import Answer
from xent_conformance.oracle.arithmetic import ARB, FLOAT64
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load
from xent_conformance.strategies.broad import FORMS
from xent_conformance.strategies.streams import Draw, recipes_of

NAMES = ("logsumexp", "token-log-probs", "entropy")
REQUIREMENTS = [load()[f"language_model.{name}{end}"] for name in NAMES for end in ("", "-gradient")]
LOGITS = np.array([[1.0, -2.5, 0.25, 40.0], [0.0, 0.0, 7.5, -3.0], [-30.0, -np.inf, -1.0, 0.5]])
G = np.array([1.25, -0.5, 2.0])


def by_definition(row):
    """logsumexp, entropy, p and the slope of the entropy, of one row in 400 bits."""
    ctx.prec = 400
    try:
        e = [arb(0) if np.isinf(x) else arb(float(x)).exp() for x in row]
        total = sum(e, arb(0))
        p = [v / total for v in e]
        logs = [arb(0) if np.isinf(x) else v.log() for x, v in zip(row, p, strict=True)]
        entropy = -sum((v * w for v, w in zip(p, logs, strict=True)), arb(0))
        slope = [-v * (w + entropy) for v, w in zip(p, logs, strict=True)]
        return float(total.log().mid()), float(entropy.mid()), *([float(v.mid()) for v in one] for one in (p, slope))
    finally:
        ctx.prec = 53


@pytest.mark.parametrize("arithmetic", [FLOAT64, ARB], ids=lambda a: a.name)
def test_exact_answers_are_those_of_the_definition(arithmetic):
    answer = Answer(Problem(LOGITS, np.zeros(3, np.int64), reduction="none"), Conventions(), arithmetic)
    sums, entropies, p, slopes = (np.array(v) for v in zip(*map(by_definition, LOGITS), strict=True))
    for found, right in (
        (answer.logsumexp, sums),
        (answer.entropy, entropies),
        (answer.logsumexp_gradient(G), G[:, None] * p),
        (answer.entropy_gradient(G), G[:, None] * slopes),
    ):
        assert np.abs(found.value - right).max() <= 2e-15 * np.abs(right).max()


#: Implementations that come near the bounds in each dtype.
IMPLEMENTATIONS = {
    "float16": ("A, sums stored", "B, all rounded"),
    "bfloat16": ("A, tensors stored", "B, all and sums rounded"),
    "float32": ("A, descending", "B, sequential"),
    "float64": ("A, sequential",),
}


@pytest.mark.parametrize("dtype", FLOATING)
def test_correct_implementations_stay_within_every_bound(dtype):
    judged = set()
    for backend in (one for one in all_correct() if one.name in IMPLEMENTATIONS[dtype]):
        subject = Subject.of(backend, dtype)
        for recipe in recipes_of(FORMS, dtype, Draw(3, 20)):
            trial = Trial(subject, recipe.build(dtype, backend.capabilities))
            for requirement in REQUIREMENTS:
                for finding in findings(requirement, trial):
                    assert not finding.failed, (backend.name, requirement.id, finding.message)
                    judged |= {requirement.id} if finding.exercised else set()
    assert judged == {requirement.id for requirement in REQUIREMENTS}


@pytest.mark.parametrize("name", ["logsumexp", "token_log_probs", "entropy"])
def test_a_backend_may_have_one_of_them_alone(name):
    twin = Functions("twin", ("float32",))

    class Alone:
        pass

    alone = Alone()
    alone.name, alone.capabilities = "alone", Capabilities()
    setattr(alone, name, getattr(twin, name))
    assert complaint(alone) is None
    subject = Subject.of(alone, "float32")
    assert first_call(subject.description, subject.executor).method == name
    applying = {r.id for r in REQUIREMENTS if r.not_applicable(subject) is None}
    assert applying == {f"language_model.{name.replace('_', '-')}"}
    setattr(alone, f"{name}_vjp", getattr(twin, f"{name}_vjp"))
    assert complaint(alone) is None


def test_a_gradient_needs_its_function():
    class Alone:
        name, capabilities = "alone", Capabilities()

        def softmax(self, logits):
            return logits

        def entropy_vjp(self, cotangent, logits):
            return logits

    assert complaint(Alone()) == "it has entropy_vjp, but no entropy"
