"""Requirements by id, by family, or by a pattern such as ``gradients.*`` or ``*softmax*``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from xent_conformance.suggestions import instead, quoted

if TYPE_CHECKING:
    from xent_conformance.requirements.registry import Requirement


def selected(patterns: Sequence[str], requirements: Iterable[Requirement]) -> list[Requirement]:
    """The requirements that a pattern matches, in their order; all of them if there is no pattern.

    Raises UsageError for a pattern that matches none, suggesting similar names.
    """
    from xent_conformance.loading.errors import UsageError

    candidates = list(requirements)
    if unknown := [p for p in patterns if not any(_matches(r, p) for r in candidates)]:
        names = {name for r in candidates for name in (r.id, r.family)}
        near = instead(unknown[0], names, otherwise="`xent list` prints them all")
        raise UsageError(f"unknown requirement {quoted(unknown)}; {near}")
    return [r for r in candidates if not patterns or any(_matches(r, p) for p in patterns)]


def _matches(requirement: Requirement, pattern: str) -> bool:
    return fnmatchcase(requirement.id, pattern) or fnmatchcase(requirement.family, pattern)
