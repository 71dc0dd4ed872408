"""Drafts of known deviations: entries for the failures of a record, each with a witness that was seen to fail.

A draft excuses little: problems with all traits of its witness but a reduction that does not matter, in the dtypes that
failed. Whoever keeps it says in ``reason`` what is wrong, names the library's issue, and takes more traits that do not
matter out of ``where``.
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
from xent_conformance.problem import Problem
from xent_conformance.problem_data import from_literals, to_data, traits
from xent_conformance.records.lines import ArrayLine, Failure, ProblemLine, VerdictLine
from xent_conformance.records.plain import as_data, from_data
from xent_conformance.records.record import UNEXPECTED
from xent_conformance.requirements.registry import load
from xent_conformance.verdicts.deviations import UNREPORTED

#: Traits that are nothing special.
ORDINARY = {"labels-int64"}
#: What a draft begins with.
ADVICE = (
    "Drafted by `xent deviations`. In your own words: what is wrong (reason), and the library's issue.",
    "Take out of `where` what does not matter: an entry excuses problems that have all that it names.",
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
        """What entries have in common that are one but for their dtypes."""
        return self.requirement, repr(self.where), repr(self.witness)

    def covers(self, other: Draft) -> bool:
        """Whether it excuses all that another one excuses."""
        alike = self.requirement == other.requirement and set(self.dtypes) >= set(other.dtypes)
        return alike and set(self.where) <= set(other.where)


def drafts(verdicts: Iterable[VerdictLine], opened: Opened) -> tuple[list[Draft], list[str]]:
    """Entries for the failures of a backend, and a line for each failure that has none."""
    found: dict[tuple[str, str, str], Draft] = {}
    without = []
    for verdict, failure in _failures(verdicts, opened.description.name):
        try:
            draft = _draft(verdict, failure, opened)
        except NoDraftError as error:
            without.append(f"no draft for {verdict.requirement} ({verdict.dtype}): {error}")
            continue
        first = found.setdefault(draft.key, draft)
        first.dtypes = list(dict.fromkeys([*first.dtypes, *draft.dtypes]))
    # The first of those that excuse the same; the failures of one verdict may be of situations that include others.
    drafted: list[Draft] = []
    for draft in sorted(found.values(), key=lambda d: (len(d.where), -len(d.dtypes))):
        if not any(other.covers(draft) for other in drafted):
            drafted.append(draft)
    return [draft for draft in found.values() if draft in drafted], without


def as_toml(entries: Iterable[Draft]) -> str:
    """Entries as text that can be put at the end of a deviation file."""
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
    # What is judged once for all dtypes is judged for the first.
    dtypes = [] if requirement.once else [verdict.dtype]
    dtype = (dtypes or opened.description.capabilities.logits_dtypes)[0]
    witness = _literals(failure.problem)
    problem = _problem(failure.problem, witness, dtype)
    subject = Subject(opened.description, opened.executor, dtype)

    def fails(candidate: Problem) -> bool:
        return any(finding.failed for finding in findings(requirement, Trial(subject, candidate)))

    if not fails(problem):
        raise NoDraftError("its problem passes now, on its own")
    where = traits(problem) - ORDINARY
    others = [] if "cotangent" in witness else [{**witness, "reduction": r} for r in subject.capabilities.reductions]
    if others and all(fails(from_literals(other, dtype, failure.problem.sentinel)) for other in others):
        where.discard(f"reduction-{problem.reduction}")
    return Draft(verdict.requirement, dtypes, sorted(where), failure.message, witness)


def _problem(line: ProblemLine, witness: dict[str, Any], dtype: str) -> Problem:
    """The problem that a witness stands for; raises NoDraftError where that is not the one of the record."""
    try:
        problem = from_literals(witness, dtype, line.sentinel)
    except (KeyError, TypeError, ValueError) as error:
        raise NoDraftError(f"its problem cannot be written as literals: {error}") from error
    if as_data(from_data(to_data(problem), ProblemLine)) != as_data(line):
        raise NoDraftError("its problem has a layout or dtypes that a deviation file has no words for")
    return problem


def _literals(line: ProblemLine) -> dict[str, Any]:
    """A problem as a deviation file has it, without default values."""
    witness: dict[str, Any] = {"logits": _nested(line.logits), "target": _nested(line.target)}
    if line.target.dtype not in ("int64", line.logits.dtype):
        witness["target_dtype"] = line.target.dtype
    if line.weight is not None:
        witness["weight"] = _nested(line.weight)
    witness["reduction"] = line.reduction
    if line.ignore_index is not None:
        witness["ignore_index"] = line.ignore_index
    if line.label_smoothing:
        witness["label_smoothing"] = line.label_smoothing
    if line.cotangent is not None and any(value != 1 for value in line.cotangent.values or ()):
        witness["cotangent"] = _nested(line.cotangent)
    return witness


def _nested(array: ArrayLine) -> Any:
    """The values of an array as nested lists, an empty one as its shape; raises NoDraftError where there are none."""
    values: Any = array.values
    if values is None:
        raise NoDraftError("its problem is too large to be written out in the record")
    if not values:
        return {"shape": list(array.shape), "value": 0 if array.dtype in INTEGER else 0.0}
    for length in reversed(array.shape[1:]):
        values = [values[i : i + length] for i in range(0, len(values), length)]
    return values if array.shape else values[0]
