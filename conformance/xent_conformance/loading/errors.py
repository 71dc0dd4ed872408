"""The errors of loading a backend."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from xent_conformance.calling.exceptions import message_of
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
            f"{spec} cannot be loaded: {type(error).__name__}: {text} ({_place_of(error)})"
        ) from error


def _place_of(error: BaseException) -> str:
    """File and line where an exception was raised, or of the text that is not valid Python."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}:{error.lineno}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"
