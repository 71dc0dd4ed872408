"""How numbers are written."""

from __future__ import annotations

import math

import pytest

from xent_reports import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.412, "0.41"),
        (0.5, "0.5"),
        (0.0871, "0.087"),
        (0.9999, "0.99"),
        (1.0, "1"),
        (1.0001, "1.1"),
        (9.81, "9.9"),
        (98.2, "99"),
        (140.0, "140"),
        (999.5, "1e3"),
        (12345.0, "1.3e4"),
        (math.inf, "∞"),
        (math.nan, "nan"),
        (None, ""),
        (1e-12, "1e-12"),
    ],
)
def test_a_ratio_has_two_digits_and_is_rounded_away_from_one(value: float | None, text: str) -> None:
    """A ratio below 1 is never written as 1 and one above never either: 1 is the border between pass and fail."""
    assert figures.ratio(value) == text


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (0.10000000149011612, "float32", "0.1"),
        (0.0999755859375, "float16", "0.1"),
        (0.1, "float64", "0.1"),
        (3.140625, "bfloat16", "3.14"),
        (20.0, "float16", "20"),
        (65504.0, "float16", "65504"),
        (-0.0, "float32", "-0"),
        (1e30, "float64", "1e+30"),
        (2**60 + 1, "int64", "1152921504606846977"),
        (-math.inf, "float32", "-∞"),
        (math.nan, "float32", "nan"),
        (5.960464477539063e-08, "float16", "6e-08"),
    ],
)
def test_an_element_has_the_fewest_digits_that_name_it_in_its_dtype(value: object, dtype: str, text: str) -> None:
    """Elements are written as short as they can be read back, integers with all their digits."""
    assert figures.element(value, dtype) == text


def test_a_difference_of_things_that_are_no_numbers_is_not_written() -> None:
    """Where a text was expected or nothing came back there is no error to state."""
    assert figures.difference("an error", 1.0) == ""
    assert figures.difference(1.0, None) == ""
    assert figures.difference(1.0, math.inf) == ""
    assert figures.difference(1.0, 1.5) == "0.5"


def test_nan_is_larger_than_every_ratio() -> None:
    """A ratio that could not be computed is never hidden by a smaller one."""
    assert math.isnan(max([0.5, math.nan, 3.0], key=figures.size))


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_in_a_sentence(names: list[str], text: str) -> None:
    """Two names have an "and", more have commas before it."""
    assert figures.listed(names) == text
