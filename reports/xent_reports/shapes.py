"""The shape of JSON objects: which keys they have and what kind of value is behind each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xent_conformance.record import number
from xent_reports.visible import abridged


class Number:
    """A number, or one of the strings that stand for what JSON cannot hold."""


class Scalar:
    """A number or a text."""


Kind = type | tuple[type, ...]
Shape = Mapping[str, Kind]


class OddError(ValueError):
    """What is wrong and where."""


def has(content: Any, where: str, required: Shape, optional: Shape) -> None:
    """Every required key, and where an optional one is there and not null, of the right kind; else OddError."""
    if not isinstance(content, dict):
        raise OddError(f"{where} is not an object")
    for key, kind in required.items():
        if key not in content:
            raise OddError(f"{where} has no {key!r}")
        if not _is(content[key], kind):
            raise OddError(f"{key!r} of {where} is {_brief(content[key])}")
    for key, kind in optional.items():
        if content.get(key) is not None and not _is(content[key], kind):
            raise OddError(f"{key!r} of {where} is {_brief(content[key])}")


def _is(value: Any, kind: Kind) -> bool:
    if kind is Scalar:
        return isinstance(value, str) or _is(value, Number)
    if kind is Number:
        try:
            number(value)
        except (TypeError, ValueError, OverflowError):
            return False
        return value is not None
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _brief(value: Any) -> str:
    return abridged(repr(value))
