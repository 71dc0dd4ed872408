"""Between the typed lines of a record and plain JSON data; the one place that knows how non-finite numbers are written.

JSON has no infinities and no nan: a record has the strings "inf", "-inf" and "nan" for them, memory has floats.
"""

from __future__ import annotations

import math
from abc import ABC
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

NOT_FINITE = ("inf", "-inf", "nan")

if TYPE_CHECKING:
    Number: TypeAlias = float
    Scalar: TypeAlias = float | str
    Values: TypeAlias = list[Any]
else:
    # msgspec hands a field of a class that it does not know to ``_converted``, and asks isinstance() of the result.

    class Number(ABC):  # noqa: B024 - for register()
        """A float, which the file may hold as one of NOT_FINITE."""

    Number.register(float)

    class Scalar(ABC):  # noqa: B024 - for register()
        """A float as for Number, or any other text."""

    Scalar.register(float)
    Scalar.register(str)

    class Values(ABC):  # noqa: B024 - for register()
        """A flat list of the elements of an array: floats as for Number, integers, bools, complex numbers as text."""

    Values.register(list)

_NUMBER: dict[str, Any] = {"anyOf": [{"type": "number"}, {"enum": list(NOT_FINITE)}]}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "Number": _NUMBER,
    "Scalar": {"type": ["number", "string"]},
    "Values": {"type": "array", "items": {"type": ["number", "string", "boolean"]}},
}
_Line = TypeVar("_Line", bound=msgspec.Struct)


def as_data(content: object) -> Any:
    """A line, a part of one, or a list of them, as JSON data."""
    return jsonable(msgspec.to_builtins(content, enc_hook=_plain_number))


def from_data(data: Any, kind: type[_Line]) -> _Line:
    """The inverse of :func:`as_data`; unknown keys are ignored. Raises ValueError, saying where and what is odd."""
    try:
        return msgspec.convert(data, kind, dec_hook=_converted)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def jsonable(value: Any) -> Any:
    """A value with its non-finite numbers as strings and its tuples as lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else ("nan" if math.isnan(value) else ("inf" if value > 0 else "-inf"))
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    return value


def schema_of(kind: type) -> dict[str, Any]:
    """JSON Schema of a field whose class only this module knows."""
    return dict(_SCHEMAS[kind.__name__])


def _plain_number(value: Any) -> Any:
    """A number of a type such as NumPy's float64 and int64 as one of Python's own."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise NotImplementedError(f"a record cannot hold a {type(value).__name__}")


def _converted(kind: type, value: Any) -> Any:
    """The float, text or list that a field of one of the classes above stands for."""
    if kind.__name__ == "Values":
        return _elements(value)
    if isinstance(value, str):
        if value in NOT_FINITE:
            return float(value)
        if kind.__name__ == "Scalar":
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise TypeError(f"Expected `number`, got {_brief(value)}")


def _elements(value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(element, bool | int | float | str) for element in value):
        raise TypeError("Expected an array of numbers")
    return [float(element) if element in NOT_FINITE else element for element in value]


def _brief(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 48 else shown[:47] + "…"  # noqa: PLR2004 - fits a line
