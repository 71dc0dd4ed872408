"""The tally of a requirement: examples, conclusive examples, the largest ratio, and the failing problems to show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from xent_conformance.calling.calls import Invocation
from xent_conformance.causes.facts import facts
from xent_conformance.formats import is_floating
from xent_conformance.judging.findings import Accepted, Compared, Declined, Finding, Lost
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem

#: Most failing trials that are stored, and the number of logits above which only one is.
MOST, LARGE = 64, 1 << 22


@dataclass(frozen=True)
class Failing:
    """A failing trial, its worst finding, and the latest calls before it; it represents ``alike`` similar failures."""

    trial: Trial
    finding: Finding
    before: tuple[Invocation, ...] = ()
    alike: int = 1

    @cached_property
    def facts(self) -> frozenset[str]:
        """The facts of its problem."""
        return facts(self.trial.problem)


@dataclass
class _Bin:
    count: int = 0
    ratio: float = 0.0
    ulp: float = 0.0


@dataclass
class Tally:
    """Counts for one requirement on one subject.

    ``excused`` counts failures that a known deviation excuses. ``worst`` has the worst finding of each quantity.
    ``declined`` is the reason why a backend's convention leaves nothing to compare.
    """

    examples: int = 0
    exercised: int = 0
    excused: int = 0
    failed: int = 0
    ratio: float | None = None
    worst: dict[str, Finding] = field(default_factory=dict)
    declined: str | None = None
    _kept: dict[object, Failing] = field(default_factory=dict)
    _bins: dict[int, _Bin] = field(default_factory=dict)

    @property
    def failing(self) -> list[Failing]:
        """Failing trials with different signatures or facts, the one with the probably clearest witness first.

        Other failing trials differ from one of these only in their numbers.
        """
        return sorted(self._kept.values(), key=unclear)

    def count(self, trial: Trial, findings: Sequence[Finding], *, excused: bool) -> None:
        """Count the findings on one trial. Excused ones are no failures and do not enter the largest ratio."""
        self.examples += 1
        self.declined = next((f.reason for f in findings if isinstance(f, Declined)), self.declined)
        findings = [f for f in findings if not isinstance(f, Declined)]
        self.exercised += any(f.exercised for f in findings)
        self.excused += excused
        if not findings or excused:
            return
        for finding in findings:
            best = self.worst.get(finding.quantity)
            if best is None or finding.ratio > best.ratio:
                self.worst[finding.quantity] = finding
        worst = max(findings, key=lambda f: f.ratio)
        self.ratio = worst.ratio if self.ratio is None else max(self.ratio, worst.ratio)
        if compared := [f for f in findings if isinstance(f, Compared)]:
            self._bin(trial.problem, compared)
        if worst.failed:
            self.failed += 1
            self._keep(Failing(trial, worst, tuple(trial.subject.executor.recent)))

    def bins(self) -> list[dict[str, Any]]:
        """Largest ratio and error by number of classes, in powers of two, over comparisons with exact values."""
        return [
            {"classes": 2**power, "count": b.count, "ratio": b.ratio, "ulp": b.ulp}
            for power, b in sorted(self._bins.items())
        ]

    def _bin(self, problem: Problem, compared: Sequence[Finding]) -> None:
        power = max(problem.classes, 1).bit_length() - 1
        place = self._bins.setdefault(power, _Bin())
        place.count += 1
        place.ratio = max(place.ratio, *(f.ratio for f in compared))
        place.ulp = max(place.ulp, *(f.ulp for f in compared))

    def _keep(self, failing: Failing) -> None:
        """Store a failing trial, of similar ones the clearest, without the answers and outcomes computed for it."""
        trial = failing.trial
        bare = Trial(trial.subject, trial.problem, recipe=trial.recipe, example=trial.example)
        kept, key = replace(failing, trial=bare), (failing.finding.signature, failing.facts)
        if key in self._kept:
            other = self._kept[key]
            self._kept[key] = replace(min(other, kept, key=unclear), alike=other.alike + 1)
            return
        self._kept[key] = kept
        if len(self._kept) > (MOST if trial.problem.logits.size <= LARGE else 1):
            del self._kept[max(self._kept, key=lambda place: unclear(self._kept[place]))]


def unclear(failing: Failing) -> tuple[bool, bool, bool, float]:
    """Sort key for witnesses, the clearest first: calls that did not return, finite numbers, size against clarity."""
    finding, logits = failing.finding, failing.trial.problem.logits
    undefined = isinstance(finding, Compared) and not math.isfinite(finding.expected)
    undefined |= isinstance(finding, Accepted) and finding.gave_nan
    finite = not is_floating(logits.dtype) or bool(np.isfinite(logits.astype(np.float64)).all())
    clarity = math.log2(min(max(finding.ratio, 1.0), 256.0))
    return not isinstance(finding, Lost), undefined, not finite, math.log2(logits.size + 1) - clarity
