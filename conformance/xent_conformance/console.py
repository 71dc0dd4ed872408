"""What a run prints while it goes: how far it is, and a few lines for each problem."""

from __future__ import annotations

from xent_conformance.progress import Progress
from xent_conformance.records.lines import Failure, VerdictLine
from xent_conformance.records.record import GLYPHS, Status

#: Statuses that are named at once.
NAMED = (Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.ERROR)


class Console:
    """Shows verdicts as they come; ``total`` of them are expected."""

    def __init__(self, progress: Progress, total: int) -> None:
        """Nothing has come yet."""
        self._progress, self._total, self._count = progress, total, 0
        self._seen: set[object] = set()
        progress.update("", 0, total)

    def show(self, line: VerdictLine) -> None:
        """Count a verdict; name what is wrong."""
        self._count += 1
        status, place = line.status, f"{line.backend} {line.dtype} {line.requirement}"
        said = [] if line.failures else [line.reason or ""]
        for failure in line.failures:
            raised = failure.exception
            alike = (raised.type, raised.file, raised.line) if raised else (failure.kind, failure.situation)
            # Of failures that may be the same fault the first is shown; the summary has them all, by cause.
            if alike not in self._seen:
                self._seen.add(alike)
                said.append(_failed(failure))
        for text in said if status in NAMED else ():
            first, *problem = text.splitlines() or [""]
            glyph, word = GLYPHS[status]
            lines = [f"{glyph} {word} {place}: {first}", *(f"    {part}" for part in ["; ".join(problem)] if part)]
            self._progress.print("\n".join(lines))
        self._progress.update(place, self._count, self._total)

    def notice(self, doing: str) -> None:
        """Say what takes long."""
        self._progress.update(doing, self._count, self._total)


def summary(line: VerdictLine) -> str:
    """A verdict in a few lines: what is wrong, on which problem, for each of its failures."""
    if not line.failures:
        known = [f"known deviation: {d.reason} ({d.issue})" for d in line.deviations]
        return line.reason or line.observed or "; ".join(known)
    return "\n".join(map(_failed, line.failures))


def _failed(failure: Failure) -> str:
    ratio = failure.ratio
    over = "" if ratio is None or not ratio < float("inf") else f" ({ratio:.3g} times the bound)"
    return f"{failure.message}{over}\n{failure.text}"
