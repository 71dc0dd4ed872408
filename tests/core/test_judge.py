"""Judging one comparison: ratios, what is not finite, and what counts as exercised."""

import numpy as np
import pytest

from xent_conformance.formats import format_named
from xent_conformance.judging.findings import Finding, Held, NoResult, compare
from xent_conformance.oracle import Exact

F32 = format_named("float32")


def one(got, exact, bound, **more):
    return compare("loss", np.array([got]), Exact(np.array([exact])), np.array([bound]), F32, **more)


@pytest.mark.parametrize(
    ("got", "exact", "bound", "ratio"),
    [
        (1.0, 1.0, 0.0, 0.0),
        (1.5, 1.0, 1.0, 0.5),
        (3.0, 1.0, 1.0, 2.0),
        (1.0 + 1e-7, 1.0, 0.0, np.inf),
        (1.0 + 1e-12, 1.0, 0.0, np.inf),
        (np.nan, np.nan, 0.0, 0.0),
        (np.nan, 1.0, 1.0, np.inf),
        (1.0, np.nan, 1.0, np.inf),
        (np.inf, np.inf, 0.0, 0.0),
        (-np.inf, np.inf, 1.0, np.inf),
        (1e30, np.inf, 1.0, np.inf),
        (np.inf, 1.0, 1.0, np.inf),
        (np.inf, 3.4028e38, 1e36, 0.0),
        (-np.inf, 3.4028e38, 1e36, np.inf),
        (123.0, 1.0, np.inf, 0.0),
        (np.nan, 1.0, np.inf, 0.0),
    ],
)
def test_ratio(got, exact, bound, ratio):
    finding = one(got, exact, bound)
    assert finding.ratio == pytest.approx(ratio)
    assert finding.failed == (ratio > 1)


def test_a_ratio_of_nan_would_fail():
    assert Finding(quantity="x", ratio=np.nan).failed
    assert NoResult(quantity="x", how="y").failed
    assert not Held(quantity="x").failed


def test_residual_of_the_exact_value_counts():
    """float64 alone could not tell an error of half a unit roundoff from none."""
    exact = Exact(np.array([1.0]), np.array([2.0**-60]))
    finding = compare("loss", np.array([1.0]), exact, np.array([2.0**-59]), format_named("float64"))
    assert finding.ratio == pytest.approx(0.5)


def test_infinity_is_accepted_where_an_intermediate_overflows():
    assert not one(np.inf, 5.0, 0.1, overflows=True).failed
    assert one(np.nan, 5.0, 0.1, overflows=True).failed
    assert one(6.0, 5.0, 0.1, overflows=True).failed


def test_a_bound_as_large_as_the_effect_does_not_count_as_exercised():
    assert one(1.0, 1.0, 0.1).exercised
    assert not one(1.0, 1.0, 0.5).exercised
    assert one(1.0, 1.0, 0.5, effect=np.array([100.0])).exercised
    assert not one(1.0, 1.0, np.inf).exercised


def test_nothing_to_compare_is_not_exercised():
    nothing = compare("loss", np.zeros(0), Exact(np.zeros(0)), 1.0, F32)
    assert not nothing.exercised
    assert not nothing.failed


def test_the_worst_element_is_named():
    finding = compare("x", np.array([[0.0, 3.0]]), Exact(np.zeros((1, 2))), 1.0, F32)
    assert finding.index == (0, 1)
    assert (finding.got, finding.expected, finding.bound) == (3.0, 0.0, 1.0)


def test_ulps_are_counted_in_the_format_of_the_logits():
    finding = one(1.0 + 3 * 2.0**-23, 1.0, 1.0)
    assert finding.ulp == pytest.approx(3.0)


def grid(got, exact, bound, **more):
    return compare("x", np.array(got), Exact(np.array(exact)), np.array(bound), F32, **more)


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("wrong", [3.0, np.nan, np.inf])
@pytest.mark.parametrize("elsewhere", [0.0, np.inf])
def test_one_wrong_element_fails_wherever_it_stands(place, wrong, elsewhere):
    """Also beside elements that are rightly infinite, and below errors that are within their bounds."""
    exact = np.zeros((2, 2))
    exact[place[0], 1 - place[1]] = elsewhere
    got = exact + 0.5
    got[place] = wrong
    finding = grid(got, exact, np.ones((2, 2)))
    assert finding.failed
    assert finding.index == place


def test_each_element_has_its_own_bound():
    assert not grid([[5.0, 0.0]], [[0.0, 0.0]], [[10.0, 1.0]]).failed
    assert grid([[0.0, 5.0]], [[0.0, 0.0]], [[10.0, 1.0]]).failed
    assert grid([[0.5, 5.0]], [[0.0, 0.0]], [[10.0, 10.0]]).ratio == 0.5


def test_an_error_of_either_sign_counts():
    for got in (-1.0, 3.0):
        assert grid([got], [1.0], [1.0]).ratio == 2.0
    assert one(-1.0, 1.0, 1e-6).failed


def test_an_infinite_bound_excuses_its_own_element_only():
    assert not grid([np.nan, 0.0], [1.0, 0.0], [np.inf, 1.0]).failed
    assert grid([np.nan, np.nan], [1.0, 0.0], [np.inf, 1.0]).failed
    assert grid([1.0, 0.0], [1.0, 0.0], [np.nan, 0.0]).ratio == 0


def test_an_excuse_holds_for_its_own_elements_only():
    overflows = np.array([True, False])
    assert not grid([np.inf, 1.0], [1.0, 1.0], [0.1, 0.1], overflows=overflows).failed
    assert grid([1.0, np.inf], [1.0, 1.0], [0.1, 0.1], overflows=overflows).failed
    assert not grid([np.nan, 1.0], [1.0, 1.0], [0.1, 0.1], undefined=overflows).failed
    assert grid([1.0, np.nan], [1.0, 1.0], [0.1, 0.1], undefined=overflows).failed
    assert grid([np.inf, 1.0], [1.0, 1.0], [0.1, 0.1], undefined=overflows).failed


def test_an_infinity_of_either_sign_may_stand_for_an_overflow_of_zero():
    for got in (np.inf, -np.inf):
        assert not one(got, 0.0, 0.1, overflows=True).failed


def test_ulps_count_the_largest_error_that_is_finite():
    finding = grid([1.0 + 2.0**-22, np.inf], [1.0, 1.0], [1.0, 1.0])
    assert finding.ulp == pytest.approx(2.0)
