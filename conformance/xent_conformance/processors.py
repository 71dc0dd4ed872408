"""The default number of judging processes: by the processors and memory of the machine or its control group."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from xent_conformance.formats import FLOATING
from xent_conformance.judging.profiles import OPT_IN
from xent_conformance.request import Request
from xent_conformance.requirements.registry import load
from xent_conformance.selection import selected

#: Bytes to allow for a judging process, and for the worker of each backend that it calls.
JUDGE, BACKEND = 1 << 29, 1 << 29
#: The limits of this process's control group (version 2).
_GROUP = Path("/sys/fs/cgroup")


def fitting(request: Request) -> int:
    """Number of judging processes that a run can use and that processors and memory suffice for.

    1 with --in-process, where a debugger may use the terminal, and for the profile whose problems take gigabytes.
    """
    if request.in_process or request.profile == OPT_IN:
        return 1
    sources = {requirement.source for requirement in selected(request.only, load().values())}
    groups = len(sources) * len(request.backends) * len(request.dtypes or FLOATING)
    return max(1, min(groups, processors(), memory() // (JUDGE + BACKEND * len(request.backends))))


def processors() -> int:
    """Processors that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = (_GROUP / "cpu.max").read_text("ascii").split()
        count = min(count, round(int(quota) / int(period)))
    with suppress(ValueError):
        # A run inside a test: the workers of pytest-xdist share the processors.
        count //= max(1, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    return max(1, count)


def memory() -> int:
    """Bytes of memory that are free."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    with suppress(OSError, ValueError):
        limit, used = (int((_GROUP / name).read_text("ascii")) for name in ("memory.max", "memory.current"))
        free = min(free, limit - used)
    return free
