"""Text from foreign code, made fit for records, terminals and pages."""

from __future__ import annotations

#: Longest part of a foreign text that is kept.
LONGEST = 2000


def printable(text: str) -> str:
    """The beginning of a text, with what no terminal or file takes as escapes; line ends and tabs stay.

    Of a class of its own only the characters are used, none of its methods.
    """
    kept = str.__getitem__(text, slice(LONGEST))
    if kept.isprintable():
        return kept
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in kept)
