"""Loading a backend that is named on the command line.

numpy, torch, jax ...            a registered name (entry point group ``xent_conformance.backends``)
./my_backend.py[:name]           a file that defines ``backend``, or ``name``
torch:package.function           a callable with the signature of F.cross_entropy, on that framework's arrays
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from xent_conformance.calling.surroundings import restored
from xent_conformance.interface import Backend
from xent_conformance.loading.declared import declared, form_in
from xent_conformance.loading.description import Description
from xent_conformance.loading.errors import NoBackendError, UsageError, guarded
from xent_conformance.loading.imported import DEFAULTS, Imported, Narrowing
from xent_conformance.loading.sources import FILE
from xent_conformance.suggestions import instead

BACKENDS = "xent_conformance.backends"
CALLABLES = "xent_conformance.callables"


def load(spec: str, narrowing: Narrowing = DEFAULTS) -> tuple[Backend, Description]:
    """Load a backend.

    Args:
        spec: A registered name, a file, or a callable (see the beginning of this module).
        narrowing: Options for callables.

    Returns:
        The backend and its description.

    Raises:
        UsageError: There is no such backend, file or callable.
        BrokenBackendError: The adapter does not work.
        BackendUnavailableError: A framework or device is missing.

    Example:
        >>> backend, description = load("numpy")
        >>> description.name, description.device
        ('numpy', 'cpu')
    """
    return imported(spec, narrowing).open()


def imported(spec: str, narrowing: Narrowing = DEFAULTS) -> Imported:
    """Import the modules of a backend without making it; raises what :func:`load` does."""
    if is_file(spec):
        return _from_file(spec)
    if is_callable(spec):
        framework, _, path = spec.partition(":")
        return _from_callable(framework, path, spec, narrowing)
    point = _points(BACKENDS).get(spec)
    if point is None:
        raise UsageError(_unknown(spec))
    factory = guarded(spec, point.load)
    module, _, attribute = point.value.partition(":")
    # Imports what the factories would otherwise import in every worker.
    guarded(spec, getattr(sys.modules[module], "preload", lambda: None))
    place = "entry point", module, attribute
    return Imported(spec, lambda _: _made(spec, factory), place, _folder(sys.modules[module]), (module,))


def is_file(spec: str) -> bool:
    """Whether a specification names a file."""
    return spec.endswith(".py") or ".py:" in spec or spec.startswith((".", "/", "~"))


def is_callable(spec: str) -> bool:
    """Whether a specification names a callable of a framework."""
    framework, _, path = spec.partition(":")
    return bool(path) and framework in _points(CALLABLES) and not is_file(spec)


def catalogue_in(folder: Path, function: str) -> list[Any]:
    """The list that a function of the module ``catalogue`` in a package folder returns.

    Raises UsageError for a folder without that module, BrokenBackendError if it does not work.
    """
    module = _file(str(folder / "catalogue.py"))
    sys.path.insert(0, str(folder.resolve().parent))
    catalogue = guarded(str(module), lambda: importlib.import_module(f"{folder.resolve().name}.catalogue"))
    if not hasattr(catalogue, function):
        raise UsageError(f"{module} has no {function}()")
    return guarded(str(module), lambda: list(getattr(catalogue, function)()))  # type: ignore[no-any-return]


def known() -> list[str]:
    """Names of the registered backends."""
    return sorted(_points(BACKENDS))


def _points(group: str) -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _unknown(spec: str) -> str:
    frameworks = sorted(_points(CALLABLES))
    prefix, colon, _ = spec.partition(":")
    if colon and prefix in frameworks:
        return f"{spec!r} names no function: a callable is given as {prefix}:package.function"
    if colon:
        given_for = f"callables can be given for {', '.join(frameworks)}"
        return f"unknown framework {prefix!r} in {spec!r}; {instead(prefix, frameworks, given_for)}"
    every = f"known: {', '.join(known())}."
    return (
        f"unknown backend {spec!r}; {instead(spec, known(), every)}"
        f" A file is given as ./{spec}.py, a callable as {frameworks[0] if frameworks else 'torch'}:package.function"
    )


def _from_file(spec: str) -> Imported:
    name, colon, attribute = spec.rpartition(":")
    path = _file(name if colon and not spec.endswith(".py") else spec)
    attribute = attribute if colon and attribute and not spec.endswith(".py") else "backend"
    name = FILE + path.stem
    # The suffix of the file's name does not matter.
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
    if not guarded(spec, lambda: hasattr(module, attribute)):
        raise NoBackendError(
            f"{path} defines no {attribute!r}: it should end with `{attribute} = MyBackend()`;"
            " `xent new my_backend.py` writes an example"
        )
    place = "file", str(path), attribute

    def make(_: bytes | None) -> Backend:
        return _made(spec, guarded(spec, lambda: getattr(module, attribute)))

    return Imported(spec, make, place, path.parent, (name,))


def _file(name: str) -> Path:
    """The regular file with this name; raises UsageError if there is none, or if the name is not valid."""
    try:
        path = Path(name).expanduser().absolute()
        if path.is_file():
            return path
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"no file {name}: {error}") from error
    raise UsageError(f"no file {path}")


def _from_callable(framework: str, path: str, spec: str, narrowing: Narrowing) -> Imported:
    # Loaded first, so that a missing framework is reported rather than an import error of the function's module.
    factory = guarded(spec, _points(CALLABLES)[framework].load)
    # Like the folder of a file; last, so that no module in it can shadow another one.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    function = _attribute(spec, path)
    if not callable(function):
        raise UsageError(f"{path} is a {type(function).__name__}, not a callable")
    backend = from_function(function, framework, spec, narrowing)
    # A framework's own function has the known deviations of that framework; those of others are beside their modules.
    own = path.partition(".")[0] == framework
    folder = _folder(inspect.getmodule(factory) if own else _module_in(path))
    return replace(backend, place=("callable", framework, path), folder=folder, library=framework if own else None)


def from_function(function: Callable[..., Any], framework: str, spec: str, narrowing: Narrowing) -> Imported:
    """A callable object of a framework as a backend; raises what :func:`load` does."""
    points = _points(CALLABLES)
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


def _made(spec: str, thing: Any) -> Backend:
    """A backend object; if a factory is registered, what that returns."""
    if guarded(spec, lambda: callable(thing) and not hasattr(thing, "capabilities")):
        thing = guarded(spec, thing)
    backend: Backend = thing
    return backend


def _folder(module: ModuleType | None) -> Path:
    return Path(module.__file__).parent if module is not None and module.__file__ else Path()
