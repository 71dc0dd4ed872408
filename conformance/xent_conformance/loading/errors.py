"""The errors of loading a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xent_conformance.calling.exceptions import frames_of, message_of
from xent_conformance.calling.foreign import printable
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
    except (BackendUnavailableError, UsageError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise BrokenBackendError(f"{spec} cannot be loaded: {type(error).__name__}: {_in_one_line(error)}") from error


def _in_one_line(error: BaseException) -> str:
    """What an exception says and, in parentheses, where it was raised or which text is not valid Python.

    It has no place if it was raised in the suite, as by a class of the adapter that is called with too few arguments.
    """
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{printable(str(error.msg))} ({error.filename}:{error.lineno})"
    frames = frames_of(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return message_of(error).strip().split("\n")[0] + place
