"""How many processes a run is given where nobody says so: what the machine, or the group of processes, has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from xent_conformance.formats import FLOATING
from xent_conformance.judging.profiles import OPT_IN
from xent_conformance.request import Request
from xent_conformance.requirements.registry import load
from xent_conformance.selection import selected

#: Bytes that a process that judges may come to need, and the process of each backend that it calls.
JUDGE, BACKEND = 1 << 29, 1 << 29
#: Limits of a group of processes (control group, version 2), as it sees them itself.
_GROUP = Path("/sys/fs/cgroup")


def fitting(request: Request) -> int:
    """Processes that a run has use, processors and memory for; 1 where a debugger may want the terminal.

    What the profile of gigabytes judges is one problem at a time.
    """
    if request.in_process or request.profile == OPT_IN:
        return 1
    chosen = selected(request.only, load().values()) if request.only else load().values()
    sources = {requirement.source for requirement in chosen}
    groups = len(sources) * len(request.backends) * len(request.dtypes or FLOATING)
    return max(1, min(groups, processors(), memory() // (JUDGE + BACKEND * len(request.backends))))


def processors() -> int:
    """Processors that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = (_GROUP / "cpu.max").read_text("ascii").split()
        count = min(count, round(int(quota) / int(period)))
    with suppress(ValueError):
        # Runs that are tests of others: the workers of pytest-xdist share the processors.
        count //= max(1, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    return max(1, count)


def memory() -> int:
    """Bytes that processes can still have."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    with suppress(OSError, ValueError):
        limit, used = (int((_GROUP / name).read_text("ascii")) for name in ("memory.max", "memory.current"))
        free = min(free, limit - used)
    return free
