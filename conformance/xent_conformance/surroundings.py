"""What a call may leave changed outside itself: the state of the process that others rely on."""

from __future__ import annotations

import locale
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

#: How to look at each part of the state. Values are compared as they are.
LOOKS: Mapping[str, Callable[[], Any]] = {
    "working directory": Path.cwd,
    "environment variables": lambda: dict(os.environ),
    "locale": lambda: locale.setlocale(locale.LC_ALL),
    "warning filters": lambda: list(warnings.filters),
    "numpy error state": np.geterr,
    "numpy print options": np.get_printoptions,
    "numpy random state": lambda: repr(np.random.get_state()),  # noqa: NPY002 - the global one is what is asked about
    "random state": random.getstate,
    "recursion limit": sys.getrecursionlimit,
    "standard streams": lambda: [id(s) for s in (sys.stdin, sys.stdout, sys.stderr)] + [_open(1), _open(2)],
}


@contextmanager
def surroundings(own: Callable[[], Mapping[str, Any]]) -> Iterator[Callable[[], tuple[str, ...]]]:
    """Gives a function that names what has changed since; afterwards directory and filters are as they were.

    ``own`` has the state that only the backend's library knows of.
    """
    before = _seen(own)
    folder, filters, errors = Path.cwd(), list(warnings.filters), np.geterr()
    try:
        yield lambda: tuple(name for name, value in _seen(own).items() if value != before.get(name))
    finally:
        os.chdir(folder)
        warnings.filters[:] = filters  # type: ignore[index]
        np.seterr(**errors)


def _seen(own: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    return {**{name: look() for name, look in LOOKS.items()}, **{k: repr(v) for k, v in own().items()}}


def _open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
