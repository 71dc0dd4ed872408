"""Calls as text: numbers that read back, in as few digits as that takes, and rows that stay short."""

import numpy as np
import pytest

from xent_conformance.calling.text import array_text, number_text
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
