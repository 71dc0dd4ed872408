"""Loading a backend that is named on the command line.

numpy, torch, jax ...            a registered name (entry point group ``xent_conformance.backends``)
./my_backend.py[:name]           a file that defines ``backend``, or ``name``
torch:package.function           a callable with the signature of F.cross_entropy, on that framework's arrays
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from xent_conformance.calling.exceptions import message_of
from xent_conformance.calling.surroundings import restored
from xent_conformance.interface import Backend, BackendUnavailableError, CrossEntropy, FusedLinear
from xent_conformance.loading.claims import complaint
from xent_conformance.loading.declared import declared, form_in
from xent_conformance.loading.description import Description, Origin, describe
from xent_conformance.loading.sources import FILE, sources_of
from xent_conformance.suggestions import instead

BACKENDS = "xent_conformance.backends"
CALLABLES = "xent_conformance.callables"


class UsageError(Exception):
    """Something that was requested does not exist or cannot be done; exit code 2."""


class NoBackendError(UsageError):
    """An existing file without a backend in it. In a run with other backends it counts as a broken adapter."""


class BrokenBackendError(Exception):
    """The adapter does not work; the message says where it failed. Exit code 3."""


@dataclass(frozen=True)
class Narrowing:
    """The options for callables.

    Attributes:
        dtypes: The dtypes of logits to judge; None for all that the callable takes.
        gradient: Whether to judge gradients.
        device: The device to compute on.
        conventions: Declarations as on the command line (see ``declared``), such as "mean-divisor=all_rows".
        claims: Likewise, such as "no-weight".
        precision: Likewise, such as "internals=native".
    """

    dtypes: tuple[str, ...] | None = None
    gradient: bool = True
    device: str = "cpu"
    conventions: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    precision: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The same as options of the command line, without the dtypes."""
        words = [] if self.device == "cpu" else ["--device", self.device]
        words += [] if self.gradient else ["--no-gradient"]
        texts = {"--convention": self.conventions, "--claim": self.claims, "--precision": self.precision}
        return (*words, *(word for option, given in texts.items() for text in given for word in (option, text)))


@dataclass(frozen=True)
class Imported:
    """A backend whose modules are imported, but which is not made yet, because making it may use a device.

    Attributes:
        spec: Its name on the command line.
        make: Makes the backend, from the result of an earlier trial if there is one.
        place: Kind, place and attribute of its ``Origin``.
        folder: Contains the folder ``deviations`` with a file named after the backend.
        modules: Names of the modules that define it.
        library: The name of that file if it is not the backend's: that of a library with an adapter in this repository.
        options: The options of the command line for it.
        settings_kept: A context manager that restores the framework's settings, which making the backend may change.
    """

    spec: str
    make: Callable[[bytes | None], Backend]
    place: tuple[str, str, str]
    folder: Path
    modules: tuple[str, ...]
    library: str | None = None
    options: tuple[str, ...] = ()
    settings_kept: Callable[[], AbstractContextManager[object]] = nullcontext

    def open(self, *, scripts: bool = True, tried: bytes | None = None) -> tuple[Backend, Description]:
        """Make the backend and describe it.

        Args:
            scripts: Whether to include the parts of scripts in the description.
            tried: The result of the trial of the same callable in an earlier process, to avoid another one.

        Raises:
            BrokenBackendError: Its name, claims or methods are wrong, or making it raises an exception.
            BackendUnavailableError: Its device is missing.
        """
        backend = self.make(tried)
        wrong = _guarded(self.spec, lambda: complaint(backend))
        if wrong is not None:
            raise BrokenBackendError(f"{self.spec}: {wrong}")
        # The deviations listed for a library's fused linear map are specific to our adapter.
        library = None if isinstance(backend, FusedLinear) and not isinstance(backend, CrossEntropy) else self.library
        listed = self.folder / "deviations" / f"{library or backend.name}.toml"
        origin = Origin(self.spec, *self.place, str(listed.absolute()), self.options)
        described = _guarded(self.spec, lambda: describe(backend, origin, scripts=scripts))
        modules = [*self.modules, *(kind.__module__ for kind in type(backend).__mro__)]
        return backend, replace(described, sources=_guarded(self.spec, lambda: sources_of(modules, described.versions)))


def load(spec: str, narrowing: Narrowing = Narrowing()) -> tuple[Backend, Description]:
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


