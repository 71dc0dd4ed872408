"""Suggestions for a misspelt name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: Most names that are suggested.
MOST = 3


def instead(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """A hint for a name that does not exist, such as ``did you mean 'this' or 'that'?``.

    Suggested are known names that are spelled similarly or contain the name, ignoring case. If there are none, the hint
    is ``otherwise``, by default a list of all known names.
    """
    by_folded = {candidate.casefold(): candidate for candidate in known}
    wanted = name.casefold().strip()
    near = get_close_matches(wanted, by_folded, n=MOST)
    containing = [folded for folded in sorted(by_folded, key=len) if len(wanted) >= MOST and wanted in folded]
    names = [repr(by_folded[folded]) for folded in dict.fromkeys([*near, *containing])][:MOST]
    if names:
        return f"did you mean {' or '.join(names)}?"
    return f"there are {', '.join(by_folded.values())}" if otherwise is None else otherwise


def quoted(names: Iterable[str]) -> str:
    """Names separated by commas; blank ones in quotes."""
    return ", ".join(name if name.strip(" ,") else repr(name) for name in names)
