"""Counts the levels, pairs and triples of levels, and bands of sizes that the problems of a run have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.coverage.bands import BANDS, band_of
from xent_conformance.coverage.factors import WITHOUT, Level, levels_of
from xent_conformance.coverage.possible import possible_levels, possible_pairs, possible_triples, unclaimed_pairs
from xent_conformance.formats import is_floating
from xent_conformance.interface import Backend
from xent_conformance.judging.judge import trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import (
    EITHER_SOFTMAX,
    FUSED_LINEAR,
    GRADIENT,
    LAYER,
    LOG_SOFTMAX,
    NLL_LOSS,
    SECOND_ORDER,
    SOFTMAX,
    Need,
    Subject,
)
from xent_conformance.loading.description import Description
from xent_conformance.loading.errors import UsageError
from xent_conformance.loading.loader import load as load_backend
from xent_conformance.problem import Problem, labels_exist
from xent_conformance.request import Request
from xent_conformance.requirements.registry import Requirement, grouped, load

#: Forms of a call. A requirement makes calls of a form if it needs one of these functions of a backend.
FORMS: dict[str, tuple[Need, ...]] = {
    "gradient": (GRADIENT,),
    "layer": (LAYER,),
    "second order": (SECOND_ORDER,),
    "primitives": (SOFTMAX, LOG_SOFTMAX, EITHER_SOFTMAX, NLL_LOSS),
    "fused linear": (FUSED_LINEAR,),
}
#: The family of requirements whose calls must be rejected; they do not count.
REJECTED = "invalid_calls"


@dataclass
class Coverage:
    """The levels and combinations that problems have had, of those that are possible.

    Attributes:
        possible: Factor to its possible levels.
        unclaimed: Pairs of these levels that the backend does not claim.
        calls: Number of calls counted.
        rows: Bands of the numbers of rows, of problems with several classes.
        classes: Bands of the numbers of classes.
        sizes: Number of calls by rows and classes, each rounded down to a power of two.
    """

    possible: dict[str, tuple[str, ...]]
    unclaimed: Sequence[tuple[Level, Level]] = ()
    calls: int = 0
    rows: set[tuple[int, int]] = field(default_factory=set)
    classes: set[tuple[int, int]] = field(default_factory=set)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Set all counts to zero."""
        self.levels: list[Level] = [(f, level) for f, levels in self.possible.items() for level in levels]
        self._place = {level: number for number, level in enumerate(self.levels)}
        size = len(self.levels)
        self._possible = possible_pairs(self.levels, self.unclaimed)
        self._met = np.zeros((size, size, size), dtype=bool)
        self._calls = np.zeros(size, dtype=np.int64)

    def add(self, problem: Problem, forms: Iterable[str]) -> None:
        """Count a problem as one call of each of these forms."""
        whole, rows = levels_of(problem)
        for form in forms:
            seen: set[int] = set()
            for kind in rows or [set()]:
                levels = {level for level in whole | kind if level[0] not in WITHOUT[form]} | {("form", form)}
                places = [self._place[level] for level in levels if level in self._place]
                self._met[np.ix_(places, places, places)] = True
                seen.update(places)
            self._calls[list(seen)] += 1
            self.sizes[_power(problem.rows), _power(problem.classes)] += 1
            self.calls += 1
        # The loss of a single class is zero, whatever is done with it.
        for size, bands in ((problem.rows if problem.classes > 1 else 0, self.rows), (problem.classes, self.classes)):
            if (band := band_of(size)) is not None:
                bands.add(band)

    def merge(self, other: Coverage) -> None:
        """Add the counts of another one with the same possible levels."""
        self._met |= other._met
        self._calls += other._calls
        self.sizes += other.sizes
        self.calls += other.calls
        self.rows |= other.rows
        self.classes |= other.classes

    def pairs(self) -> tuple[int, int]:
        """The number of pairs of levels that occurred, and of possible ones."""
        possible = np.triu(self._possible)
        return int((possible & self._met_pairs()).sum()), int(possible.sum())

    def triples(self) -> tuple[int, int]:
        """The number of triples of levels that occurred, and of possible ones."""
        possible = possible_triples(self.levels, self._possible)
        return int((possible & self._met).sum()), int(possible.sum())

    def missing(self) -> list[tuple[Level, Level]]:
        """Possible pairs that did not occur, of levels that each occurred."""
        seen = self._met_levels()
        left = np.triu(self._possible & seen[:, None] & seen[None, :]) & ~self._met_pairs()
        return [(self.levels[i], self.levels[j]) for i, j in np.argwhere(left)]

    def by_level(self) -> dict[str, dict[str, int]]:
        """The number of calls with each level, by factor and level."""
        counts: dict[str, dict[str, int]] = {}
        for (factor, level), calls in zip(self.levels, self._calls.tolist(), strict=True):
            counts.setdefault(factor, {})[level] = calls
        return counts

    def never(self) -> list[Level]:
        """Possible levels that did not occur."""
        return [level for level, met in zip(self.levels, self._met_levels(), strict=True) if not met]

    def untouched(self, met: set[tuple[int, int]]) -> list[tuple[int, int]]:
        """Bands of sizes other than those given."""
        return [band for band in BANDS if band not in met]

    def as_data(self) -> dict[str, Any]:
        """All counts as JSON data."""
        (pairs, all_pairs), (triples, all_triples) = self.pairs(), self.triples()
        return {
            "calls": self.calls,
            "levels": self.by_level(),
            "sizes": [[rows, classes, calls] for (rows, classes), calls in sorted(self.sizes.items())],
            "pairs": {"met": pairs, "possible": all_pairs},
            "triples": {"met": triples, "possible": all_triples},
            "never": [list(level) for level in self.never()],
            "missing_pairs": [[list(a), list(b)] for a, b in self.missing()],
            "untouched_rows": self.untouched(self.rows),
            "untouched_classes": self.untouched(self.classes),
        }

    def _met_levels(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._met_pairs().any(axis=1))

    def _met_pairs(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._met.any(axis=2))


