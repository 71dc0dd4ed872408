"""Callables of a framework as backends: by a dotted path, in a file, or as an object of this process."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from xent_conformance.calling.surroundings import restored
from xent_conformance.interface import Backend
from xent_conformance.loading import files
from xent_conformance.loading.declared import declared, form_in
from xent_conformance.loading.errors import UsageError, guarded
from xent_conformance.loading.imported import Imported, Narrowing
from xent_conformance.suggestions import instead

CALLABLES = "xent_conformance.callables"
#: Every framework's module may use its arrays as well.
OF_ALL = "numpy"


def frameworks() -> Mapping[str, EntryPoint]:
    """The frameworks whose callables can be judged, with the factories for them."""
    return {point.name: point for point in entry_points(group=CALLABLES)}


def by_path(framework: str, path: str, spec: str, narrowing: Narrowing) -> Imported:
    """The callable at a dotted path; raises what ``loader.load`` does."""
    # Loaded first, so that a missing framework is reported rather than an import error of the function's module.
    factory = guarded(spec, frameworks()[framework].load)
    files.make_importable(Path.cwd())
    function = _attribute(spec, path)
    if not callable(function):
        raise UsageError(f"{path} is of type {type(function).__name__}, not a callable")
    backend = _from_module(function, framework, spec, narrowing)
    # A framework's own function has the known deviations of that framework; those of others are beside their modules.
    own = path.partition(".")[0] == framework
    folder = folder_of(inspect.getmodule(factory) if own else _module_in(path))
    return replace(backend, place=("callable", framework, path), folder=folder, library=framework if own else None)


def in_file(framework: str, text: str, spec: str, narrowing: Narrowing) -> Imported:
    """The callable in a file, ``text`` being "PATH.py:NAME"; raises what ``loader.load`` does."""
    path, attribute = files.divided(text)
    guarded(spec, frameworks()[framework].load)
    module = files.module_of(spec, path)
    if not attribute or not files.has(spec, module, attribute):
        raise UsageError(_which(module, path, attribute, f"{framework}:"))
    function = files.member(module, attribute)
    if not callable(function):
        raise UsageError(f"{attribute} in {path} is of type {type(function).__name__}, not a callable")
    return of_file(function, framework, path, attribute, spec, narrowing)


def of_file(
    function: Callable[..., Any], framework: str, path: Path, attribute: str, spec: str, narrowing: Narrowing
) -> Imported:
    """A callable of an imported file; raises what ``loader.load`` does."""
    backend = _from_module(function, framework, f"{framework}:{path}:{attribute}", narrowing)
    place = "callable", framework, f"{path}:{attribute}"
    return replace(backend, spec=spec, place=place, folder=path.parent)


def _which(module: ModuleType, path: Path, attribute: str, prefix: str) -> str:
    """The message for a file that does not have the named callable, or where none is named."""
    losses = files.losses_in(module)
    if not attribute:
        example = f"{prefix}{path.name}:{losses[0] if losses else 'function'}"
        return f"{prefix}{path} names no function: a callable in a file is given as {example}"
    hint = instead(attribute, losses, f"it has {', '.join(losses[: files.MOST])}" if losses else "")
    return "; ".join(filter(None, (f"{path} defines no {attribute!r}", hint)))


def framework_of(function: Callable[..., Any], module: ModuleType, given: str) -> str:
    """The framework whose arrays a function takes: the one that its module uses, numpy if that is the only one.

    Args:
        function: The function.
        module: The module that it was found in.
        given: The specification that names no framework, for messages.

    Raises:
        UsageError: The modules use several frameworks besides numpy, or none.
    """
    own = sys.modules.get(str(getattr(inspect.unwrap(function), "__module__", "")))
    used = {name for part in (module, own) if part is not None for name in _used_by(part)}
    kinds = type(function).__mro__ if not inspect.isclass(function) else function.__mro__
    used.update(kind.__module__.partition(".")[0] for kind in kinds)
    known = [name for name in sorted(frameworks()) if name in used]
    named = [name for name in known if name != OF_ALL] or known
    if len(named) == 1:
        return named[0]
    prefixes = " or ".join(f"{name}:{given}" for name in named or sorted(frameworks()))
    raise UsageError(f"{given}: whose arrays does it take? A callable is given with its framework, {prefixes}")


def _used_by(module: ModuleType) -> Iterator[str]:
    """The packages of the names that a module has imported."""
    for value in tuple(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name.partition(".")[0]


def from_function(function: Callable[..., Any], framework: str, spec: str, narrowing: Narrowing) -> Imported:
    """A callable object of a framework as a backend; raises what ``loader.load`` does."""
    points = frameworks()
    if framework not in points:
        raise UsageError(f"unknown framework {framework!r}; {instead(framework, sorted(points))}")
    factory = guarded(spec, points[framework].load)
    details = {"spec": spec, "dtypes": narrowing.dtypes, "gradient": narrowing.gradient, "device": narrowing.device}
    if (form := form_in(narrowing.claims)) is not None:
        details["form"] = form

    def make(tried: bytes | None) -> Backend:
        again = {} if tried is None else {"tried": tried}
        # The factory makes trial calls. State that they change must not hide changes by the judged calls.
        with restored():
            made = guarded(spec, lambda: factory(function, **details, **again))
        changes = narrowing.conventions, narrowing.claims, narrowing.precision
        return made if not any(changes) else guarded(spec, lambda: _declaring(made, *changes))  # type: ignore[no-any-return]

    modules = guarded(spec, lambda: _modules(function))
    settings_kept = getattr(sys.modules[points[framework].module], "settings_kept", nullcontext)
    return Imported(
        spec, make, ("object", framework, ""), Path(), modules, options=narrowing.options, settings_kept=settings_kept
    )


def _from_module(function: Callable[..., Any], framework: str, spec: str, narrowing: Narrowing) -> Imported:
    """Likewise for a callable of an imported module, in the process that workers are forked from.

    What its first call would import, or set in the process, is there before. An object of a user's process is not
    prepared in that way, which would leave settings behind there.
    """
    backend = from_function(function, framework, spec, narrowing)
    own = sys.modules[frameworks()[framework].module]
    guarded(spec, lambda: getattr(own, "preload_for", lambda _: None)(function))
    return backend


def _declaring(backend: Any, *changes: tuple[str, ...]) -> Any:
    """A backend of a callable with the declarations of the command line."""
    return replace(backend, capabilities=declared(backend.capabilities, *changes))


def _module_in(path: str) -> ModuleType | None:
    """The innermost imported module on a dotted path."""
    parts = path.replace(":", ".").split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
    return next((sys.modules[name] for name in prefixes if name in sys.modules), None)


def _attribute(spec: str, path: str) -> Any:
    """The object at a dotted path, importing as many of its parts as are modules."""
    parts = path.replace(":", ".").split(".")
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        try:
            missing = importlib.util.find_spec(name) is None
        except (ImportError, ValueError):
            missing = True
        if missing:
            continue
        thing: Any = guarded(spec, lambda name=name: importlib.import_module(name))  # type: ignore[misc]
        for part in parts[length:]:
            if not hasattr(thing, part):
                what = f"{name} has no {'.'.join(parts[length:])!r}"
                raise UsageError("; ".join(filter(None, (what, instead(part, dir(thing), otherwise="")))))
            thing = getattr(thing, part)
        return thing
    if len(parts) == 1:
        raise UsageError(f"{spec!r} names no function in a module: a callable is given as {spec}.function")
    raise UsageError(f"no module {parts[0]!r} for {path!r}; it must be installed, or be in the working directory")


def _modules(function: Any) -> tuple[str, ...]:
    """Modules that define a callable: the function itself, and its wrapper."""
    plain = getattr(function, "func", inspect.unwrap(function))
    names = [getattr(part, "__module__", None) for part in (function, plain, type(function), type(plain))]
    return tuple(name for name in names if isinstance(name, str))


def folder_of(module: ModuleType | None) -> Path:
    """The folder of a module's file; the working directory if it has none."""
    file = getattr(module, "__file__", None)
    return Path(file).parent if isinstance(file, str) else Path()
