"""Calls as text: numbers that read back, in as few digits as that takes, and rows that stay short."""

import numpy as np
import pytest

from xent_conformance.calling.calls import Invocation
from xent_conformance.calling.text import array_text, number_text, to_text
from xent_conformance.formats import FLOATING, dtype_of


@pytest.mark.parametrize("dtype", FLOATING)
def test_a_number_reads_back_as_the_same_number(dtype):
    kind = dtype_of(dtype).type
    for number in (0.1, -998.95276, 1 / 3, 65504.0, -0.0, 1e-7, np.inf, np.nan, 3.0, 123456.0):
        with np.errstate(over="ignore"):
            value = kind(number)
        assert kind(number_text(value)).tobytes() == value.tobytes()


def test_a_number_has_no_more_digits_than_its_dtype():
    assert number_text(np.float32(-998.95276)) == "-998.95276"
    assert number_text(np.float16(0.1)) == "0.1"


def test_of_a_long_row_its_exceptions_are_named_where_they_are_few():
    row = np.zeros(65, np.int64)
    row[3] = 1
    assert array_text(row, 2) == "[65 values, all 0 except [3] = 1]"
    assert array_text(np.tile(np.arange(65), (9, 1)), 2).endswith("... 6 more rows]")
    assert array_text(np.arange(65), 2) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... 53 more]"


def test_a_cotangent_has_a_line_unless_it_is_contiguous_ones_of_the_dtype_of_the_logits():
    """Its layout or its dtype may be the fault, and the message may name it: the memory beside it, for example."""
    logits, labels = np.zeros((2, 3), np.float32), np.zeros(2, np.int64)

    def lines(cotangent, message=""):
        inputs = {"cotangent": cotangent, "logits": logits, "target": labels}
        text = to_text(Invocation("cross_entropy_vjp", ("loss", "grad_logits"), inputs), message)
        return [line for line in text.splitlines() if line.startswith("cotangent: ")]

    usual = np.ones(2, np.float32)
    assert lines(usual) == lines(usual, "grad_logits is nan") == []
    assert lines(np.ones(4, np.float32)[::2]) == ["cotangent: float32 (2,), strides (2,) = [1, 1]"]
    assert lines(np.broadcast_to(np.float32(1), 2)) == ["cotangent: float32 (2,), strides (0,) = [1, 1]"]
    assert lines(usual.astype(np.float64)) == ["cotangent: float64 (2,) = [1, 1]"]
    assert lines(usual * 2) == ["cotangent: float32 (2,) = [2, 2]"]
    read = "cross_entropy_vjp reads outside the elements of its cotangent"
    assert lines(usual, read) == ["cotangent: float32 (2,) = [1, 1]"]


def test_an_input_that_is_none_is_not_in_the_call():
    """Such as the bias of a linear map: the function may have no parameter for it."""
    hidden, weight, labels = np.zeros((1, 2)), np.zeros((3, 2)), np.zeros(1, np.int64)
    inputs = {"hidden": hidden, "weight": weight, "bias": None, "target": labels}
    head, *_ = to_text(Invocation("linear_cross_entropy", ("loss",), inputs, {"reduction": "sum"})).splitlines()
    assert head == "linear_cross_entropy(hidden, weight, target, reduction='sum')"
    with_bias = Invocation("linear_cross_entropy", ("loss",), {**inputs, "bias": np.zeros(3)})
    assert to_text(with_bias).startswith("linear_cross_entropy(hidden, weight, bias, target)\n")
