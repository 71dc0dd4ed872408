"""Where JAX stores compiled programs, so that each new process of a backend, and each later run, need not make them.

Other compilers do so by default. A program that is stored costs a quarter of the time of a new one (JAX 0.10.2 on the
CPU, a loss and its gradient: 0.33 s instead of 1.3 s).
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

#: Most files in the folder, two for each program; these take some 6 KB each.
MOST = 20_000


def variables() -> Mapping[str, str]:
    """Environment variables that have JAX store all programs in a private folder; none where that is not possible.

    See https://docs.jax.dev/en/latest/persistent_compilation_cache.html. The folder is among the temporary files: those
    are of this machine, whose processor the programs are for, and are removed from time to time.
    """
    folder = Path(tempfile.gettempdir()) / f"xent-conformance-jax-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_private(folder):
            _remove_old(folder)
            return {
                "JAX_COMPILATION_CACHE_DIR": str(folder),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            }
    return {}


def _remove_old(folder: Path) -> None:
    """Remove the older half of the programs if there are too many."""
    files = list(folder.iterdir())
    if len(files) <= MOST:
        return
    for file in sorted(files, key=lambda file: file.lstat().st_mtime)[: len(files) // 2]:
        file.unlink(missing_ok=True)


def _is_private(folder: Path) -> bool:
    """Whether only this user can write programs there, which JAX would run."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
