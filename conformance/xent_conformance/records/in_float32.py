"""Whether numbers that should be of float64 have been computed in float32."""

from __future__ import annotations

import math
import struct

from xent_conformance.records.lines import ArrayLine

#: Largest error of a result that was computed in float32, relative to the exact one or to 1, whichever is larger.
FLOAT32_ERROR = 2.0**-18
#: A smaller error, relative to the exact result or, if that is 0, to 1, may be of float64's own arithmetic: thousands
#: of terms that cancel leave some units of its roundoff.
FLOAT64_ERROR = 2.0**-40
#: A term that was rounded to float32 makes an error of at most 2**-24 of it, and seldom of less than this share.
PARTLY_FLOAT32 = 2.0**-28
#: Logits that are rounded to float32 by more than this differ by more than its errors.
ROUNDED = 2.0**-10
#: A number with at most this many significant bits is representable in float32 by chance.
FEW_BITS = 12


def as_near_as_float32(got: object, expected: object, scale: float = 1.0) -> bool:
    """Whether a result is as near to the exact one as float32 arithmetic with terms of that size gets, and no nearer.

    Args:
        got: The result.
        expected: The exact one.
        scale: The size of the terms, where they may be larger than the result and cancel.
    """
    if not (isinstance(got, float) and isinstance(expected, float) and math.isfinite(got) and math.isfinite(expected)):
        return False
    return FLOAT64_ERROR * (abs(expected) or 1.0) < abs(got - expected) <= FLOAT32_ERROR * max(scale, abs(expected))


def may_be_of_float32(got: object, expected: object) -> bool:
    """The same for a number of float32, however few bits it has, or one with an error of float32's size."""
    if not (as_near_as_float32(got, expected) and isinstance(got, float) and isinstance(expected, float)):
        return False
    return in_float32(got) == got or abs(got - expected) > PARTLY_FLOAT32 * abs(expected)


def shows_float32(got: object, expected: object) -> bool:
    """The same for a result that is a number of float32, with more bits than any number may have by chance."""
    if not (as_near_as_float32(got, expected) and isinstance(got, float)):
        return False
    return in_float32(got) == got and significant_bits(got) > FEW_BITS


def in_float32(value: float) -> float:
    """A finite number rounded to float32; infinity if it is too large."""
    try:
        (narrow,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return math.inf
    return float(narrow)


def beyond_float32(value: float) -> bool:
    """Whether a finite number is infinite, or zero without being zero, in float32."""
    narrow = in_float32(value)
    return math.isinf(narrow) or (value != 0 and narrow == 0)


def finite_values(array: ArrayLine | None) -> list[float]:
    """The finite values of an array of float64; none if it has no values of its own."""
    if array is None or array.dtype != "float64" or array.values is None:
        return []
    return [float(value) for value in array.values if math.isfinite(float(value))]


def significant_bits(value: object) -> int:
    """The number of bits from the first to the last 1 in a number's significand."""
    numerator, _ = abs(value).as_integer_ratio() if isinstance(value, float) else (0, 1)
    return (numerator // (numerator & -numerator)).bit_length() if numerator else 0
