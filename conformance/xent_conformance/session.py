"""One run over some backends: which cells there are, and the verdict of each.

A cell is one requirement on one backend and dtype. Cells of one backend and dtype whose problems come from the same
stream are evaluated together when the first of them is asked for.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from xent_conformance import __version__, deviations
from xent_conformance.evaluation import PROFILES, Settings, Verdict, evaluate
from xent_conformance.formats import FLOATING
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.loading import Loaded, Narrowing, UsageError, load
from xent_conformance.requirements.registry import Requirement
from xent_conformance.requirements.registry import load as load_requirements
from xent_conformance.smoke import check
from xent_conformance.subject import FORMS, Subject

ALL_DTYPES = "all"
LIBRARIES = ("numpy", "ml_dtypes", "hypothesis", "pytest", "python-flint")


@dataclass(frozen=True)
class Request:
    """What a user asks for, as plain values. Raises UsageError for a profile, dtype or requirement there is not."""

    backends: tuple[str, ...]
    profile: str = "default"
    seed: int = 0
    only: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    gradient: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check the values that have a fixed set."""
        if self.profile not in PROFILES:
            raise UsageError(f"unknown profile {self.profile!r}; there are {', '.join(PROFILES)}")
        if unknown := [d for d in self.dtypes if d not in FLOATING]:
            raise UsageError(f"unknown dtypes {', '.join(unknown)}; there are {', '.join(FLOATING)}")
        if unknown := [i for i in self.only if not _chosen((i,), load_requirements())]:
            raise UsageError(f"unknown requirement {', '.join(unknown)}; `xent list` prints them all")


@dataclass(frozen=True)
class Cell:
    """One pytest item: a subject, and how its backend was loaded."""

    subject: Subject
    loaded: Loaded

    def id(self, requirement: Requirement) -> str:
        """Parameter id: backend and dtype."""
        return f"{self.subject.name}-{ALL_DTYPES if requirement.once else self.subject.dtype}"


@dataclass
class Session:
    """Loaded backends and the verdicts found so far. ``unavailable`` has the reason for each backend left out."""

    request: Request
    loaded: list[Loaded] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    _verdicts: dict[Any, dict[str, Verdict]] = field(default_factory=dict)
    _deviations: dict[str, tuple[deviations.Deviation, ...]] = field(default_factory=dict)

    @classmethod
    def open(cls, request: Request) -> Session:
        """Load and look at every backend; raises UsageError or BrokenBackendError for the first that does not work."""
        session = cls(request)
        narrowing = Narrowing(request.dtypes or None, request.gradient, request.device)
        for spec in request.backends:
            try:
                loaded = load(spec, narrowing)
            except BackendUnavailableError as error:
                session.unavailable[spec] = str(error)
                continue
            check(loaded.backend, spec)
            if loaded.backend.name in session._deviations:
                raise UsageError(f"two backends with the name {loaded.backend.name!r}")
            session._deviations[loaded.backend.name] = deviations.read(loaded.deviations)
            session.loaded.append(loaded)
        session.check_deviations()
        return session

    def check_deviations(self) -> None:
        """Raise DeviationError for an entry about a requirement that does not exist."""
        for name, entries in self._deviations.items():
            for entry in entries:
                if unknown := [r for r in entry.requirements if r not in load_requirements()]:
                    raise deviations.DeviationError(f"deviations of {name}: no requirement {', '.join(unknown)}")

    @property
    def settings(self) -> Settings:
        """How problems are drawn."""
        return Settings(self.request.profile, self.request.seed)

    def requirements(self) -> list[Requirement]:
        """The requirements that are asked for."""
        registry = load_requirements()
        return _chosen(self.request.only, registry) if self.request.only else list(registry.values())

    def cells(self, requirement: Requirement) -> list[Cell]:
        """The cells of one requirement."""
        if requirement.id not in {r.id for r in self.requirements()}:
            return []
        found: list[Cell] = []
        for loaded in self.loaded:
            dtypes = [d for d in loaded.backend.capabilities.logits_dtypes if d in (self.request.dtypes or FLOATING)]
            chosen = dtypes[:1] if requirement.once else dtypes
            found.extend(Cell(Subject(loaded.backend, dtype), loaded) for dtype in chosen)
        return found

    def verdict(self, requirement: Requirement, cell: Cell) -> Verdict:
        """Verdict of one cell; evaluates its whole group when first asked."""
        subject = cell.subject
        key = (subject.name, subject.dtype, requirement.source, requirement.once)
        if key not in self._verdicts:
            group = [r for r in self.requirements() if r.source == requirement.source and r.once == requirement.once]
            known = self._deviations.get(subject.name, ())
            self._verdicts[key] = evaluate(subject, group, self.settings, known, self.version(cell.loaded))
        return self._verdicts[key][requirement.id]

    @staticmethod
    def version(loaded: Loaded) -> str | None:
        """Version of the library behind a backend."""
        versions = getattr(loaded.backend, "versions", None)
        return next(iter(versions.values()), None) if versions else None

    def header(self) -> dict[str, Any]:
        """The header of the record."""
        from datetime import UTC, datetime

        return {
            "suite": __version__,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": " ".join(["xent", "run", *self.request.backends]),
            "seed": self.request.seed,
            "profile": self.request.profile,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "libraries": _libraries(),
            "backends": [_described(loaded) for loaded in self.loaded]
            + [_not_available(spec, reason) for spec, reason in self.unavailable.items()],
            "requirements": [catalogued(r) for r in self.requirements()],
        }


def _chosen(only: Sequence[str], registry: dict[str, Requirement]) -> list[Requirement]:
    """Requirements named by id, or by family."""
    return [r for r in registry.values() if r.id in only or r.family in only]


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"implementation": sys.implementation.name}


def catalogued(requirement: Requirement) -> dict[str, Any]:
    """A requirement as the record and `xent list --json` have it."""
    return {
        "id": requirement.id,
        "title": requirement.title,
        "level": str(requirement.level),
        "statement": requirement.statement,
        "family": requirement.family,
        "references": list(requirement.references),
    }


def _described(loaded: Loaded) -> dict[str, Any]:
    backend = loaded.backend
    claims = backend.capabilities
    described = {k: v for k, v in vars(claims).items() if k not in ("precision", "conventions")}
    precision = {d: claims.precision_for(d) for d in claims.logits_dtypes}
    return {
        "name": backend.name,
        "spec": loaded.spec,
        "device": str(getattr(backend, "device", "cpu")),
        "versions": dict(getattr(backend, "versions", {})),
        "capabilities": {**described, "precision": {d: p and asdict(p) for d, p in precision.items()}},
        "forms": [name for name, form in FORMS.items() if isinstance(backend, form)],
        "conventions": Subject(backend, claims.logits_dtypes[0]).conventions.choices(),
        "documentation": dict(claims.conventions.documentation),
    }


def _not_available(spec: str, reason: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"versions": {}, "capabilities": {}, "conventions": {}, "documentation": {}}
    return {"name": spec, "spec": spec, "device": "", **empty, "unavailable": reason}
