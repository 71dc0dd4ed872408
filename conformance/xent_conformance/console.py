"""What a run prints while it judges: its progress, and a few lines for each failure."""

from __future__ import annotations

from xent_conformance.progress import Progress
from xent_conformance.records.lines import Failure, VerdictLine
from xent_conformance.records.situations import is_size
from xent_conformance.records.status import GLYPHS, Status
from xent_conformance.verdicts.first import FirstFailure

#: Statuses that are printed as soon as they occur.
NAMED = (Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.ERROR)


class Console:
    """Prints verdicts as they come; ``total`` of them are expected."""

    def __init__(self, progress: Progress, total: int) -> None:
        """Start at 0 of ``total``."""
        self._progress, self._total, self._count = progress, total, 0
        self._seen: set[object] = set()
        self._failed = False
        progress.update("", 0, total)

    def show(self, line: VerdictLine) -> None:
        """Count a verdict; print its failures."""
        self._count += 1
        status, place = line.status, f"{line.backend} {line.dtype} {line.requirement}"
        texts = [] if line.failures else [(status, _one_line(line.reason or ""))]
        for failure in line.failures:
            raised, situation = failure.exception, tuple(f for f in failure.situation if not is_size(f))
            alike = (raised.type, raised.file, raised.line) if raised else (failure.kind, situation)
            # Of failures that may be the same fault the first is shown; the summary has them all, by cause.
            if alike not in self._seen:
                self._seen.add(alike)
                texts.append((line.status_of(failure), _failed(failure)))
        for its_status, text in texts if status in NAMED else ():
            first, *problem = text.splitlines() or [""]
            self._say(its_status, place, first, *(f"    {part}" for part in ["; ".join(problem)] if part))
        self._progress.count(self._count, self._total)

    def announce(self, failure: FirstFailure) -> None:
        """Say the first failure before there is a verdict; later ones only as verdicts."""
        if not self._failed:
            place = f"{failure.backend} {failure.dtype} {failure.requirement}"
            message = _one_line(failure.message)
            self._say(failure.status, place, f"{message}{_times(failure.ratio)}; a small problem that shows it follows")

    def _say(self, status: Status, place: str, what: str, *more: str) -> None:
        self._failed = True
        glyph, word = GLYPHS[status]
        self._progress.print("\n".join([f"{glyph} {word} {place}: {what}", *more]))

    def notice(self, doing: str) -> None:
        """Show which long-running step is being carried out."""
        self._progress.update(doing, self._count, self._total)


def summary(line: VerdictLine) -> str:
    """A verdict in a few lines: for each of its failures, what is wrong and the problem."""
    if not line.failures:
        known = [f"known deviation: {d.reason} ({d.issue})" for d in line.deviations]
        return line.reason or line.observed or "; ".join(known)
    return "\n".join(map(_failed, line.failures))


def _failed(failure: Failure) -> str:
    # The message of an exception may have several lines; those after the first would look like lines of the problem.
    return f"{_one_line(failure.message)}{_times(failure.ratio)}\n{failure.text}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _times(ratio: float | None) -> str:
    """How far an error is beyond its bound, where both are numbers."""
    return "" if ratio is None or not ratio < float("inf") else f" ({ratio:.3g} times the bound)"
