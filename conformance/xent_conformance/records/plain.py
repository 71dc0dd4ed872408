"""Conversion between the typed lines of a record and JSON data.

JSON has neither infinities nor nan. Records have the strings "inf", "-inf" and "nan" for them, which this module
converts from and to floats.
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
    # msgspec passes fields of types that it does not know to ``_converted``, and checks the result with isinstance().

    class Number(ABC):  # noqa: B024 - for register()
        """A float; one of the strings of NOT_FINITE in the file if it is not finite."""

    Number.register(float)

    class Scalar(ABC):  # noqa: B024 - for register()
        """A float as for Number, or text."""

    Scalar.register(float)
    Scalar.register(str)

    class Values(ABC):  # noqa: B024 - for register()
        """The elements of an array as a flat list: floats as for Number, integers, bools; complex numbers as text."""

    Values.register(list)

_NUMBER: dict[str, Any] = {"anyOf": [{"type": "number"}, {"enum": list(NOT_FINITE)}]}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "Number": _NUMBER,
    "Scalar": {"type": ["number", "string"]},
    "Values": {"type": "array", "items": {"type": ["number", "string", "boolean"]}},
}
_Line = TypeVar("_Line", bound=msgspec.Struct)


def as_data(content: object) -> Any:
    """JSON data for a line, a part of a line, or a list of them.

    Raises:
        NotImplementedError: It contains an object of a type that records do not have.
    """
    return jsonable(msgspec.to_builtins(content, enc_hook=_plain_number))


def from_data(data: Any, kind: type[_Line]) -> _Line:
    """The inverse of :func:`as_data`. Unknown keys are ignored.

    Raises:
        ValueError: The data do not fit the type; the message has the path of the field and the reason.
    """
    try:
        return msgspec.convert(data, kind, dec_hook=_converted)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def jsonable(value: Any) -> Any:
    """A value with non-finite numbers as strings and tuples as lists, also inside of it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else ("nan" if math.isnan(value) else ("inf" if value > 0 else "-inf"))
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    return value


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON Schema of Number, Scalar or Values."""
    return dict(_SCHEMAS[kind.__name__])


def _plain_number(value: Any) -> Any:
    """A Python float or int for a number of another type, such as NumPy's float64."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise NotImplementedError(f"a record cannot hold a {type(value).__name__}")


def _converted(kind: type, value: Any) -> Any:
    """The value of a field of type Number, Scalar or Values."""
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
