"""The error for a framework that is not installed."""

from __future__ import annotations

import shlex
import sys
from importlib.metadata import requires

from packaging.requirements import Requirement

from xent_conformance.interface import BackendUnavailableError


def unavailable(extra: str, error: ImportError) -> BackendUnavailableError:
    """The error for a framework that cannot be imported, with the command that installs it for this interpreter.

    The command lists the requirements of the package's ``extra`` and not its name, so that it also works if this
    package was installed from a clone.
    """
    needed = [Requirement(text) for text in requires("xent-conformance") or ()]
    chosen = [r for r in needed if r.marker and r.marker.evaluate({"extra": extra})]
    command = shlex.join([sys.executable, "-m", "pip", "install", *map(_named, chosen)])
    return BackendUnavailableError(f"{extra} cannot be imported ({error}); install it with: {command}")


def _named(needed: Requirement) -> str:
    """A requirement without its marker."""
    extras = f"[{','.join(sorted(needed.extras))}]" if needed.extras else ""
    return f"{needed.name}{extras}{needed.specifier}"
