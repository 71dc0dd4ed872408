"""What is said of backends before they are judged: claims left out, conventions of their own, how they are loaded."""

from __future__ import annotations

from xent_conformance.conventions import PYTORCH, UNDOCUMENTED
from xent_conformance.session import Session


def remarks(session: Session) -> list[str]:
    """All that a user should know of the session's backends, a line each."""
    return _not_claimed(session) + _differing(session) + session.not_forked


def _not_claimed(session: Session) -> list[str]:
    """What backends leave out of their claims, a line each."""
    return [
        f"{opened.description.name}: {what}: left out, because {why}"
        for opened in session.opened
        for what, why in opened.description.capabilities.left_out
    ]


def _differing(session: Session) -> list[str]:
    """Where backends choose otherwise than PyTorch and are held to it, and what their choices rest on, a line each."""
    found = []
    for opened in session.opened:
        conventions = opened.description.capabilities.conventions
        for name, basis in conventions.differing().items():
            why = f"{UNDOCUMENTED}: add its URL to Conventions(documentation=...)" if basis == UNDOCUMENTED else basis
            choice = f"{name} is {getattr(conventions, name)}, PyTorch's is {getattr(PYTORCH, name)}"
            found.append(f"{opened.description.name}: differs by convention: {choice} ({why})")
    return found
