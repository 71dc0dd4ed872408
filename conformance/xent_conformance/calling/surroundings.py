"""Global state of the process, which a call must not change."""

from __future__ import annotations

import locale
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

#: How to read each part of the state, as Python source, which scripts use too. In another floating-point mode sums
#: round differently, and subnormals are zero. Products are read as text: where subnormal operands count as zero,
#: comparisons take them for zero too.
LOOKS: Mapping[str, str] = {
    "working directory": "os.getcwd()",
    "environment variables": "dict(os.environ)",
    "locale": "locale.setlocale(locale.LC_ALL)",
    "warning filters": "list(warnings.filters)",
    "numpy error state": "np.geterr()",
    "numpy print options": "np.get_printoptions()",
    "numpy random state": "pickle.dumps(np.random.get_state())",
    "random state": "random.getstate()",
    "recursion limit": "sys.getrecursionlimit()",
    "floating-point mode": "[1.0 + x for x in SMALL], [x - 1.0 for x in SMALL],"
    " [(x * 5e-324).hex() for x in (1.0, 3.0)]",
    "standard streams": "[(id(s), getattr(s, 'closed', None)) for s in (sys.stdin, sys.stdout, sys.stderr)],"
    " [name in os.listdir('/dev/fd') for name in '12']",
}
#: Between the name of a part and those of its variables or settings, and so many of these are named.
OF_MEMBERS, FEW = " (", 3
#: Source that these expressions need.
SETTING = "import locale, os, pickle, random, sys, warnings\nSMALL = 2.0**-54, 3 * 2.0**-54, -(2.0**-54)"


def _looks() -> dict[str, Callable[[], Any]]:
    names: dict[str, Any] = {"np": np}
    exec(SETTING, names)  # noqa: S102 - our own text
    return {name: eval(f"lambda: ({look})", names) for name, look in LOOKS.items()}  # noqa: S307


_LOOKS = _looks()


def _refill(held: Any, content: Any) -> None:
    held[:] = content


def _reset(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


#: How to restore each part, where that is possible.
RESTORE: Mapping[str, Callable[[Any], Any]] = {
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
def restored() -> Iterator[None]:
    """Restore the state of the process at the end of the block, as far as possible."""
    before, drawn = seen(dict), np.random.get_state()  # noqa: NPY002 - the global one is what others draw from
    try:
        yield
    finally:
        np.random.set_state(drawn)  # noqa: NPY002
        after = seen(dict)
        for name, restore in RESTORE.items():
            if after[name] != before[name]:
                with suppress(OSError, locale.Error):
                    restore(before[name])


@contextmanager
def surroundings(
    own: Callable[[], Mapping[str, Any]], beginning: Mapping[str, Any] | None = None
) -> Iterator[Callable[[], tuple[str, ...]]]:
    """Give a function that names the parts that have changed since; restore the state at the end of the block.

    ``own`` gives the state of the backend's library. With a ``beginning``, parts that have changed since then are named
    too, because a call that repeats a change of an earlier one changes nothing itself.
    """
    before = seen(own)

    def changes() -> tuple[str, ...]:
        after = seen(own)
        earlier = before if beginning is None else beginning
        names = [n for n, value in after.items() if value != before.get(n) or value != earlier.get(n)]
        return tuple(name + _members(before.get(name), earlier.get(name), after[name]) for name in names)

    with restored():
        yield changes


def part_of(name: str) -> str:
    """The part of the state that a change is in: it may be followed by names of variables or settings."""
    return name.partition(OF_MEMBERS)[0]


def _members(*values: Any) -> str:
    """Which variables or settings of a part differ, in parentheses; empty where it has none."""
    if not all(isinstance(value, dict) for value in values):
        return ""
    names = sorted({name for value in values for name in value})
    differing = [name for name in names if any(value.get(name) != values[-1].get(name) for value in values)]
    more = [f"{len(differing) - FEW} more"] if len(differing) > FEW else []
    return f"{OF_MEMBERS}{', '.join(differing[:FEW] + more)})"


def seen(own: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """The whole state; a part that cannot be read is represented by its error."""
    state: dict[str, Any] = {}
    for name, look in _LOOKS.items():
        try:
            state[name] = look()
        except OSError as error:
            state[name] = repr(error)
    return {**state, **{k: repr(v) for k, v in own().items()}}
