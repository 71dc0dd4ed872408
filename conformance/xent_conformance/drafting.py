"""Drafts of known deviations: entries for the failures of a record, each with a witness that was seen to fail.

A draft is as narrow as possible: it excuses problems with all traits of its witness, in the dtypes that failed; only a
reduction that makes no difference is left out. The author then describes the fault in ``reason``, names the library's
issue, and removes other irrelevant traits from ``where``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import tomlkit

from xent_conformance.formats import INTEGER
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.opening import Opened
from xent_conformance.problem import EXTRAS, Problem
from xent_conformance.problem_data import from_literals, to_data
from xent_conformance.problem_traits import traits
from xent_conformance.records.lines import ArrayLine, Failure, ProblemLine, VerdictLine
from xent_conformance.records.plain import as_data, from_data
from xent_conformance.records.status import UNEXPECTED
from xent_conformance.requirements.registry import load
from xent_conformance.verdicts.deviations import UNREPORTED

#: Traits that a draft never names, because most problems have them.
ORDINARY = {"labels-int64"}
#: Comment at the top of a draft.
ADVICE = (
    "Drafted by `xent deviations`. Describe the fault in `reason`, and set `issue` to the library's own issue.",
    "Remove irrelevant traits from `where`: an entry excuses only problems that have all of them.",
)


class NoDraftError(Exception):
    """A failure that no entry can be drafted for; the message says why."""


@dataclass
class Draft:
    """An entry of a deviation file."""

    requirement: str
    dtypes: list[str]
    where: list[str]
    reason: str
    witness: dict[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for entries that differ only in their dtypes and are merged."""
        return self.requirement, repr(self.where), repr(self.witness)

    def covers(self, other: Draft) -> bool:
        """Whether it excuses every problem that another draft excuses."""
        alike = self.requirement == other.requirement and set(self.dtypes) >= set(other.dtypes)
        return alike and set(self.where) <= set(other.where)


def drafts(verdicts: Iterable[VerdictLine], opened: Opened) -> tuple[list[Draft], list[str]]:
    """Entries for the failures of a backend, and a line for each failure that has none."""
    merged: dict[tuple[str, str, str], Draft] = {}
    without = []
    for verdict, failure in _failures(verdicts, opened.description.name):
        try:
            draft = _draft(verdict, failure, opened)
        except NoDraftError as error:
            without.append(f"no draft for {verdict.requirement} ({verdict.dtype}): {error}")
            continue
        first = merged.setdefault(draft.key, draft)
        first.dtypes = list(dict.fromkeys([*first.dtypes, *draft.dtypes]))
    # Only the widest entries are needed: the situation of one failure may include that of another.
    drafted: list[Draft] = []
    for draft in sorted(merged.values(), key=lambda d: (len(d.where), -len(d.dtypes))):
        if not any(other.covers(draft) for other in drafted):
            drafted.append(draft)
    return [draft for draft in merged.values() if draft in drafted], without


def as_toml(entries: Iterable[Draft]) -> str:
    """Entries as TOML text that can be appended to a deviation file."""
    document = tomlkit.document()
    for line in ADVICE:
        document.add(tomlkit.comment(line))
    tables = tomlkit.aot()
    for entry in entries:
        table = tomlkit.table()
        table.update({"requirement": entry.requirement, "where": entry.where})
        if entry.dtypes:
            table["dtypes"] = entry.dtypes
        table.update({"reason": entry.reason, "issue": UNREPORTED, "witness": entry.witness})
        tables.append(table)
    document.add("deviation", tables)
    return tomlkit.dumps(document)


def _failures(verdicts: Iterable[VerdictLine], backend: str) -> Iterator[tuple[VerdictLine, Failure]]:
    for verdict in verdicts:
        if verdict.backend == backend and verdict.status in UNEXPECTED:
            yield from ((verdict, failure) for failure in verdict.failures)


def _draft(verdict: VerdictLine, failure: Failure, opened: Opened) -> Draft:
    """The entry for a failure; raises NoDraftError where its witness cannot be written, or passes."""
    requirement = load().get(verdict.requirement)
    if requirement is None:
        raise NoDraftError("this version of the suite has no such requirement")
    # A requirement that is judged once is judged in the first dtype.
    dtypes = [] if requirement.once else [verdict.dtype]
    dtype = (dtypes or opened.description.capabilities.logits_dtypes)[0]
    witness = _literals(failure.problem)
    problem = _problem(failure.problem, witness, dtype)
    subject = Subject(opened.description, opened.executor, dtype)

    def fails(candidate: Problem) -> bool:
        return any(finding.failed for finding in findings(requirement, Trial(subject, candidate)))

    if not fails(problem):
        raise NoDraftError("its problem passes when judged on its own now")
    where = traits(problem) - ORDINARY
    others = [] if "cotangent" in witness else [{**witness, "reduction": r} for r in subject.capabilities.reductions]
    if others and all(fails(from_literals(other, dtype, failure.problem.sentinel)) for other in others):
        where.discard(f"reduction-{problem.reduction}")
    return Draft(verdict.requirement, dtypes, sorted(where), failure.message, witness)


def _problem(line: ProblemLine, witness: dict[str, Any], dtype: str) -> Problem:
    """The problem that a witness describes; raises NoDraftError where it is not that of the record."""
    try:
        problem = from_literals(witness, dtype, line.sentinel)
    except (KeyError, TypeError, ValueError) as error:
        raise NoDraftError(f"its problem cannot be written as literals: {error}") from error
    if as_data(from_data(to_data(problem), ProblemLine)) != as_data(line):
        raise NoDraftError("a deviation file cannot express the layout or dtypes of its problem")
    return problem


def _literals(line: ProblemLine) -> dict[str, Any]:
    """A problem in the form of a deviation file, without default values."""
    witness: dict[str, Any] = {"logits": _nested(line.logits), "target": _nested(line.target)}
    if line.target.dtype not in ("int64", line.logits.dtype):
        witness["target_dtype"] = line.target.dtype
    if line.weight is not None:
        witness["weight"] = _nested(line.weight)
        if line.weight.dtype != line.logits.dtype:
            witness["weight_dtype"] = line.weight.dtype
    witness["reduction"] = line.reduction
    if line.ignore_index is not None:
        witness["ignore_index"] = line.ignore_index
    if line.label_smoothing:
        witness["label_smoothing"] = line.label_smoothing
    witness |= {name: getattr(line, name) for name, neutral in EXTRAS.items() if getattr(line, name) != neutral}
    if line.cotangent is not None and any(value != 1 for value in line.cotangent.values or ()):
        witness["cotangent"] = _nested(line.cotangent)
    return witness


def _nested(array: ArrayLine) -> Any:
    """The values of an array as nested lists, or the shape of an empty one; raises NoDraftError without values."""
    values: Any = array.values
    if values is None:
        raise NoDraftError("its problem is too large to be written out in the record")
    if not values:
        return {"shape": list(array.shape), "value": 0 if array.dtype in INTEGER else 0.0}
    for length in reversed(array.shape[1:]):
        values = [values[i : i + length] for i in range(0, len(values), length)]
    return values if array.shape else values[0]
