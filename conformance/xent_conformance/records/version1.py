"""Converts lines of records of schema version 1, which suite 0.1.0 wrote, to version 2.

Differences: a verdict of version 1 has one ``failure`` or null, not a list ``failures``; a failure has neither a kind
nor a call; a field without a value may be null, where version 2 leaves it out unless null has a meaning.
"""

from __future__ import annotations

from typing import Any

#: The kind of failures of version 1.
UNKNOWN = "unknown"
#: The version since which all requirements of version 1 exist.
FIRST = "0.1.0"
_LISTS = ("backends", "requirements", "speed", "merged")


def upgraded(line: dict[str, Any]) -> dict[str, Any]:
    """A line of version 1, of any kind, as version 2. Invalid parts stay as they are; the reader rejects them."""
    line = _without_nulls(line)
    if line.get("kind") == "header":
        lists = {key: [_without_nulls(e) for e in line[key]] for key in _LISTS if isinstance(line.get(key), list)}
        catalogue = [{"since": FIRST, **e} if isinstance(e, dict) else e for e in lists.get("requirements", ())]
        return {**line, **lists, **({"requirements": catalogue} if catalogue else {}), "schema": 2}
    if line.get("kind") == "verdict":
        failure = line.pop("failure", None)
        line["failures"] = [] if failure is None else [_failure(failure)]
        if isinstance(line.get("deviations"), list):
            line["deviations"] = [_deviation(entry) for entry in line["deviations"]]
    return line


def _failure(failure: Any) -> Any:
    if not isinstance(failure, dict):
        return failure
    parts = {key: _without_nulls(failure[key]) for key in ("problem", "found") if key in failure}
    return {"kind": UNKNOWN, **_without_nulls({**failure, **parts})}


def _deviation(entry: Any) -> Any:
    entry = _without_nulls(entry)
    return {**entry, "witness": _failure(entry["witness"])} if isinstance(entry, dict) and "witness" in entry else entry


def _without_nulls(content: Any) -> Any:
    return {k: v for k, v in content.items() if v is not None} if isinstance(content, dict) else content
