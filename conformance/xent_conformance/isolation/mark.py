"""How the processes of one backend are recognised: by a variable in their initial environment."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from time import sleep

#: The variable. All processes that a worker starts inherit it, even those in another session.
MARK = "XENT_WORKER"
#: How often the environment of a process is read if it is empty, and the seconds in between.
MOMENTS, MOMENT = 5, 0.001
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
    wanted = f"\0{MARK}={value}\0".encode()
    # With os, since this runs at the end of each worker: with pathlib it took a quarter of a run with many crashes.
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdecimal() or int(name) in without:
            continue
        # Environments of other users cannot be read, and processes may end meanwhile.
        with contextlib.suppress(OSError):
            if wanted in b"\0" + _environment(name) + b"\0":
                yield int(name)


def _environment(number: str) -> bytes:
    """The initial environment of a process, which is empty for a moment while the process begins another program."""
    place = f"/proc/{number}"
    for _ in range(MOMENTS):
        with open(f"{place}/environ", "rb", buffering=0) as file:  # noqa: PTH123
            environment = file.readall()
        if environment:
            return environment
        # Raises OSError for a thread of the kernel, which has no program.
        os.readlink(f"{place}/exe")  # noqa: PTH115
        sleep(MOMENT)
    return b""


def end_marked(value: str, *without: int) -> None:
    """End the processes with this mark."""
    for number in marked(value, *without):
        with contextlib.suppress(OSError):
            os.kill(number, signal.SIGKILL)
