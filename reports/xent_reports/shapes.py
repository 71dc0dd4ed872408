"""The shape of JSON objects: which keys they have and what kind of value is behind each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from xent_reports.visible import abridged


class Number:
    """A number, or one of the strings that stand for what JSON cannot hold."""


class Scalar:
    """A number or a text."""


class Name:
    """A text that stands in headings, table heads and addresses of a page: not empty, and not endless."""


class Count:
    """A whole number from 0 on."""


#: Characters of a name. The longest of ours has about 50; pages abridge what is longer than a table's head.
MAX_NAME = 1 << 14
#: How records write numbers that JSON does not have.
NOT_FINITE = ("inf", "-inf", "nan")

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


def at_most(limit: int, content: Collection[Any], where: str) -> None:
    """No more than so many entries, else OddError: what they are set against is multiplied by their number."""
    if len(content) > limit:
        raise OddError(f"{where}: {len(content)} entries, more than {limit}")


def _is(value: Any, kind: Kind) -> bool:
    if kind is Name:
        return isinstance(value, str) and 0 < len(value) <= MAX_NAME
    if kind is Count:
        return type(value) is int and value >= 0
    if kind is Scalar:
        return isinstance(value, str) or _is(value, Number)
    if kind is Number:
        return value in NOT_FINITE if isinstance(value, str) else _is(value, (int, float))
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _brief(value: Any) -> str:
    return abridged(repr(value))
