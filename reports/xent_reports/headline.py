"""The head of the page: one sentence, the counts of each status, and notices about incomplete or mixed records."""

from __future__ import annotations

from collections import Counter

from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.status import GLYPHS, SEVERITY, UNEXPECTED, Status
from xent_reports.figures import counted, listed
from xent_reports.model import Run, worst
from xent_reports.visible import abridged, one_line, shortened

#: A cell without a verdict: the run did not reach it.
NOT_RUN = ("?", "not run")
#: More backends than this are counted instead of named.
_NAMED = 3
#: Characters of a notice that are shown.
_NOTICE = 500


def sentence(run: Run) -> str:
    """The verdict on the run in one sentence. It never calls a truncated run passed."""
    if not run.verdicts:
        return "Truncated before anything was judged" if run.footer is None else "Nothing was judged"
    outcome, troubles = _outcome(run), _troubles(run)
    text = "; ".join([outcome, *troubles])
    if troubles and not _unexpected(run):
        # Whoever reads only the beginning must not take the run for one in which everything was judged.
        text = "; ".join([*troubles, f"otherwise {outcome[:1].lower()}{outcome[1:]}"])
        text = text[:1].upper() + text[1:]
    return text if run.footer is not None else f"Truncated: the run did not finish. So far: {text}"


def _troubles(run: Run) -> list[str]:
    """What could not be judged because something other than an implementation failed."""
    errors, broken = sum(v.status is Status.ERROR for v in run.verdicts), sum(b.broken for b in run.backends)
    troubles = [f"the suite or an adapter broke on {counted(errors, 'verdict')}"] if errors else []
    troubles += [f"{counted(broken, 'adapter')} could not be judged"] if broken else []
    return [*troubles, *(["the run ended with an error"] if run.footer is not None and run.footer.error else [])]


def _unexpected(run: Run) -> list[VerdictLine]:
    """The verdicts that are unexpected failures."""
    return [v for v in run.verdicts if v.status in UNEXPECTED]


def _outcome(run: Run) -> str:
    """How many of the judged requirements are broken, and by which backends."""
    broken = _unexpected(run)
    judged = {v.requirement for v in run.verdicts if v.status is not Status.NOT_APPLICABLE}
    if not broken:
        size = f"{counted(len(run.available), 'backend')}, {counted(len(judged), 'requirement')}"
        return f"No unexpected failure: {size}, {counted(len(run.verdicts), 'verdict')}"
    requirements = {v.requirement for v in broken}
    names = [b.name for b in run.available if any(v.backend == b.name for v in broken)]
    who = listed([abridged(one_line(name)) for name in names])
    if len(names) > _NAMED:
        who = f"{len(names)} of {len(run.available)} backends"
    groups = [*([i.verdict for i in cause.instances] for cause in run.grouped), *run.unexplained]
    causes = sum(any(v.status in UNEXPECTED for v in group) for group in groups)
    return f"{counted(causes, 'cause')}, {len(requirements)} of {counted(len(judged), 'requirement')} broken, by {who}"


def counts(run: Run, backend: str | None = None) -> list[tuple[Status | None, int]]:
    """Requirements by their worst status over the dtypes, from what needs attention first, None for no verdict.

    Those of one backend, or of all: a requirement then counts once for each. Statuses that did not occur are left out.
    """
    names = [backend] if backend is not None else [b.name for b in run.available]
    numbers: Counter[Status | None] = Counter()
    for name in names if run.verdicts else ():
        for requirement in run.requirements:
            verdict = worst(run.cells.get((requirement.id, name), ()))
            numbers[verdict.status if verdict else None] += 1
    return [(status, numbers[status]) for status in (*SEVERITY, None) if numbers[status]]


def look(status: Status | None) -> tuple[str, str]:
    """Glyph and word of a status, or of no verdict."""
    return NOT_RUN if status is None else GLYPHS[status]


def counts_line(run: Run) -> str:
    """The counts as text: ``✗ 3 fail · ✓ 200 pass``."""
    parts = [f"{look(status)[0]} {number:,} {look(status)[1]}" for status, number in counts(run)]
    return " · ".join(parts) or "no verdict"


def scope(run: Run) -> str:
    """What the counts are out of: requirements, times backends if there are several."""
    requirements, backends = len(run.requirements), len(run.available)
    if backends == 1:
        return counted(requirements, "requirement")
    return f"{counted(requirements, 'requirement')} × {backends} backends"


def notices(run: Run) -> list[str]:
    """Notices that qualify the numbers: truncated, copied or mixed records, and backends that did not run."""
    said = []
    for source in run.sources:
        name = source.name
        if source.truncated:
            reached = counted(source.verdicts, "verdict")
            said.append(f"{name} is truncated: its run did not finish. {reached} written; the rest is unknown.")
        if source.error:
            said.append(f"{name} ended with an error: {source.error}")
        said += [f"{copy} is the same record as {name}: counted once." for copy in source.copies]
    seeds = {source.seed for source in run.sources}
    if len(seeds) > 1:
        said.append(f"{len(seeds)} seeds: backends that ran under different ones did not see the same problems.")
    said += [f"{b.name} {b.absence}" for b in run.backends if b.absence is not None]
    said += [f"{b.name} {b.compiling}." for b in run.available if b.compiling]
    silent = [b.name for b in run.available if not any(v.backend == b.name for v in run.verdicts)]
    said += [f"{label} has no verdict: it was announced but never judged." for label in silent]
    pairs = len(run.requirements) * (len(run.available) - len(silent))
    missing = pairs - len(run.cells)
    if missing and run.footer is not None:
        said.append(f"{missing:,} of {counted(pairs, 'cell')} of the matrix have no verdict: listed but never judged.")
    return [shortened(text, _NOTICE) for text in said]
