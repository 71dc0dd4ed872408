"""The registry of requirements: each declared once, with its check, where its problems come from, and what it needs.

A check is a function of a :class:`~xent_conformance.judging.trial.Trial` that yields findings. The decorator
registers it; pytest has one item for it on each backend and dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.profiles import OPT_IN
from xent_conformance.judging.subject import CROSS_ENTROPY, Form, Need, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.status import Level
from xent_conformance.strategies.sources import Source
from xent_conformance.strategies.streams import JOINT

__all__ = ["REGISTRY", "Check", "Level", "Requirement", "load", "requirement"]

Check = Callable[[Trial], Iterable[Finding]]


@dataclass(frozen=True)
class Requirement:
    """One numbered statement about a backend.

    ``derive`` turns each problem of the source into those that are judged; ``observe`` turns the findings of an
    OBSERVED requirement into the line that the report shows. The problems of one that is not ``reducible`` are too
    expensive to be tried again and again.
    """

    id: str
    title: str
    level: Level
    statement: str
    references: tuple[str, ...]
    needs: tuple[Need, ...]
    source: Source
    check: Check
    derive: Callable[[Problem], Iterable[Problem]] | None = None
    observe: Callable[[Iterable[Finding]], str] | None = None
    once: bool = False
    reducible: bool = True

    @property
    def family(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def opt_in(self) -> bool:
        """Whether it is judged only where the profile, or the command line, asks for it."""
        return self.family == OPT_IN

    def not_applicable(self, subject: Subject) -> str | None:
        """Why it does not apply to a subject; None: it does."""
        reasons = [need.missing(subject) for need in self.needs]
        return next((r for r in reasons if r is not None), None)


REGISTRY: dict[str, Requirement] = {}


def requirement(
    identifier: str,
    title: str,
    *,
    level: Level = Level.MUST,
    references: Iterable[str] = (),
    needs: Iterable[Need] = (),
    source: Source = JOINT,
    **more: Any,
) -> Callable[[Check], Check]:
    """Register a check whose docstring begins with the requirement's statement as one paragraph.

    What calls other functions than ``cross_entropy`` has all those that it calls among its ``needs``, as ``Form``.
    Raises ValueError for an id that is taken or a check without a docstring.
    """
    needed = tuple(needs)
    if not any(isinstance(need, Form) for need in needed):
        needed = (CROSS_ENTROPY, *needed)

    def register(check: Check) -> Check:
        taken = REGISTRY.get(identifier)
        if taken is not None and (taken.check.__module__, taken.check.__name__) != (check.__module__, check.__name__):
            raise ValueError(f"two requirements with the id {identifier!r}")
        if not check.__doc__:
            raise ValueError(f"{identifier}: the check has no docstring to state the requirement")
        statement = " ".join(check.__doc__.split("\n\n")[0].split())
        found = Requirement(identifier, title, level, statement, tuple(references), needed, source, check, **more)
        REGISTRY[identifier] = found

        # What pytest collects: see ``plugin``.
        check.requirement = found  # type: ignore[attr-defined]
        return check

    return register


def load() -> dict[str, Requirement]:
    """All requirements of the suite, by id."""
    _import_all()
    return dict(sorted(REGISTRY.items()))


@cache
def _import_all() -> None:
    package = "xent_conformance.requirements"
    for entry in sorted(files(package).iterdir(), key=lambda e: e.name):
        if entry.name.startswith("test_") and entry.name.endswith(".py"):
            import_module(f"{package}.{entry.name[:-3]}")


def grouped(requirements: Iterable[Requirement]) -> dict[Source, list[Requirement]]:
    """Requirements by their source, those that share trials together."""
    groups: dict[Source, list[Requirement]] = {}
    for one in requirements:
        groups.setdefault(one.source, []).append(one)
    return groups
