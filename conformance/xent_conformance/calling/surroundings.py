"""What a call may leave changed outside itself: the state of the process that others rely on."""

from __future__ import annotations

import locale
import os
import pickle
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

#: Sums that come out otherwise when the processor does not round to nearest, and a number that it may flush to zero.
ROUNDED = ((1.0, 2.0**-54), (-1.0, -(2.0**-54)), (1.0, 3 * 2.0**-54))
SUBNORMAL = 5e-324

#: How to look at each part of the state. Values are compared as they are.
LOOKS: Mapping[str, Callable[[], Any]] = {
    "working directory": Path.cwd,
    "environment variables": lambda: dict(os.environ),
    "locale": lambda: locale.setlocale(locale.LC_ALL),
    "warning filters": lambda: list(warnings.filters),
    "numpy error state": np.geterr,
    "numpy print options": np.get_printoptions,
    "numpy random state": lambda: pickle.dumps(np.random.get_state()),  # noqa: NPY002 - the global one is what is asked about
    "random state": random.getstate,
    "recursion limit": sys.getrecursionlimit,
    "floating-point mode": lambda: [a + b for a, b in ROUNDED] + [SUBNORMAL * n for n in (1.0, 3.0)],
    "standard streams": lambda: [
        *((id(s), getattr(s, "closed", None)) for s in (sys.stdin, sys.stdout, sys.stderr)),
        *map(_open, (1, 2)),
    ],
}


def _refill(held: Any, content: Any) -> None:
    held[:] = content


def _reset(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


#: How to put each part back, as far as that can be done.
PUTTING_BACK: Mapping[str, Callable[[Any], Any]] = {
    "working directory": os.chdir,
    "environment variables": _reset,
    "locale": lambda name: locale.setlocale(locale.LC_ALL, name),
    "warning filters": lambda filters: _refill(warnings.filters, filters),
    "numpy error state": lambda errors: np.seterr(**errors),
    "numpy print options": lambda options: np.set_printoptions(**options),
    "random state": random.setstate,
    "recursion limit": sys.setrecursionlimit,
}


@contextmanager
def kept() -> Iterator[None]:
    """Whatever happens inside, the process is afterwards as it was, as far as it can be put back."""
    before, drawn = seen(dict), np.random.get_state()  # noqa: NPY002 - the global one is what others draw from
    try:
        yield
    finally:
        np.random.set_state(drawn)  # noqa: NPY002
        after = seen(dict)
        for name, put_back in PUTTING_BACK.items():
            if after[name] != before[name]:
                with suppress(OSError, locale.Error):
                    put_back(before[name])


@contextmanager
def surroundings(
    own: Callable[[], Mapping[str, Any]], beginning: Mapping[str, Any] | None = None
) -> Iterator[Callable[[], tuple[str, ...]]]:
    """Gives a function that names what has changed since; afterwards the process is as it was.

    ``own`` has the state that only the backend's library knows of. With a ``beginning``, what has changed since then
    is named too: a call that sets what the one before it has set already changes nothing any more.
    """
    before = seen(own)

    def changes() -> tuple[str, ...]:
        after = seen(own)
        earlier = before if beginning is None else beginning
        return tuple(n for n, value in after.items() if value != before.get(n) or value != earlier.get(n))

    with kept():
        yield changes


def seen(own: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """The whole state; a part that cannot be looked at is what came of looking."""
    found: dict[str, Any] = {}
    for name, look in LOOKS.items():
        try:
            found[name] = look()
        except OSError as error:
            found[name] = repr(error)
    return {**found, **{k: repr(v) for k, v in own().items()}}


def _open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
