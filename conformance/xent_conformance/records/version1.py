"""Records of schema version 1, which suite 0.1.0 wrote, as version 2.

What changed: a verdict had one ``failure`` or null, now a list ``failures``; a failure did not say its kind or its
call; a field that may be absent could also be null, now only where null means something.
"""

from __future__ import annotations

from typing import Any

#: Kind of a failure that does not say it.
UNKNOWN = "unknown"
#: Requirements did not say since when they were there: all since the first version.
FIRST = "0.1.0"
_LISTS = ("backends", "requirements", "speed", "merged")


def upgraded(line: dict[str, Any]) -> dict[str, Any]:
    """A line of version 1, of whatever kind, as version 2; what is odd about it stays for the reader to refuse."""
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
