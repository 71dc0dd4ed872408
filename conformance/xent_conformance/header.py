"""The header of a record: what was judged, by which suite, and where."""

from __future__ import annotations

import inspect
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, version

from xent_conformance import __version__
from xent_conformance.calling.foreign import printable
from xent_conformance.conventions import UNDOCUMENTED
from xent_conformance.conventions import described as conventions
from xent_conformance.loading.description import Description
from xent_conformance.records.lines import SCHEMA_VERSION, BackendLine, Convention, Header, RequirementLine
from xent_conformance.requirements.ledger import since
from xent_conformance.requirements.registry import Requirement

LIBRARIES = ("numpy", "ml_dtypes", "hypothesis", "pytest", "python-flint")


def header(
    backends: Sequence[BackendLine],
    requirements: Sequence[Requirement],
    *,
    command: str,
    seed: int,
    profile: str,
    dtypes: Sequence[str] = (),
) -> Header:
    """The header of a run that starts now on this machine."""
    return Header(
        schema=SCHEMA_VERSION,
        command=command,
        seed=seed,
        profile=profile,
        dtypes=tuple(dtypes),
        backends=tuple(backends),
        requirements=tuple(map(catalogued, requirements)),
        suite=__version__,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        platform=platform.platform(),
        libraries=_libraries(),
        conventions={name: Convention(**about) for name, about in conventions().items()},
    )


def _libraries() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions | {"implementation": sys.implementation.name}


def catalogued(requirement: Requirement) -> RequirementLine:
    """The entry of a requirement in a record and in `xent list --json`."""
    return RequirementLine(
        id=requirement.id,
        title=requirement.title,
        level=requirement.level,
        statement=requirement.statement,
        family=requirement.family,
        references=requirement.references,
        since=since(requirement.id),
        source=_source(requirement),
    )


def _source(requirement: Requirement) -> str:
    """Where a requirement's check is defined: a link into the repository, or without its URL module and line."""
    check = inspect.unwrap(requirement.check)
    place, line = f"{check.__module__.replace('.', '/')}.py", check.__code__.co_firstlineno
    root = _repository()
    return f"{root}/blob/main/conformance/{place}#L{line}" if root else f"{place}, line {line}"


@cache
def _repository() -> str:
    """The repository's URL from the package metadata; "" if it has none."""
    try:
        listed = metadata("xent-conformance").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    addresses = dict(entry.split(", ", 1) for entry in listed if ", " in entry)
    return next((addresses[name].rstrip("/") for name in ("Source", "Repository") if name in addresses), "")


def described(backend: Description, compilations: int = 0) -> BackendLine:
    """The entry of a backend in a record's header; ``compilations``: the most that the run makes, 0 for no limit."""
    claims = backend.capabilities
    limit = {"compilations": compilations} if compilations else {}
    plain = {k: v for k, v in vars(claims).items() if k not in ("precision", "conventions")}
    precision = {d: claims.precision_for(d) for d in claims.logits_dtypes}
    return BackendLine(
        name=backend.name,
        spec=backend.spec,
        device=backend.device,
        versions=dict(backend.versions),
        sources=dict(backend.sources),
        capabilities={**plain, **limit, "precision": {d: p and asdict(p) for d, p in precision.items()}},
        forms=tuple(backend.forms),
        tried=backend.tried is not None,
        conventions=claims.conventions.choices(),
        documentation=dict(claims.conventions.documentation),
        basis={**dict.fromkeys(claims.conventions.undocumented(), UNDOCUMENTED), **claims.conventions.basis},
    )


def not_judged(spec: str, reason: str, *, broken: bool = False) -> BackendLine:
    """The header entry of a backend that could not be judged; ``broken``: because its adapter does not work."""
    name, reason = printable(spec), reason.removeprefix(f"{spec}:").removeprefix(spec).strip()
    return BackendLine(
        name=name,
        spec=name,
        device="",
        versions={},
        capabilities={},
        conventions={},
        unavailable=printable(reason),
        broken=broken,
    )
