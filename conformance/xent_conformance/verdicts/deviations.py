"""Known deviations: failures of a backend that are listed with a reason, a witness and the library's own issue.

They are in a TOML file beside the adapter, named after the backend. An entry excuses failures of its requirements on
problems that have all the traits in ``where``. Its witness, one fixed problem, must still fail: an entry whose witness
passes is stale, which is an error. All other failures still count.

One fault breaks many requirements, and which of them a run draws a problem for depends on the seed. So an entry can
name more requirements by patterns in ``also``: those that fail on its witness as well.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from xent_conformance.formats import FLOATING
from xent_conformance.problem import Problem
from xent_conformance.problem_data import from_literals
from xent_conformance.problem_traits import TRAITS, has_all
from xent_conformance.records.strict_json import read_bytes

#: Larger files are rejected.
MAX_BYTES = 1 << 18
#: Most dots in one line: the time of tomllib grows with the square of the length of a dotted key.
MAX_DOTS = 200
MAX_ENTRIES = 500
REQUIRED = ("requirement", "reason", "issue", "witness")
#: ``finding`` names a script of this repository that shows the fault without the suite; it is only for readers.
KNOWN = (*REQUIRED, "also", "versions", "dtypes", "where", "finding")
UNREPORTED = "unreported"


class DeviationError(ValueError):
    """A deviation file that cannot be used; the message names the file and the entry."""


@dataclass(frozen=True)
class Deviation:
    """One known failure; each of ``requirements`` fails on the witness, and those that match ``also`` may."""

    requirements: tuple[str, ...]
    reason: str
    issue: str
    witness: Mapping[str, Any]
    versions: str = ""
    dtypes: tuple[str, ...] = ()
    where: tuple[str, ...] = field(default=())
    also: tuple[str, ...] = ()

    def concerns(self, requirement: str, dtype: str, version: str | None) -> bool:
        """Whether the entry applies to a requirement, a dtype and a version of the library."""
        return requirement in self.requirements and self._applies(dtype, version)

    def may_concern(self, requirement: str, dtype: str, version: str | None) -> bool:
        """Whether the entry applies to a requirement that it does not list, if that fails on its witness."""
        unlisted = requirement not in self.requirements and any(fnmatchcase(requirement, p) for p in self.also)
        return unlisted and self._applies(dtype, version)

    def _applies(self, dtype: str, version: str | None) -> bool:
        if self.dtypes and dtype not in self.dtypes:
            return False
        if not self.versions or version is None:
            return True
        # Few entries are limited to some versions, and to import this takes a twentieth of a second.
        from packaging.specifiers import SpecifierSet
        from packaging.version import InvalidVersion, Version

        try:
            return SpecifierSet(self.versions).contains(Version(version), prereleases=True)
        except InvalidVersion:
            return True

    def excuses(self, problem: Problem) -> bool:
        """Whether a failing problem has all traits in ``where``."""
        return has_all(problem, self.where)

    def witness_for(self, dtype: str, sentinel: int | None) -> Problem:
        """The witness as a problem with logits of a dtype."""
        return from_literals(self.witness, dtype, sentinel)


def read(path: Path) -> tuple[Deviation, ...]:
    """The entries of a file, none if it does not exist; raises DeviationError for a file that is not valid."""
    if not os.path.lexists(path):
        return ()
    try:
        data = _parsed(read_bytes(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:  # the file, its encoding, its syntax, or too long an integer
        raise DeviationError(f"{path}: {error}") from error
    entries = data.get("deviation", [])
    if set(data) - {"deviation"} or not isinstance(entries, list):
        raise DeviationError(f"{path}: expected [[deviation]] tables and nothing else")
    if len(entries) > MAX_ENTRIES:
        raise DeviationError(f"{path}: {len(entries)} entries, more than {MAX_ENTRIES}")
    return tuple(_entry(f"{path}, deviation {i}", entry) for i, entry in enumerate(entries, start=1))


def _parsed(raw: bytes) -> dict[str, Any]:
    text = raw.decode("utf-8")
    if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise ValueError(f"more than {MAX_DOTS} dots in a line")
    return tomllib.loads(text)


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise TypeError(f"{key} must be a string")
    return value


def _texts(entry: Mapping[str, Any], key: str, known: Iterable[str] | None = None) -> tuple[str, ...]:
    """A list of strings, each of them known."""
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise TypeError(f"{key} must be a list of strings")
    if known is not None and (unknown := sorted(set(value) - set(known))):
        what = "traits" if key == "where" else key
        raise ValueError(f"unknown {what} {', '.join(unknown)}; known: {', '.join(known)}")
    return tuple(value)


def _issue(entry: Mapping[str, Any]) -> str:
    issue = _text(entry, "issue")
    if issue != UNREPORTED and not issue.startswith("https://"):
        raise ValueError(f'issue must be an https link or "{UNREPORTED}", not {issue[:80]!r}')
    return issue


def _check_versions(text: str) -> None:
    """Raise ValueError for what is no version specifier."""
    if text:
        from packaging.specifiers import SpecifierSet

        SpecifierSet(text)


def _table(entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(entry[key], dict):
        raise TypeError(f"{key} must be a table")
    return dict(entry[key])


def _requirements(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """One id, or a list of them."""
    value = entry["requirement"]
    names = (value,) if isinstance(value, str) else _texts(entry, "requirement")
    if not names:
        raise TypeError("requirement must be an id or a list of ids")
    return names


def _entry(place: str, entry: Any) -> Deviation:
    if not isinstance(entry, dict):
        raise DeviationError(f"{place}: not a table")
    if missing := [key for key in REQUIRED if key not in entry]:
        raise DeviationError(f"{place}: no {', '.join(missing)}")
    if unknown := sorted(set(entry) - set(KNOWN)):
        raise DeviationError(f"{place}: unknown keys {', '.join(unknown)}; known: {', '.join(KNOWN)}")
    try:
        _check_versions(_text(entry, "versions"))
        _text(entry, "finding")
        deviation = Deviation(
            requirements=_requirements(entry),
            reason=_text(entry, "reason"),
            issue=_issue(entry),
            witness=_table(entry, "witness"),
            versions=_text(entry, "versions"),
            dtypes=_texts(entry, "dtypes", FLOATING),
            where=_texts(entry, "where", TRAITS),
            also=_texts(entry, "also"),
        )
        deviation.witness_for(deviation.dtypes[0] if deviation.dtypes else "float32", None)
    except (TypeError, ValueError, OverflowError) as error:
        raise DeviationError(f"{place}: {error}") from error
    return deviation
