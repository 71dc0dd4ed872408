"""Remarks on backends before they are judged: claims left out, differing conventions, how they are loaded."""

from __future__ import annotations

from xent_conformance.conventions import PYTORCH, UNDOCUMENTED
from xent_conformance.session import Session


def remarks(session: Session) -> list[str]:
    """Remarks on the session's backends, a line each."""
    return _compiling(session) + _not_claimed(session) + _differing(session) + session.not_forked


def _compiling(session: Session) -> list[str]:
    """Which backends compile, for what, and how many compilations the run makes, a line each."""
    return [f"{line.name}: {line.compiling}" for line in session.backend_lines() if line.compiling]


def _not_claimed(session: Session) -> list[str]:
    """The claims that backends leave out, a line each."""
    return [
        f"{opened.description.name}: {what}: left out, because {why}"
        for opened in session.opened
        for what, why in opened.description.capabilities.left_out
    ]


def _differing(session: Session) -> list[str]:
    """The conventions in which backends differ from PyTorch, with the basis of the choice, a line each."""
    lines = []
    for opened in session.opened:
        conventions = opened.description.capabilities.conventions
        for name, basis in conventions.differing().items():
            why = f"{UNDOCUMENTED}: add its URL to Conventions(documentation=...)" if basis == UNDOCUMENTED else basis
            choice = f"{name} is {getattr(conventions, name)}, PyTorch's is {getattr(PYTORCH, name)}"
            lines.append(f"{opened.description.name}: differs by convention: {choice} ({why})")
    return lines
