"""Every deliberate defect of oracle, bounds and judge makes the tests that are named for it fail."""

from functools import cache
from importlib import import_module

import pytest

from truth import bound_sabotages, judge_sabotages, oracle_sabotages, tally_sabotages
from truth.sabotage import fails, runs_of, unwrapped

CATALOGUE = [
    *oracle_sabotages.catalogue(),
    *bound_sabotages.catalogue(),
    *judge_sabotages.catalogue(),
    *tally_sabotages.catalogue(),
]


def killers(sabotages):
    """(module, name) of each test that is named to kill one of them."""
    named = dict.fromkeys(name for sabotage in sabotages for name in sabotage.killed_by)
    return [(import_module(f"core.{module}"), test) for module, test in (name.split(".") for name in named)]


@cache
def passes(module, test):
    """Whether a test passes without a defect, as of its first call: what it caches is then made by sound code."""
    return not fails(module, test)


@pytest.mark.parametrize("sabotage", CATALOGUE, ids=lambda sabotage: sabotage.name)
def test_each_defect_is_noticed(sabotage):
    able = [(module, test) for module, test in killers([sabotage]) if any(runs_of(module, test))]
    if not able:
        pytest.skip("its tests need a wide longdouble")
    assert [test for module, test in able if not passes(module, test)] == []
    with sabotage.applied():
        assert [test for module, test in able if not fails(module, test)] == []


def test_a_defect_is_gone_afterwards():
    sabotage = CATALOGUE[0]
    right = unwrapped(sabotage.function).__code__
    with sabotage.applied():
        assert unwrapped(sabotage.function).__code__ is not right
    assert unwrapped(sabotage.function).__code__ is right


def test_names_are_unique_and_tests_exist():
    names = [sabotage.name for sabotage in CATALOGUE]
    assert len(names) == len(set(names)) >= 100
    assert all(callable(getattr(module, test)) for module, test in killers(CATALOGUE))


def test_the_catalogue_covers_every_module_of_the_truth():
    defective = {unwrapped(sabotage.function).__module__.removeprefix("xent_conformance.") for sabotage in CATALOGUE}
    assert {"oracle.log1p_form", "oracle.arb", "oracle.arithmetic", "oracle.normal_form", "oracle.answer"} <= defective
    assert {"oracle.blocks", "requirements.checks"} <= defective
    assert {
        f"bounds.{module}" for module in ("class_sum", "error_model", "gradients", "overflow", "tolerances")
    } <= defective
    assert {"judging.findings.numbers", "judging.findings.base", "verdicts.tally"} <= defective
