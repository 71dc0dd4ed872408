"""Measures causes on composites: ``PYTHONPATH=tests python -m composites.measure --pairs 40 --seed 2``.

A fault is named where the failure that stands for a cause shows that fault alone: on the small problem of it no other
of the planted faults fails. A cause is merged where it holds failures of different faults, and surplus where there are
more causes than faults.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from composites.planted import sampled, subject
from mutants.catalogue import Mutant
from xent_conformance.calling.calls import Invocation
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.judge import findings, judge, trials
from xent_conformance.judging.profiles import PROFILES, Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.problem_data import to_data
from xent_conformance.records import causes as recorded
from xent_conformance.records.lines import Failure, ProblemLine
from xent_conformance.records.plain import from_data
from xent_conformance.records.status import Level, Status
from xent_conformance.requirements.registry import Requirement, grouped, load
from xent_conformance.strategies.sources import Source
from xent_conformance.verdicts.tally import Tally
from xent_conformance.witnesses.behind import Cause, causes
from xent_conformance.witnesses.calls_before import made_anew

#: Less than the default profile, since a measurement is many runs.
PROFILES["composites"] = replace(PROFILES["default"], examples=120, enumerated=0.25)
#: A fault that shows only sometimes is tried so often.
AGAIN = 4


@dataclass
class Run:
    """What a composite was judged to be: a line for each failure with the faults that it shows alone."""

    planted: tuple[str, ...]
    lines: list[SimpleNamespace] = field(default_factory=list)
    visible: set[str] = field(default_factory=set)

    def causes(self) -> list[recorded.Cause]:
        return recorded.causes(self.lines)


@dataclass(frozen=True)
class Score:
    """Of so many composites, all of whose faults show: those with all named, those with a merged cause, and so on."""

    composites: int
    named: int
    merged: int
    misplaced: int
    surplus: int

    def __str__(self) -> str:
        return (
            f"{self.composites} composites: all faults named in {self.named}, a cause with failures of two faults in"
            f" {self.merged} ({self.misplaced} failures misplaced), {self.surplus} surplus causes"
        )


def score(runs: Iterable[Run]) -> Score:
    """Only composites count of which every fault fails somewhere where no other one does."""
    counts = Counter(composites=0, named=0, merged=0, misplaced=0, surplus=0)
    for run in runs:
        if run.visible != set(run.planted):
            continue
        found = run.causes()
        shown = {fault for cause in found if len(cause.shown.verdict.shows) == 1 for fault in cause.shown.verdict.shows}
        holds = [Counter(f for i in c.instances if len(i.verdict.shows) == 1 for f in i.verdict.shows) for c in found]
        counts["composites"] += 1
        counts["named"] += shown == set(run.planted)
        counts["merged"] += any(len(faults) > 1 for faults in holds)
        counts["misplaced"] += sum(faults.total() - max(faults.values(), default=0) for faults in holds)
        counts["surplus"] += max(0, len(found) - len(run.planted))
    return Score(**counts)


def run(mutants: tuple[Mutant, ...], settings: Settings) -> Run:
    """Judge a composite as a run does, and each of its mutants alone on what is shown."""
    both = subject(*mutants)
    alone = {mutant.name: subject(mutant) for mutant in mutants}
    made = Run(tuple(alone))
    for source, group in grouped(_requirements()).items():
        judged = [r for r in group if r.not_applicable(both) is None]
        for requirement, tally in tallies(judged, both, _drawn(source, settings) if judged else ()):
            for failing in tally.failing:
                if made.visible != set(alone):
                    shows = _shows(requirement, alone, [failing.trial.problem], failing.finding)
                    made.visible |= shows if len(shows) == 1 else set()
            made.lines += [line(requirement, c, alone) for c in causes(requirement, both, tally.failing)]
    return made


@cache
def _requirements() -> tuple[Requirement, ...]:
    return tuple(r for r in load().values() if r.level is not Level.OBSERVED and not r.opt_in)


@cache
def _drawn(source: Source, settings: Settings) -> list[Trial]:
    """Problems with the answers and bounds that all composites share: all mutants have the claims of the twin."""
    return list(trials(subject(), source, settings))


def tallies(judged: Sequence[Requirement], subject: Subject, drawn: Iterable[Trial]) -> list[tuple[Requirement, Tally]]:
    """Requirements that fail on some problems, with what was counted."""
    counted = [(requirement, Tally()) for requirement in judged]
    for trial in drawn:
        here = trial.on(subject)
        for requirement, tally in counted:
            for derived, found in judge(requirement, here):
                tally.count(derived, found, excused=False)
    return [(requirement, tally) for requirement, tally in counted if tally.failed]


def line(requirement: Requirement, cause: Cause, alone: dict[str, Subject]) -> SimpleNamespace:
    """What a record says about a cause, as far as it tells causes apart."""
    finding, problem = cause.witness.finding, cause.witness.problem
    failure = Failure(
        kind=finding.kind,
        call=finding.call,
        quantity=finding.quantity,
        message=finding.message,
        intermittent=cause.witness.sometimes,
        calls_before=len(cause.witness.before),
        only_in_run=cause.witness.lingering,
        situation=(*cause.needs.situation, *cause.needs.sizes),
        undecided=cause.needs.undecided,
        right=cause.right,
        problem=from_data(to_data(finding.problem or problem), ProblemLine),
        **finding.details(),
    )
    before = cause.witness.before
    shows = _shows(requirement, alone, [problem], finding, before)
    if not shows:
        shows = _shows(requirement, alone, AGAIN * [problem, cause.failing.trial.problem], finding, before)
    return SimpleNamespace(
        backend="composite",
        requirement=requirement.id,
        dtype=problem.dtype,
        level=requirement.level,
        status=Status.FAIL,
        failures=(failure,),
        shows=shows,
    )


def _shows(
    requirement: Requirement,
    alone: dict[str, Subject],
    problems: Sequence[Problem],
    finding: Finding,
    before: Sequence[Invocation] = (),
) -> set[str]:
    """The faults that alone, and after some calls, fail in the same way on any of some problems."""

    def fails(subject: Subject) -> bool:
        if before:
            made_anew(subject.caller, before)
        return any(
            found.failed and found.likeness == finding.likeness
            for problem in problems
            for found in _findings(requirement, Trial(subject, problem))
        )

    return {name for name, subject in alone.items() if fails(subject)}


def _findings(requirement: Requirement, trial: Trial) -> list[Finding]:
    try:
        return findings(requirement, trial)
    except Exception:  # noqa: BLE001 - what the suite cannot judge shows nothing
        return []


def main() -> None:
    """Measure, and print the composites that are not as they should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--triples", type=int, default=0)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--save", type=Path, help="write the runs to a file, and go on where it ends")
    parser.add_argument("--load", type=Path, help="score the runs of a file")
    asked = parser.parse_args()
    runs: list[Run] = pickle.loads(asked.load.read_bytes()) if asked.load else []
    if not asked.load:
        for mutants in sampled(asked.pairs, 2, asked.seed) + sampled(asked.triples, 3, asked.seed):
            began = time.monotonic()
            runs.append(run(mutants, Settings("composites", asked.seed)))
            sys.stderr.write(f"{' + '.join(runs[-1].planted)}: {time.monotonic() - began:.0f} s\n")
            if asked.save:
                asked.save.write_bytes(pickle.dumps(runs))
    for made in runs:
        _report(made)
    for size in sorted({len(made.planted) for made in runs}):
        print(f"{size} faults: {score(r for r in runs if len(r.planted) == size)}")


def _report(made: Run) -> None:
    alone = score([made])
    if not alone.composites or (alone.named and not alone.merged and not alone.surplus):
        return
    print(f"{' + '.join(made.planted)}: {alone}")
    for cause in made.causes():
        print(f"    {cause.situation}: {cause.shown.signature[1:]}")
        for instance in cause.instances[:4]:
            verdict, needed = instance.verdict, ", ".join(instance.failure.situation)
            print(f"        {verdict.requirement} {sorted(verdict.shows)} {needed}", end="")
            print(f" (undecided: {', '.join(instance.failure.undecided)})" if instance.undecided else "")
        if len(cause.instances) > 4:
            print(f"        ... {len(cause.instances)}")


if __name__ == "__main__":
    main()
