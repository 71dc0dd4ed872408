"""How numbers and lists are written, the same in HTML, in Markdown and on the terminal."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Sequence
from typing import Any

#: Above it a ratio is written with an exponent.
_LARGE = 1000
#: Below it an integer is written with all its digits.
_EXACT = 2**24


def size(value: float) -> float:
    """How large a ratio or an error of a record is, for comparing: nan is as bad as infinite."""
    return math.inf if math.isnan(value) else value


def ratio(value: float | None) -> str:
    """A ratio with two digits, rounded away from 1: 0.999 is 0.99 and 1.001 is 1.1, never both 1."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return "∞" if value > 0 else str(value)
    if value == 0:
        return "0"
    if abs(value) < sys.float_info.min:  # a power of ten below it may be no float
        return _with_exponent(value)
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    exact = value / step
    steps = round(exact) if math.isclose(exact, round(exact), rel_tol=1e-9) else math.floor(exact) + (value > 1)
    rounded = steps * step
    if not math.isfinite(rounded):  # the largest floats have no larger number of two digits
        return _with_exponent(value)
    return _with_exponent(rounded) if abs(rounded) >= _LARGE else f"{rounded:.2g}" if rounded < 1 else f"{rounded:g}"


def _with_exponent(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def quantity(value: float | str | None) -> str:
    """Expected, got or bound as a person reads it: a number with all its digits, a text as it is, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return {"-inf": "-∞", "inf": "∞"}.get(str(value), str(value))


def difference(expected: float | str | None, got: float | str | None) -> str:
    """The distance of a value from the expected one; empty if either is not a finite number."""
    if not isinstance(expected, float) or not isinstance(got, float):
        return ""
    gap = abs(got - expected)
    return f"{gap:.3g}" if math.isfinite(gap) else ""


def element(value: Any, dtype: str) -> str:
    """An element of an array with the fewest digits that still name it among the numbers of its dtype."""
    if not isinstance(value, float) or not math.isfinite(value):
        return {"-inf": "-∞", "inf": "∞"}.get(str(value), str(value))
    if value.is_integer() and abs(value) < _EXACT:
        return f"{value:.0f}"
    for digits in range(1, 17):
        text = f"{value:.{digits}g}"
        if _rounded(float(text), dtype) == value:
            return text
    return repr(value)


def _rounded(value: float, dtype: str) -> float:
    """The number of a dtype nearest to a value; the value itself for dtypes that have no codec here."""
    try:
        if dtype == "bfloat16":
            bits: int = struct.unpack("<I", struct.pack("<f", value))[0]
            bits += 0x7FFF + ((bits >> 16) & 1)
            return float(struct.unpack("<f", struct.pack("<I", bits & 0xFFFF0000))[0])
        codec = {"float16": "<e", "float32": "<f"}.get(dtype)
        return value if codec is None else float(struct.unpack(codec, struct.pack(codec, value))[0])
    except (OverflowError, struct.error):
        return math.inf


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Count and noun: "1 backend", "3 backends", "1,200 verdicts"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
