"""How the processes of one backend are recognised: by a variable in their initial environment."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

#: The variable. All that a worker starts has it, also what leaves its session; a fork has that of its original.
MARK = "XENT_WORKER"


def marked(value: str, *without: int) -> Iterator[int]:
    """Numbers of the processes with this mark, except some; only Linux shows it."""
    wanted = f"{MARK}={value}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        # Those of other users cannot be read, and others end while we look.
        with contextlib.suppress(OSError):
            number = int(environment.parent.name)
            if number not in without and wanted in environment.read_bytes().split(b"\0"):
                yield number


def end_marked(value: str, *without: int) -> None:
    """End the processes with this mark."""
    for number in marked(value, *without):
        with contextlib.suppress(OSError):
            os.kill(number, signal.SIGKILL)
