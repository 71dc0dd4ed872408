"""The errors of loading a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xent_conformance.calling.exceptions import frames_of, message_of
from xent_conformance.interface import BackendUnavailableError


class UsageError(Exception):
    """Something that was requested does not exist or cannot be done; exit code 2."""


class NoBackendError(UsageError):
    """An existing file without a backend in it. In a run with other backends it counts as a broken adapter."""


class BrokenBackendError(Exception):
    """The adapter does not work; the message says where it failed. Exit code 3."""


def guarded(spec: str, step: Callable[[], Any]) -> Any:
    """The result of a step that runs code of an adapter.

    Args:
        spec: The backend's name on the command line, for the message.
        step: A function without arguments.

    Raises:
        BrokenBackendError: In place of any exception of the step, with its place, in one line.
        BackendUnavailableError, UsageError, KeyboardInterrupt: If the step raises them.
    """
    try:
        return step()
    except (BackendUnavailableError, UsageError):
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = message_of(error).strip().split("\n")[0]
        raise BrokenBackendError(
            f"{spec} cannot be loaded: {type(error).__name__}: {text}{_place_of(error)}"
        ) from error


def _place_of(error: BaseException) -> str:
    """Where an exception was raised, or which text is not valid Python: " (FILE:LINE)", or "" if outside any file.

    A class that is called with too few arguments, for example, raises in the line of the suite that calls it.
    """
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f" ({error.filename}:{error.lineno})"
    frames = frames_of(error.__traceback__)
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
