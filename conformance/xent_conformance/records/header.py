"""The header of a record: what was judged, by which suite, and where."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from xent_conformance import __version__
from xent_conformance.calling.foreign import printable
from xent_conformance.conventions import described as conventions
from xent_conformance.judging.subject import conventions_of
from xent_conformance.loading.description import Description
from xent_conformance.requirements.ledger import since
from xent_conformance.requirements.registry import Requirement

LIBRARIES = ("numpy", "ml_dtypes", "hypothesis", "pytest", "python-flint")


def circumstances() -> dict[str, Any]:
    """Suite, time, machine and libraries, and the questions that conventions answer."""
    return {
        "suite": __version__,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": _libraries(),
        "conventions": conventions(),
    }


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
        "since": since(requirement.id),
    }


def described(backend: Description) -> dict[str, Any]:
    """What a record says of a backend."""
    claims = backend.capabilities
    plain = {k: v for k, v in vars(claims).items() if k not in ("precision", "conventions")}
    precision = {d: claims.precision_for(d) for d in claims.logits_dtypes}
    return {
        "name": backend.name,
        "spec": backend.spec,
        "device": backend.device,
        "versions": dict(backend.versions),
        "sources": dict(backend.sources),
        "capabilities": {**plain, "precision": {d: p and asdict(p) for d, p in precision.items()}},
        "forms": list(backend.forms),
        "conventions": conventions_of(claims).choices(),
        "documentation": dict(claims.conventions.documentation),
    }


def not_judged(spec: str, reason: str, *, broken: bool = False) -> dict[str, Any]:
    """What a record says of a backend that could not be judged here; ``broken``: its own adapter is to blame."""
    name, reason = printable(spec), reason.removeprefix(f"{spec}:").removeprefix(spec).strip()
    empty: dict[str, Any] = {"versions": {}, "capabilities": {}, "conventions": {}, "documentation": {}}
    found = {"name": name, "spec": name, "device": "", **empty, "unavailable": printable(reason)}
    return {**found, "broken": True} if broken else found
