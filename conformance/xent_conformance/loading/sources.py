"""The source files of a backend, and whether a backend that is opened again is still the same."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

#: Most files that are hashed.
MOST = 1000
#: Prefix of the module name for a file given by its path.
FILE = "xent_file_"
#: Names of the folders of installed packages.
INSTALLED = frozenset(["site-packages", "dist-packages"])
#: Folder of the standard library.
LIBRARY = Path(sysconfig.get_path("stdlib"))
SUITE = __name__.partition(".")[0]


class ReplacedError(KeyboardInterrupt):
    """A backend has changed since the run began, which ends the run. It is not an outcome of the backend."""


def sources_of(modules: Iterable[str], versioned: Collection[str]) -> dict[str, str]:
    """SHA-256 of the source files of a backend, by module.

    These are ``modules``, which define it, the loaded modules of their packages, and those of their folders unless
    packages are installed there; without Python, this suite, and installed packages that are ``versioned``.
    """
    loaded = {name: file for name, module in tuple(sys.modules.items()) if (file := _file_of(module)) is not None}
    defining = {name: Path(loaded[name]) for name in modules if name in loaded}
    roots = {n.partition(".")[0]: _folder(n, file) for n, file in defining.items() if not _of_python(file)}
    folders = {folder for name, folder in roots.items() if name != SUITE and not INSTALLED.intersection(folder.parts)}
    packages = {name for name, folder in roots.items() if folder in folders or name not in versioned} - {SUITE}
    beginnings = [f"{folder}{os.sep}" for folder in folders]

    def near(file: str) -> bool:
        # Frameworks have thousands of modules, for which comparing Path objects would take too long.
        return any(file.startswith(f) and not INSTALLED.intersection(Path(file[len(f) :]).parts) for f in beginnings)

    def belongs(name: str, file: str) -> bool:
        package = name.partition(".")[0]
        return package in packages or (package != SUITE and near(file) and not _of_python(Path(file)))

    return _digests(islice(((n, f) for n, f in sorted(loaded.items()) if belongs(n, f)), MOST))


def sources_again(names: Iterable[str]) -> dict[str, str]:
    """The same for modules that ``sources_of`` has named before, as far as they are loaded.

    It looks at no other module: in a process that was forked from one that has imported a framework, looking at each of
    thousands of modules copies its page.
    """
    found = ((name, sys.modules.get(FILE + name) or sys.modules.get(name)) for name in names)
    return _digests((name, file) for name, module in found if (file := _file_of(module)) is not None)


def _digests(files: Iterable[tuple[str, str]]) -> dict[str, str]:
    digests = {}
    for name, file in files:
        # A module in an archive, or a file that has been removed.
        with suppress(OSError):
            digests[name.removeprefix(FILE)] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return digests


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """How its ``device``, ``versions`` or ``sources`` differ, as a phrase; None if they are the same.

    Only files that are in both are compared: which others are loaded depends on the rest of the process.
    """
    if before["device"] != now["device"]:
        return f"its device was {before['device']}, and is {now['device']}"
    for name in {**before["versions"], **now["versions"]}:
        old, new = (place["versions"].get(name, "missing") for place in (before, now))
        if old != new:
            return f"its version of {name} was {old}, and is {new}"
    files = [n for n, digest in before["sources"].items() if now["sources"].get(n, digest) != digest]
    return f"the source of {', '.join(files)} has changed" if files else None


def check_unchanged(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ReplacedError if a backend that is opened again in a run has changed."""
    if (change := changed(before, now)) is not None:
        raise ReplacedError(f"{name}: {change} since the run began")


def _file_of(module: Any) -> str | None:
    """The file of a module, read from its dictionary, because a module may define its own __getattr__."""
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    return file if isinstance(file, str) else None


def _folder(name: str, file: Path) -> Path:
    """The folder that a module was imported from."""
    depth = name.count(".") + (file.stem == "__init__")
    return file.parents[min(depth, len(file.parents) - 1)]


def _of_python(file: Path) -> bool:
    """Whether a file belongs to the standard library."""
    return LIBRARY in file.parents and not INSTALLED.intersection(file.parts)
