"""The ledger of requirement ids: every id that was ever published, since when, and which are retired.

``ledger.toml`` beside this module is the only place that says so. An id is never used for anything else again.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Entry:
    """Suite versions in which a requirement appeared and, where it is no longer there, in which it was gone."""

    since: str
    retired: str | None = None


@cache
def ledger() -> dict[str, Entry]:
    """All entries by id."""
    text = files("xent_conformance.requirements").joinpath("ledger.toml").read_text("utf-8")
    return {identifier: Entry(**entry) for identifier, entry in tomllib.loads(text).items()}


def since(identifier: str) -> str:
    """The suite version that a requirement appeared in; nothing for one that is not in the ledger."""
    entry = ledger().get(identifier)
    return "" if entry is None else entry.since
