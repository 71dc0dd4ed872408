"""What somebody may have meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: Most names that are suggested at once.
MOST = 3


def instead(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """What there is instead of a name that does not exist: ``did you mean 'this' or 'that'?``, the names that are near.

    Where none is near, ``otherwise``, or by default all of them. Names are compared without regard to case. A known
    name is near that is spelled similarly, or that contains the other.
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
    """Names separated by commas; invisible ones, such as a blank, in quotes."""
    return ", ".join(name if name.strip(" ,") else repr(name) for name in names)