def _power(size: int) -> int:
    """The largest power of two up to a size; 0 for 0."""
    return int(1 << (size.bit_length() - 1)) if size else 0


def exercised(subject: Subject, settings: Settings) -> Iterator[tuple[Problem, set[str]]]:
    """Every problem that a run judges for a subject, with the forms of call that its requirements make.

    Problems of requirements that are judged once for all dtypes count for the first dtype of the backend.
    """
    first = subject.dtype == subject.capabilities.logits_dtypes[0]
    judged = (r for r in load().values() if not r.opt_in and r.family != REJECTED and (first or not r.once))
    for source, group in grouped(judged).items():
        by_derivation: dict[Any, set[str]] = {}
        for requirement in (r for r in group if r.not_applicable(subject) is None and not source.foreign_labels):
            by_derivation.setdefault(requirement.derive, set()).update(forms_of(requirement))
        for trial in trials(subject, source, settings) if by_derivation else ():
            for derive, forms in by_derivation.items():
                derived = [trial.problem] if derive is None else derive(trial.problem)
                # A requirement may try dtypes that are not claimed.
                yield from ((p, forms) for p in derived if well_formed(p) and not subject.unclaimed_dtypes(p))


def forms_of(requirement: Requirement) -> set[str]:
    """The forms of call that a requirement makes; "loss" if it needs no special one."""
    return {form for form, needs in FORMS.items() if not set(needs).isdisjoint(requirement.needs)} or {"loss"}


def well_formed(problem: Problem) -> bool:
    """Whether a call is valid: shapes match, labels are in range, logits and weights are floating-point."""
    if not is_floating(problem.logits.dtype) or not problem.rows or not problem.classes:
        return False
    weight = problem.weight
    if weight is not None and (weight.shape != (problem.classes,) or not is_floating(weight.dtype)):
        return False
    if problem.has_probabilities:
        return problem.target.shape == problem.logits.shape
    has_labels = problem.target.shape == problem.row_shape and problem.target.dtype.kind in "iu"
    return has_labels and labels_exist(problem)


def measured(
    backend: Backend, description: Description, dtypes: Sequence[str], profile: str, seeds: Iterable[int]
) -> Coverage:
    """The coverage of runs with these seeds, of the calls that a backend claims. The backend is not called."""
    claims = description.capabilities
    coverage = Coverage(
        possible_levels(claims, description.forms, tuple(dtypes)), unclaimed=unclaimed_pairs(claims, dtypes)
    )
    for seed in seeds:
        for dtype in dtypes:
            subject = Subject.of(backend, dtype)
            for problem, forms in exercised(subject, Settings(profile, seed)):
                coverage.add(problem, forms)
    return coverage


def requested(request: Request, seeds: int) -> Coverage:
    """The coverage of runs of the request's first backend with this number of consecutive seeds.

    Raises:
        UsageError: The backend claims none of the requested dtypes.
        Exception: What ``loading.loader.load`` raises.
    """
    backend, description = load_backend(request.backends[0])
    claimed = description.capabilities.logits_dtypes
    dtypes = [dtype for dtype in claimed if not request.dtypes or dtype in request.dtypes]
    if not dtypes:
        raise UsageError(f"{description.name} claims none of these dtypes but {', '.join(claimed)}")
    return measured(backend, description, dtypes, request.profile, range(request.seed, request.seed + seeds))
