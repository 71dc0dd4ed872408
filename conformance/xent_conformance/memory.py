"""How a process that judges reclaims memory: less often than Python and the C library do by themselves."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

#: Thresholds of the garbage collector: judging makes few cycles and many objects, so that Python's own thresholds cost
#: a twentieth of the time.
GARBAGE = (50_000, 20, 100)
#: glibc returns larger blocks to the kernel as soon as they are freed, and smaller ones at the end of the heap if there
#: are more bytes of them: see mallopt(3). By default both limits begin at 128 KiB, the size of an array of a large
#: problem, of which each step of an exact answer makes one. Fetching its pages anew each time took 3 % of a run.
LARGE_BLOCK, FREE_BYTES = 1 << 22, 1 << 26
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def reclaim_less_often() -> None:
    """Set the limits of this process. Processes of backends are not affected: they are not forked from it."""
    gc.set_threshold(*GARBAGE)
    # Other C libraries have no mallopt.
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)
        library.mallopt(_M_TRIM_THRESHOLD, FREE_BYTES)
