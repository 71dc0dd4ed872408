"""The ledger of requirement ids: every id that was ever published, the version it appeared in, and which are retired.

The entries are in ``ledger.toml`` beside this module. An id is never reused.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Entry:
    """The suite version in which a requirement appeared and, if it was removed, the first one without it."""

    since: str
    retired: str | None = None


@cache
def ledger() -> dict[str, Entry]:
    """All entries by id."""
    text = files("xent_conformance.requirements").joinpath("ledger.toml").read_text("utf-8")
    return {identifier: Entry(**entry) for identifier, entry in tomllib.loads(text).items()}


def since(identifier: str) -> str:
    """The suite version that a requirement appeared in; empty for an id that is not in the ledger."""
    entry = ledger().get(identifier)
    return "" if entry is None else entry.since
