"""Counting findings: how many examples, how many of them told something, the largest ratio, the problem to show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xent_conformance.calling.calls import Invocation
from xent_conformance.formats import is_floating
from xent_conformance.judging.findings import Compared, Declined, Finding, Lost
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem


@dataclass(frozen=True)
class Failing:
    """A trial that fails, its worst finding, and the latest calls until then."""

    trial: Trial
    finding: Finding
    before: tuple[Invocation, ...] = ()


@dataclass
class _Bin:
    count: int = 0
    ratio: float = 0.0
    ulp: float = 0.0


@dataclass
class Tally:
    """Counts for one requirement on one subject.

    ``excused`` counts failures in the domain of a known deviation. ``worst`` has the worst finding of each quantity.
    ``declined`` is why a backend gives nothing to compare, where it says so.
    """

    examples: int = 0
    exercised: int = 0
    excused: int = 0
    failed: int = 0
    ratio: float | None = None
    worst: dict[str, Finding] = field(default_factory=dict)
    failing: Failing | None = None
    declined: str | None = None
    _bins: dict[int, _Bin] = field(default_factory=dict)

    def count(self, trial: Trial, found: Sequence[Finding], *, excused: bool) -> None:
        """Count the findings on one trial; ``excused`` ones do not fail, and do not enter the largest ratio."""
        self.examples += 1
        self.declined = next((f.reason for f in found if isinstance(f, Declined)), self.declined)
        found = [f for f in found if not isinstance(f, Declined)]
        self.exercised += any(f.exercised for f in found)
        self.excused += excused
        if not found or excused:
            return
        for finding in found:
            best = self.worst.get(finding.quantity)
            if best is None or finding.ratio > best.ratio:
                self.worst[finding.quantity] = finding
        worst = max(found, key=lambda f: f.ratio)
        self.ratio = worst.ratio if self.ratio is None else max(self.ratio, worst.ratio)
        self._bin(trial.problem, found)
        if worst.failed:
            self.failed += 1
            self._keep(trial, worst)

    def bins(self) -> list[dict[str, Any]]:
        """Largest ratio and error by number of classes, in powers of two."""
        return [
            {"classes": 2**power, "count": b.count, "ratio": b.ratio, "ulp": b.ulp}
            for power, b in sorted(self._bins.items())
        ]

    def _bin(self, problem: Problem, found: Sequence[Finding]) -> None:
        power = max(problem.classes, 1).bit_length() - 1
        place = self._bins.setdefault(power, _Bin())
        place.count += 1
        place.ratio = max(place.ratio, *(f.ratio for f in found))
        place.ulp = max(place.ulp, *(f.ulp for f in found))

    def _keep(self, trial: Trial, worst: Finding) -> None:
        """Keep the failing problem that promises the clearest witness."""
        if self.failing is None or _unclear(trial, worst) < _unclear(self.failing.trial, self.failing.finding):
            self.failing = Failing(trial, worst, tuple(trial.subject.executor.recent))


def _unclear(trial: Trial, finding: Finding) -> tuple[bool, bool, bool, float]:
    """How far a failing problem is from a witness: a call that came back, what is not finite, size against clarity."""
    logits = trial.problem.logits
    undefined = isinstance(finding, Compared) and not math.isfinite(finding.expected)
    finite = not is_floating(logits.dtype) or bool(np.isfinite(logits.astype(np.float64)).all())
    clarity = math.log2(min(max(finding.ratio, 1.0), 256.0))
    return not isinstance(finding, Lost), undefined, not finite, math.log2(logits.size + 1) - clarity
