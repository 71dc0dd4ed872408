"""The source of a function and of everything that it uses, for scripts that cannot import it.

A script cannot import a function that is defined in a notebook. It therefore contains the source of the function, after
lines that define or import the functions, classes, modules and plain values that it uses. Annotations are left out,
since what they name is none of these.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from xent_backends.source_text import without_annotations

#: Types whose values are written as literals.
PLAIN = (bool, int, float, str, bytes, type(None))


class _UnknownError(Exception):
    """Something whose definition cannot be printed."""


def definition(function: Callable[..., Any], name: str) -> str:
    """Source that defines a function under a name.

    If that cannot be printed, source that raises NotImplementedError with a message that asks for the definition.
    """
    try:
        if inspect.isfunction(function) and function.__name__ == name:
            return "\n".join(_defined(function, set()))
    except (_UnknownError, OSError, TypeError, ValueError):
        # The message below says so.
        pass
    ask = f"define {name} here: what was judged is an object whose definition could not be printed"
    return f"raise NotImplementedError({ask!r})"


def _defined(function: FunctionType, seen: set[str]) -> Iterator[str]:
    """Lines that define a function, after lines for the names that it uses."""
    used = inspect.getclosurevars(function)
    for name, value in sorted({**used.globals, **used.nonlocals}.items()):
        # pytest adds names that are no identifiers to a function with assertions; its source has none of them.
        if name in seen or name == function.__name__ or not name.isidentifier():
            continue
        seen.add(name)
        yield from _named(name, value, seen)
    lines = textwrap.dedent(inspect.getsource(function))
    if not lines.startswith(("def ", "@")):
        raise _UnknownError
    yield without_annotations(lines.rstrip())


def _named(name: str, value: object, seen: set[str]) -> Iterator[str]:
    """Lines that define or import a name."""
    if isinstance(value, ModuleType):
        yield f"import {value.__name__} as {name}"
    elif type(value) in PLAIN:
        yield f"{name} = {value!r}"
    elif inspect.isfunction(value) and value.__module__ == "__main__" and value.__name__ == name:
        yield from _defined(value, seen)
    elif inspect.isfunction(value) or inspect.isclass(value) or inspect.isbuiltin(value):
        module = getattr(value, "__module__", None)
        if module in (None, "__main__") or "." in value.__qualname__:
            raise _UnknownError
        yield f"from {module} import {value.__name__} as {name}"
    else:
        raise _UnknownError
