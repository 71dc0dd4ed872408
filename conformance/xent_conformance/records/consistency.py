"""Checks that the lines of a record are consistent with each other, which their types cannot express."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

from xent_conformance.records.lines import Footer, Header, VerdictLine
from xent_conformance.records.status import Status

#: Limits for a record that is read: every table of a report has a column for each dtype.
MAX_DTYPES, MAX_VERDICTS = 16, 100_000


class InconsistentError(ValueError):
    """A line contradicts an earlier one."""


class Consistency:
    """Checks the lines of a record, one after another.

    Each method raises InconsistentError for a line that contradicts earlier ones.
    """

    def __init__(self, header: Header) -> None:
        """Check that the header lists each backend and requirement once."""
        if _twice((b.name, b.device) for b in header.backends):
            raise InconsistentError("the header lists one of its backends twice")
        if _twice(r.id for r in header.requirements):
            raise InconsistentError("the header lists one of its requirements twice")
        self._backends = {b.name for b in header.backends}
        self._requirements = {r.id for r in header.requirements}
        self._seen: set[tuple[str, ...]] = set()
        self._dtypes: set[str] = set()
        self._counts: Counter[Status] = Counter()

    def verdict(self, line: VerdictLine) -> None:
        """Check that the header lists its backend and requirement, and that it is not a second verdict on the same."""
        key = (*line.cell, line.device)
        about = f"the verdict on {', '.join(part[:48] for part in line.cell)}"
        if line.backend not in self._backends or line.requirement not in self._requirements:
            raise InconsistentError(f"{about}: the header does not list what it is about")
        if key in self._seen:
            raise InconsistentError(f"{about}: it occurs twice")
        self._seen.add(key)
        self._dtypes.add(line.dtype)
        self._counts[line.status] += 1
        if len(self._dtypes) > MAX_DTYPES or len(self._seen) > MAX_VERDICTS:
            raise InconsistentError(f"more than {MAX_DTYPES} dtypes or {MAX_VERDICTS} verdicts")

    def footer(self, line: Footer) -> None:
        """Check that its counts are those of the verdicts."""
        if line.verdicts != self._counts.total():
            raise InconsistentError(f"its footer counts {line.verdicts} verdicts, there are {self._counts.total()}")
        for status in Status:
            if (counted := line.counts.get(status, 0)) != self._counts[status]:
                raise InconsistentError(f"its footer counts {counted} of {status}, there are {self._counts[status]}")


def _twice(names: Iterable[Hashable]) -> bool:
    """Whether a name occurs more than once."""
    return max(Counter(names).values(), default=0) > 1
