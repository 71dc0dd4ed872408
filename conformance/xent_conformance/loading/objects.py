"""Loading an object of this process, such as a function in a notebook, as a backend.

An object that another process can import is judged in a worker, by its dotted name; any other in this process.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from xent_conformance.loading import files
from xent_conformance.loading.callables import folder_of, from_function
from xent_conformance.loading.claims import FUNCTIONS
from xent_conformance.loading.description import OBJECT
from xent_conformance.loading.errors import UsageError
from xent_conformance.loading.imported import Imported, Narrowing

#: The module of notebook cells and scripts.
MAIN = "__main__"
#: The name of a callable that has none.
NAMELESS = "loss"


class NotImportableError(Exception):
    """Another process cannot import the object; the message says why, as the end of a sentence."""


def import_path(thing: object) -> str:
    """The dotted path by which another process can import an object; raises NotImportableError if there is none.

    The module that defines it must have this same object under that name, and be importable from ``sys.path``.
    """
    name = getattr(thing, "__module__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None:
        raise NotImportableError("no module defines it")
    if name == MAIN:
        raise NotImportableError("it is defined in a notebook or in the running script")
    qualified = str(getattr(thing, "__qualname__", ""))
    if files.member(module, qualified) is not thing:
        names = [key for key, value in tuple(vars(module).items()) if value is thing and key.isidentifier()]
        if not names:
            raise NotImportableError(f"the module {name} has no name for it")
        qualified = names[0]
    if not _is_on_path(module):
        raise NotImportableError(f"the module {name} cannot be imported from sys.path")
    return f"{name}.{qualified}"


def of_object(thing: Any, framework: str | None, narrowing: Narrowing, name: str | None = None) -> Imported:
    """An adapter, or a callable of a framework, as a backend that is judged in this process.

    ``name`` is its name in the report. Raises UsageError for anything else.
    """
    name = name or name_of(thing)
    folder = _folder_of(thing)
    if is_backend(thing):
        if framework is not None:
            raise UsageError("framework is only for callables; an adapter converts arrays itself")
        return Imported(str(thing.name), lambda _: thing, (OBJECT, "", name), folder, (type(thing).__module__,))
    assert framework is not None
    backend = from_function(thing, framework, f"{framework}:{name}", narrowing)
    return replace(backend, place=(OBJECT, framework, name), folder=folder)


def is_backend(thing: object) -> bool:
    """Whether an object is an adapter. A class of adapters is not."""
    named = not inspect.isclass(thing) and hasattr(thing, "capabilities")
    return named and any(hasattr(thing, function) for function in FUNCTIONS)


def name_of(thing: object) -> str:
    """The name of a function or class, of the function that a partial wraps, or of an object's class."""
    plain = getattr(thing, "func", thing)
    name = getattr(plain, "__name__", type(plain).__name__)
    return name if isinstance(name, str) and name.isidentifier() else NAMELESS


def _is_on_path(module: ModuleType) -> bool:
    """Whether a new process with our ``sys.path`` would import the same file by the module's name."""
    path = None
    if "." in module.__name__:
        parent = sys.modules.get(module.__name__.rpartition(".")[0])
        if parent is None or not _is_on_path(parent):
            return False
        path = getattr(parent, "__path__", None)
    # importlib.util.find_spec would use sys.modules.
    specs = (finder.find_spec(module.__name__, path, None) for finder in sys.meta_path)
    spec = next((spec for spec in specs if spec is not None), None)
    if spec is None:
        return False
    here, there = getattr(module, "__file__", None), spec.origin if spec.has_location else None
    return here == there or (here is not None and there is not None and Path(here).samefile(there))


def _folder_of(thing: object) -> Path:
    """The folder beside which ``deviations`` is looked for: that of the object's module, or the working directory."""
    name = getattr(getattr(thing, "func", thing), "__module__", None)
    return folder_of(sys.modules.get(name or ""))
