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
    names = [f"{r.name}{r.specifier}" for r in needed if r.marker and r.marker.evaluate({"extra": extra})]
    command = shlex.join([sys.executable, "-m", "pip", "install", *names])
    return BackendUnavailableError(f"{extra} cannot be imported ({error}); install it with: {command}")
