"""Files given by their path: importing one, and the object in it that is named after a colon."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from xent_conformance.loading.errors import UsageError, guarded
from xent_conformance.loading.sources import FILE

#: Most names of functions in a message.
MOST = 3


def is_path(text: str) -> bool:
    """Whether a specification, after the name of a framework if it has one, names a file."""
    return text.endswith(".py") or ".py:" in text or text.startswith((".", "/", "~"))


def divided(text: str) -> tuple[Path, str]:
    """The path of an existing file and the name after the colon, empty without one; raises UsageError."""
    name, _, attribute = (text, "", "") if text.endswith(".py") else text.rpartition(":")
    return existing(name or text), attribute if name else ""


def existing(name: str) -> Path:
    """The regular file with this name; raises UsageError if there is none, or if the name is not valid."""
    try:
        path = Path(name).expanduser().absolute()
        if path.is_file():
            return path
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"no file {name}: {error}") from error
    raise UsageError(f"no file {path}")


def module_of(spec: str, path: Path) -> ModuleType:
    """Import a file, whatever the suffix of its name; raises what ``guarded`` does."""
    name = FILE + path.stem
    loader = SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        guarded(spec, lambda: loader.exec_module(module))
    finally:
        with suppress(ValueError):
            sys.path.remove(str(path.parent))
    make_importable(path.parent)
    return module


def make_importable(folder: Path) -> None:
    """Let code import the modules of a folder, which must not shadow any other: it comes last."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def has(spec: str, module: ModuleType, attribute: str) -> bool:
    """Whether a module has an attribute, or one of its attributes one, as in "Losses.fused"."""
    missing = object()
    return guarded(spec, lambda: member(module, attribute, missing)) is not missing


def member(module: ModuleType, attribute: str, otherwise: object = None) -> Any:
    """The object at a dotted name of a module, ``otherwise`` where there is none."""
    thing: Any = module
    for part in attribute.split("."):
        thing = getattr(thing, part, otherwise)
    return thing


def losses_in(module: ModuleType) -> list[str]:
    """The functions that a module defines and that take logits and labels, or more."""
    return [
        name
        for name, thing in tuple(vars(module).items())
        if not name.startswith("_")
        and getattr(thing, "__module__", None) == module.__name__
        and not inspect.isclass(thing)
        and takes_arrays(thing, 2)
    ]


def takes_arrays(thing: Any, least: int = 1) -> bool:
    """Whether an object is a callable with so many parameters that have no default, or a class of layers.

    Neither an adapter nor a function that makes one is.
    """
    if not callable(thing) or hasattr(thing, "capabilities"):
        return False
    if inspect.isclass(thing):
        return any(name in vars(kind) for kind in thing.__mro__ for name in ("forward", "__call__"))
    try:
        parameters = inspect.signature(getattr(thing, "forward", thing)).parameters.values()
    except (TypeError, ValueError):
        return True
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return sum(p.default is p.empty for p in positional) >= least
