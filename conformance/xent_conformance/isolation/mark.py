"""How the processes of one backend are recognised: by a variable in their initial environment."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path

#: The variable. All processes that a worker starts inherit it, even those in another session.
MARK = "XENT_WORKER"
#: Which of the numbers of /proc/PID/stat after the name is the address of the environment (env_start of proc(5)).
_ENVIRONMENT = 47


def take(value: str) -> None:
    """Replace the mark of this process by another one of the same length; a fork has that of its parent until then.

    /proc shows the initial environment, which is in the memory of the process. Raises OSError or ValueError if it
    cannot be located, as on all systems except Linux.
    """
    old, new = (f"{MARK}={text}".encode() for text in (os.environ[MARK], value))
    if len(old) != len(new):
        raise ValueError("marks must be of the same length")
    place = b"\0".join((b"", Path("/proc/self/environ").read_bytes())).index(b"\0" + old)
    begin = int(Path("/proc/self/stat").read_text("ascii").rsplit(")", 1)[1].split()[_ENVIRONMENT])
    ctypes.memmove(begin + place, new, len(new))
    os.environ[MARK] = value


def marked(value: str, *without: int) -> Iterator[int]:
    """Pids of the processes with this mark, except some; only on Linux."""
    wanted = f"{MARK}={value}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        # Environments of other users cannot be read, and processes may end meanwhile.
        with contextlib.suppress(OSError):
            number = int(environment.parent.name)
            if number not in without and wanted in environment.read_bytes().split(b"\0"):
                yield number


def end_marked(value: str, *without: int) -> None:
    """End the processes with this mark."""
    for number in marked(value, *without):
        with contextlib.suppress(OSError):
            os.kill(number, signal.SIGKILL)
