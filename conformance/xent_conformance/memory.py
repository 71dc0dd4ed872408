"""How much memory a backend may have."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def granted_memory() -> int:
    """Bytes that a worker may allocate: three quarters of what this machine, or the group of processes, has."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        pages = min(pages, int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    return pages * 3 // 4
