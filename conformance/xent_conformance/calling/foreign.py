"""Text from foreign code, escaped for records, terminals and pages."""

from __future__ import annotations

#: Most characters of a foreign text that are used.
LONGEST = 2000


def printable(text: str) -> str:
    """The beginning of a text, with unprintable characters escaped, except line ends and tabs.

    Methods of a subclass of str are not called.
    """
    start = str.__getitem__(text, slice(LONGEST))
    if start.isprintable():
        return start
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in start)
