"""The problems that are exported: those that requirements judge for given claims, without repetitions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.coverage.measure import exercised
from xent_conformance.interface import Capabilities
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.description import Description
from xent_conformance.problem import AnyArray, Problem

#: Only problems of requirements that make calls of these forms are exported.
FORMS = {"loss", "gradient"}


@dataclass(frozen=True)
class Claimant:
    """A backend that has claims but no implementation. It is never called."""

    capabilities: Capabilities
    name: str = "vectors"

    def cross_entropy(self, logits: AnyArray, target: AnyArray, **options: Any) -> Any:  # noqa: ARG002
        """Raise TypeError."""
        raise TypeError("these are claims alone")


def problems(claims: Capabilities, dtype: str, settings: Settings) -> Iterator[Problem]:
    """The problems of a run, with arrays in C order; problems that differ only in memory layout are yielded once."""
    claimant = Claimant(claims)
    described = Description(claimant.name, claims, forms=("cross-entropy", "gradient"))
    subject = Subject(described, LocalExecutor(claimant), dtype)
    seen = set()
    for problem, forms in exercised(subject, settings):
        if not forms & FORMS:
            continue
        flat = _flat(problem)
        if (key := _identity(flat)) not in seen:
            seen.add(key)
            yield flat


def _flat(problem: Problem) -> Problem:
    """The same problem with all arrays in C order, and a cotangent of ones if it has none."""
    ones = np.ones(problem.row_shape if problem.reduction == "none" else ()).astype(problem.logits.dtype)
    arrays = {"cotangent": ones} | problem.arrays()
    return problem.with_(**{name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()})


def _identity(problem: Problem) -> bytes:
    """A digest of a problem's arrays and options."""
    options = problem.ignored_label, problem.reduction, problem.label_smoothing
    arrays = {name: (a.dtype.name, a.shape) for name, a in problem.arrays().items()}
    digest = hashlib.sha256(repr((options, arrays)).encode())
    for array in problem.arrays().values():
        digest.update(array.tobytes())
    return digest.digest()
