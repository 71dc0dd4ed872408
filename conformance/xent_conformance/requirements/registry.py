"""The registry of requirements: each is declared once, with its check, the source of its problems, and its needs.

A check is a function that takes a :class:`~xent_conformance.judging.trial.Trial` and yields findings. The decorator
registers it; in pytest it is one item for each backend and dtype.
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
    OBSERVED requirement into the line that the report shows. ``once``: it is judged in one dtype only. ``reducible``:
    its failing problems may be reduced; some are too expensive to be tried many times. For those ``cheaper`` is a check
    that can be: where it fails as well, the size does not matter, and its failure is reduced and shown.
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
    cheaper: Check | None = None

    @property
    def family(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def opt_in(self) -> bool:
        """Whether it is judged only with a profile of its own, or if the command line names it."""
        return self.family == OPT_IN

    def not_applicable(self, subject: Subject) -> str | None:
        """Why it does not apply to a subject; None if it does."""
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
    """Register a check; the first paragraph of its docstring is the requirement's statement.

    Args:
        identifier: FAMILY.NAME; it needs a line in ``ledger.toml``.
        title: A short noun phrase for tables.
        level: How binding it is.
        references: URLs of bug reports or documentation.
        needs: Claims without which it does not apply. A check that calls functions other than ``cross_entropy`` lists
            all that it calls, as ``Form``.
        source: Where its problems come from.
        more: Further fields of :class:`Requirement`.

    Raises:
        ValueError: The id is taken, or the check has no docstring.
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
        declared = Requirement(identifier, title, level, statement, tuple(references), needed, source, check, **more)
        REGISTRY[identifier] = declared

        # The plugin collects functions with this attribute.
        check.requirement = declared  # type: ignore[attr-defined]
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
    """Requirements by their source, that is, those that share trials."""
    groups: dict[Source, list[Requirement]] = {}
    for one in requirements:
        groups.setdefault(one.source, []).append(one)
    return groups
