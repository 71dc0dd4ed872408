"""Known deviations: failures of a backend that are listed with a reason, a witness and the library's own issue.

A TOML file beside the adapter, named after it. An entry excuses failures of one requirement on problems that have all
the traits in ``where``. Its witness, one pinned problem, must still fail: an entry whose witness passes is stale, and
an error. Everything outside its domain is still judged.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from xent_conformance.problem import Problem
from xent_conformance.problem_data import TRAITS, from_literals, traits

#: Larger files are no lists of deviations.
MAX_BYTES = 1 << 20
REQUIRED = ("requirement", "reason", "issue", "witness")
KNOWN = (*REQUIRED, "versions", "dtypes", "where")
UNREPORTED = "unreported"


class DeviationError(ValueError):
    """A deviation file that cannot be used; the message names the file and the entry."""


@dataclass(frozen=True)
class Deviation:
    """One known failure; ``requirements`` are those that show it, each on the witness."""

    requirements: tuple[str, ...]
    reason: str
    issue: str
    witness: Mapping[str, Any]
    versions: str = ""
    dtypes: tuple[str, ...] = ()
    where: tuple[str, ...] = field(default=())

    def concerns(self, requirement: str, dtype: str, version: str | None) -> bool:
        """Whether the entry is about a requirement on a dtype in a version of the library."""
        if requirement not in self.requirements or (self.dtypes and dtype not in self.dtypes):
            return False
        if not self.versions or version is None:
            return True
        try:
            return SpecifierSet(self.versions).contains(Version(version), prereleases=True)
        except InvalidVersion:
            return True

    def excuses(self, problem: Problem) -> bool:
        """Whether a failing problem lies in the entry's domain."""
        return set(self.where) <= traits(problem)

    def witness_for(self, dtype: str, sentinel: int | None) -> Problem:
        """The pinned problem."""
        return from_literals(self.witness, dtype, sentinel)


def read(path: Path) -> tuple[Deviation, ...]:
    """Entries of a file, none where there is no file; raises DeviationError for a file that is not right."""
    if not path.is_file():
        return ()
    if path.stat().st_size > MAX_BYTES:
        raise DeviationError(f"{path}: more than {MAX_BYTES} bytes")
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DeviationError(f"{path}: {error}") from error
    entries = data.get("deviation", [])
    if set(data) - {"deviation"} or not isinstance(entries, list):
        raise DeviationError(f"{path}: expected [[deviation]] tables and nothing else")
    return tuple(_entry(f"{path}, deviation {i}", entry) for i, entry in enumerate(entries, start=1))


def _names(value: Any) -> tuple[str, ...]:
    """One name, or a list of them."""
    names = (value,) if isinstance(value, str) else tuple(value)
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError("requirement must be an id or a list of ids")
    return names


def _entry(place: str, entry: Any) -> Deviation:
    if not isinstance(entry, dict):
        raise DeviationError(f"{place}: not a table")
    if missing := [key for key in REQUIRED if key not in entry]:
        raise DeviationError(f"{place}: no {', '.join(missing)}")
    if unknown := sorted(set(entry) - set(KNOWN)):
        raise DeviationError(f"{place}: unknown keys {', '.join(unknown)}; known: {', '.join(KNOWN)}")
    if unknown := sorted(set(entry.get("where", ())) - set(TRAITS)):
        raise DeviationError(f"{place}: unknown traits {', '.join(unknown)}; known: {', '.join(TRAITS)}")
    issue = str(entry["issue"])
    if issue != UNREPORTED and not issue.startswith("https://"):
        raise DeviationError(f'{place}: issue must be an https link or "{UNREPORTED}", not {issue!r}')
    try:
        SpecifierSet(entry.get("versions", ""))
        found = Deviation(
            requirements=_names(entry["requirement"]),
            reason=str(entry["reason"]),
            issue=issue,
            witness=dict(entry["witness"]),
            versions=str(entry.get("versions", "")),
            dtypes=tuple(entry.get("dtypes", ())),
            where=tuple(entry.get("where", ())),
        )
        found.witness_for(found.dtypes[0] if found.dtypes else "float32", None)
    except (InvalidSpecifier, TypeError, ValueError) as error:
        raise DeviationError(f"{place}: {error}") from error
    return found