def imported(spec: str, narrowing: Narrowing = Narrowing()) -> Imported:
    """Import the modules of a backend without making it; raises what :func:`load` does."""
    if is_file(spec):
        return _from_file(spec)
    if is_callable(spec):
        framework, _, path = spec.partition(":")
        return _from_callable(framework, path, spec, narrowing)
    point = _points(BACKENDS).get(spec)
    if point is None:
        raise UsageError(_unknown(spec))
    found = _guarded(spec, point.load)
    module, _, attribute = point.value.partition(":")
    # Imports what the factories would otherwise import in every worker.
    _guarded(spec, getattr(sys.modules[module], "preload", lambda: None))
    place = "entry point", module, attribute
    return Imported(spec, lambda _: _made(spec, found), place, _folder(sys.modules[module]), (module,))


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
    found = _guarded(str(module), lambda: importlib.import_module(f"{folder.resolve().name}.catalogue"))
    if not hasattr(found, function):
        raise UsageError(f"{module} has no {function}()")
    return _guarded(str(module), lambda: list(getattr(found, function)()))  # type: ignore[no-any-return]


def known() -> list[str]:
    """Names of the registered backends."""
    return sorted(_points(BACKENDS))


def _points(group: str) -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _unknown(spec: str) -> str:
    frameworks = sorted(_points(CALLABLES))
    prefix, colon, _ = spec.partition(":")
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
        _guarded(spec, lambda: loader.exec_module(module))
    finally:
        with suppress(ValueError):
            sys.path.remove(str(path.parent))
    if not _guarded(spec, lambda: hasattr(module, attribute)):
        raise NoBackendError(
            f"{path} defines no {attribute!r}: it should end with `{attribute} = MyBackend()`;"
            " `xent new my_backend.py` writes an example"
        )
    place = "file", str(path), attribute

    def make(_: bytes | None) -> Backend:
        return _made(spec, _guarded(spec, lambda: getattr(module, attribute)))

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
    factory = _guarded(spec, _points(CALLABLES)[framework].load)
    # Like the folder of a file; last, so that no module in it can shadow another one.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    function = _attribute(spec, path)
    if not callable(function):
        raise UsageError(f"{path} is a {type(function).__name__}, not a callable")
    found = from_function(function, framework, spec, narrowing)
    # A framework's own function has the known deviations of that framework; those of others are beside their modules.
    own = path.partition(".")[0] == framework
    folder = _folder(inspect.getmodule(factory) if own else _module_in(path))
    return replace(found, place=("callable", framework, path), folder=folder, library=framework if own else None)


def from_function(function: Callable[..., Any], framework: str, spec: str, narrowing: Narrowing) -> Imported:
    """A callable object of a framework as a backend; raises what :func:`load` does."""
    points = _points(CALLABLES)
    if framework not in points:
        raise UsageError(f"unknown framework {framework!r}; {instead(framework, sorted(points))}")
    factory = _guarded(spec, points[framework].load)
    details = {"spec": spec, "dtypes": narrowing.dtypes, "gradient": narrowing.gradient, "device": narrowing.device}
    if (form := form_in(narrowing.claims)) is not None:
        details["form"] = form

    def make(tried: bytes | None) -> Backend:
        again = {} if tried is None else {"tried": tried}
        # The factory makes trial calls. State that they change must not hide changes by the judged calls.
        with restored():
            made = _guarded(spec, lambda: factory(function, **details, **again))
        changes = narrowing.conventions, narrowing.claims, narrowing.precision
        return made if not any(changes) else _guarded(spec, lambda: _declaring(made, *changes))  # type: ignore[no-any-return]

    modules = _guarded(spec, lambda: _modules(function))
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
        found: Any = _guarded(spec, lambda name=name: importlib.import_module(name))  # type: ignore[misc]
        for part in parts[length:]:
            if not hasattr(found, part):
                what = f"{name} has no {'.'.join(parts[length:])!r}"
                raise UsageError("; ".join(filter(None, (what, instead(part, dir(found), otherwise="")))))
            found = getattr(found, part)
        return found
    raise UsageError(f"no module for {path!r}: expected package.function, importable from here")


def _modules(function: Any) -> tuple[str, ...]:
    """Modules that define a callable: the function itself, and its wrapper."""
    plain = getattr(function, "func", inspect.unwrap(function))
    names = [getattr(part, "__module__", None) for part in (function, plain, type(function), type(plain))]
    return tuple(name for name in names if isinstance(name, str))


def _made(spec: str, found: Any) -> Backend:
    """A backend object; if a factory is registered, what that returns."""
    if _guarded(spec, lambda: callable(found) and not hasattr(found, "capabilities")):
        found = _guarded(spec, found)
    backend: Backend = found
    return backend


def _guarded(spec: str, step: Callable[[], Any]) -> Any:
    """The result of a step of foreign code; its errors become BrokenBackendError with one line."""
    try:
        return step()
    except (BackendUnavailableError, UsageError):
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = message_of(error).strip().split("\n")[0]
        raise BrokenBackendError(
            f"{spec} cannot be loaded: {type(error).__name__}: {text} ({frame.filename}:{frame.lineno})"
        ) from error


def _folder(module: ModuleType | None) -> Path:
    return Path(module.__file__).parent if module is not None and module.__file__ else Path()
