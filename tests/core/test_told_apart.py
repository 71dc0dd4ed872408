"""Numbers in messages: nine digits, or as many more as show that two numbers differ."""

import math

import numpy as np
import pytest

from xent_conformance.calling.calls import Outcome, forward
from xent_conformance.judging.findings import NotRepeatable, NotThreadSafe
from xent_conformance.judging.findings.base import told_apart
from xent_conformance.problem import Problem


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (0.5, 0.25, ("0.5", "0.25")),
        (1 / 3, 1 / 3, ("0.333333333", "0.333333333")),
        (-1.0, -1 + 1e-13, ("-1", "-0.9999999999999")),
        (1.0, math.nextafter(1.0, 2), ("1", "1.0000000000000002")),
        (0.0, -0.0, ("0", "-0")),
        (math.nan, math.nan, ("nan", "nan")),
        (math.inf, 1.0, ("inf", "1")),
    ],
)
def test_two_numbers_have_as_many_digits_as_tell_them_apart(one, other, shown):
    assert told_apart(one, other) == shown


def test_so_have_those_of_a_call_that_is_not_repeatable():
    call = forward(Problem(np.zeros((2, 3)), np.array([0, 1]), reduction="none"))
    first, again = (Outcome({"loss": np.array([1.0, value])}) for value in (2.0, math.nextafter(2.0, 3)))
    finding = NotRepeatable.seen((call,), first, again)
    assert (finding.got, finding.expected) == ("2.0000000000000004", "2")


def outcomes(*losses):
    """The outcomes of calls with these losses, or exceptions."""
    return [
        Outcome({}, raised=x, raised_type="ValueError") if isinstance(x, str) else Outcome({"loss": x}) for x in losses
    ]


@pytest.mark.parametrize(
    ("finding", "together", "raised"),
    [
        (NotRepeatable, "after 1 other call", "and first returned loss"),
        (NotThreadSafe, "while 1 others run in other threads", "and alone returned loss"),
    ],
)
def test_a_different_result_is_shown_by_a_few_of_its_numbers(finding, together, raised):
    call = forward(Problem(np.zeros((9, 3)), np.zeros(9, np.int64), reduction="none"))
    seen = finding.seen((call, call), *outcomes(np.zeros(9), np.arange(9.0)))
    assert seen.message.startswith(f"cross_entropy returns a different loss {together}: 1, 2, 3, …, ")
    assert seen.message.endswith("0, 0, 0, …")
    failed = finding.seen((call, call), *outcomes(np.zeros(9), "no")).message
    assert failed.startswith(f"cross_entropy raised ValueError: no {together}, {raised} [0.0, ")
