"""Class weights and probability targets in another dtype than the logits: problems, bounds, claims, causes."""

from dataclasses import replace

import numpy as np
import pytest

from correct.catalogue import all_correct
from mutants.mixed import MixedTwin, RefusesWideWeights, WideWeightsOfSmoothingForgotten
from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.causes.facts import facts
from xent_conformance.causes.variants import WITHOUT, variants
from xent_conformance.detection.campaign_quantities import compared
from xent_conformance.formats import FLOATING, rounded
from xent_conformance.interface import Capabilities
from xent_conformance.judging.judge import findings, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.claims import complaint
from xent_conformance.problem import Problem
from xent_conformance.problem_data import from_data, from_literals, to_data
from xent_conformance.problem_traits import TRAITS, traits
from xent_conformance.requirements.registry import load
from xent_conformance.requirements.test_dtypes_mixed import MIXED, promoted
from xent_conformance.strategies import EVERYTHING
from xent_conformance.strategies.operand_dtypes import MIXED_DTYPES
from xent_conformance.strategies.streams import Draw, recipes_of

ALL = replace(EVERYTHING, weight_dtypes=FLOATING, probability_dtypes=FLOATING)


def drawn(dtype, claims, count=40):
    return [recipe.build(dtype, claims) for recipe in recipes_of(MIXED_DTYPES, dtype, Draw(0, count))]


@pytest.mark.parametrize("dtype", FLOATING)
def test_most_problems_are_mixed_and_their_numbers_are_exact_in_the_arithmetic_of_the_call(dtype):
    problems = drawn(dtype, ALL)
    assert sum(bool(p.mixed_dtypes()) for p in problems) > 0.8 * len(problems)
    assert any(len(p.mixed_dtypes()) == 2 for p in problems)
    assert {name for p in problems for name in p.mixed_dtypes().values()} == set(FLOATING) - {dtype}
    for p in problems:
        for operand in (p.weight, p.target if p.has_probabilities else None):
            values = np.zeros(1) if operand is None else operand.astype(np.float64)
            # Nothing is declared, so every operation may be rounded to the dtype of the logits.
            assert (rounded(values, dtype) == values).all()


def test_wide_operands_have_the_digits_of_float32_where_that_is_what_an_implementation_computes_in():
    claims = replace(ALL, precision=NumpyBackend().capabilities.precision)
    weights = [p.weight for p in drawn("bfloat16", claims) if p.weight is not None]
    wide = [weight.astype(np.float64) for weight in weights if weight.dtype == np.float32]
    assert any((rounded(values, "bfloat16") != values).any() for values in wide)


def test_what_is_not_claimed_has_the_dtype_of_the_logits():
    assert not any(p.mixed_dtypes() for p in drawn("bfloat16", EVERYTHING))
    only = drawn("bfloat16", replace(EVERYTHING, weight_dtypes=("float32",)))
    assert {(*p.mixed_dtypes().items(),) for p in only} == {(), (("weight_dtypes", "float32"),)}


#: One implementation for each dtype; the campaign has all of them on more problems.
IMPLEMENTATIONS = {
    "float16": "B, all and sums rounded",
    "bfloat16": "B, tensors stored",
    "float32": "B, approximate log",
    "float64": "A, sequential",
}


@pytest.mark.parametrize("dtype", FLOATING)
def test_a_correct_implementation_stays_within_every_bound(dtype):
    (backend,) = (one for one in all_correct() if one.name == IMPLEMENTATIONS[dtype])
    subject, judged = Subject.of(backend, dtype), 0
    for problem in drawn(dtype, backend.capabilities):
        for quantity, finding, elements in compared(Trial(subject, problem)):
            assert finding.ratio < 1, (quantity, finding.message)
            judged += elements
    assert judged > 1000


def test_dtypes_to_which_two_are_promoted():
    assert promoted("float16", "bfloat16") == promoted("bfloat16", "float32") == "float32"
    assert promoted("float64", "float16") == "float64"


def mixed(**options):
    return Problem(
        np.array([[0.0, 1.0, 2.0]], np.float32),
        np.array([[0.5, 0.25, 0.25]]),
        np.array([1.0, 2.0, 0.5], np.float16),
        reduction="sum",
        cotangent=np.array(1.0, np.float32),
        **options,
    )


def test_a_deviation_file_can_express_them():
    problem = mixed()
    literal = {
        "logits": [[0.0, 1.0, 2.0]],
        "target": [[0.5, 0.25, 0.25]],
        "weight": [1.0, 2.0, 0.5],
        "target_dtype": "float64",
        "weight_dtype": "float16",
        "reduction": "sum",
    }
    assert to_data(from_literals(literal, "float32", None)) == to_data(problem) == to_data(from_data(to_data(problem)))
    assert {"weight-float16", "probability-float64"} <= traits(problem) <= set(TRAITS)


def test_a_backend_is_asked_only_for_the_dtypes_that_it_claims():
    claims = replace(ALL, logits_dtypes=("float32",), weight_dtypes=("float16",), probability_dtypes=())
    backend = MixedTwin("claims-less", ("float32",))
    backend.capabilities = claims
    subject = Subject.of(backend, "float32")
    assert subject.unclaimed(mixed()) == {"probability_dtypes"}
    assert MIXED.missing(subject) is None
    backend.capabilities = replace(claims, weight_dtypes=("float32",))
    assert MIXED.missing(Subject.of(backend, "float32")) is not None


def test_claims_name_floating_point_formats():
    backend = MixedTwin("wrong", ("float32",))
    assert complaint(backend) is None
    for wrong in (("int8",), "float32", ("float16", "float16"), None):
        backend.capabilities = Capabilities(weight_dtypes=wrong)
        assert "capabilities.weight_dtypes must" in complaint(backend)


def test_other_dtypes_are_facts_that_a_variant_is_without():
    names = [name for name in facts(mixed()) if name.endswith("of another dtype than the logits")]
    assert len(names) == 2
    for name in names:
        (variant,) = variants(mixed(), name)
        assert name not in facts(variant)
    for name in facts(mixed()) & set(WITHOUT) - {*names, "probability targets", "class weights"}:
        for variant in variants(mixed(), name):
            assert set(names) <= facts(variant), name


@pytest.mark.parametrize("wrong", [RefusesWideWeights, WideWeightsOfSmoothingForgotten])
def test_a_mutant_fails_with_weights_of_another_dtype_alone(wrong):
    requirement, subject = load()["dtypes.mixed"], Subject.of(wrong("wrong", ("bfloat16",)), "bfloat16")
    failing = plain = 0
    for trial in trials(subject, MIXED_DTYPES, Settings("default")):
        made = findings(requirement, trial)
        failing += any(finding.failed for finding in made)
        plain += "weight_dtypes" not in trial.problem.mixed_dtypes() and any(finding.failed for finding in made)
    assert failing
    assert not plain
