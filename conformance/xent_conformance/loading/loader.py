"""Loading a backend that is named on the command line.

numpy, torch, jax ...            a registered name (entry point group ``xent_conformance.backends``)
./my_backend.py[:name]           a file that defines ``backend``, or ``name``
torch:package.function           a callable with the signature of F.cross_entropy, on that framework's arrays
torch:./my_kernels.py:function   the same in a file; "torch:" may be left out if the file imports no other framework
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from xent_conformance.interface import Backend
from xent_conformance.loading import callables, files
from xent_conformance.loading.description import Description
from xent_conformance.loading.errors import NoBackendError, UsageError, guarded
from xent_conformance.loading.imported import DEFAULTS, Imported, Narrowing
from xent_conformance.suggestions import instead

BACKENDS = "xent_conformance.backends"
#: The name of the adapter in a file, unless another is given.
DEFAULT = "backend"


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
        return _from_file(spec, narrowing)
    if is_callable(spec):
        framework, _, path = spec.partition(":")
        given = callables.in_file if files.is_path(path) else callables.by_path
        return given(framework, path, spec, narrowing)
    point = _points().get(spec)
    if point is None:
        raise UsageError(_unknown(spec))
    factory = guarded(spec, point.load)
    module, _, attribute = point.value.partition(":")
    # Imports what the factories would otherwise import in every worker.
    guarded(spec, getattr(sys.modules[module], "preload", lambda: None))
    place = "entry point", module, attribute
    folder = callables.folder_of(sys.modules[module])
    return Imported(spec, lambda _: _made(spec, factory), place, folder, (module,))


def is_file(spec: str) -> bool:
    """Whether a specification names a file, and no framework before it."""
    return files.is_path(spec) and not is_callable(spec)


def is_callable(spec: str) -> bool:
    """Whether a specification names a framework and a callable of it."""
    framework, _, path = spec.partition(":")
    return bool(path) and framework in callables.frameworks()


def may_be_callable(spec: str) -> bool:
    """Whether a specification names a callable, or an object in a file that may be one."""
    return is_callable(spec) or (is_file(spec) and not spec.endswith(".py"))


def file_in(spec: str) -> Path:
    """The file of a specification, with or without a framework before it; raises UsageError if there is none."""
    path, _ = files.divided(spec.partition(":")[2] if is_callable(spec) else spec)
    return path


def catalogue_in(folder: Path, function: str) -> list[Any]:
    """The list that a function of the module ``catalogue`` in a package folder returns.

    Raises UsageError for a folder without that module, BrokenBackendError if it does not work.
    """
    module = files.existing(str(folder / "catalogue.py"))
    sys.path.insert(0, str(folder.resolve().parent))
    catalogue = guarded(str(module), lambda: importlib.import_module(f"{folder.resolve().name}.catalogue"))
    if not hasattr(catalogue, function):
        raise UsageError(f"{module} has no {function}()")
    return guarded(str(module), lambda: list(getattr(catalogue, function)()))  # type: ignore[no-any-return]


def known() -> list[str]:
    """Names of the registered backends."""
    return sorted(_points())


def _points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=BACKENDS)}


def _unknown(spec: str) -> str:
    frameworks = sorted(callables.frameworks())
    if not frameworks:
        # Adapters and frameworks are entry points of the installed package.
        return f"unknown backend {spec!r}: xent-conformance is imported from a folder and has to be installed (pip)"
    prefix, colon, _ = spec.partition(":")
    if colon and prefix in frameworks:
        return f"{spec!r} names no function: a callable is given as {prefix}:package.function"
    if colon:
        given_for = f"callables can be given for {', '.join(frameworks)}"
        return f"unknown framework {prefix!r} in {spec!r}; {instead(prefix, frameworks, given_for)}"
    every = f"known: {', '.join(known())}."
    unknown = f"unknown backend {spec!r}; {instead(spec, known(), every)}"
    if "." in spec:
        prefixed = " or ".join(f"{name}:{spec}" for name in frameworks)
        return f"{unknown} A callable is given with its framework, {prefixed}"
    return f"{unknown} A file is given as ./{spec}.py, a callable as {frameworks[0]}:package.function"


def _from_file(spec: str, narrowing: Narrowing) -> Imported:
    path, attribute = files.divided(spec)
    module = files.module_of(spec, path)
    if not files.has(spec, module, attribute or DEFAULT):
        raise NoBackendError(_without(module, path, spec, attribute))
    attribute = attribute or DEFAULT
    thing = guarded(spec, lambda: files.member(module, attribute))
    if guarded(spec, lambda: files.takes_arrays(thing)):
        framework = callables.framework_of(thing, module, spec)
        return callables.of_file(thing, framework, path, attribute, spec, narrowing)
    place = "file", str(path), attribute

    def make(_: bytes | None) -> Backend:
        return _made(spec, guarded(spec, lambda: files.member(module, attribute)))

    return Imported(spec, make, place, path.parent, (module.__name__,))


def _without(module: ModuleType, path: Path, spec: str, attribute: str) -> str:
    """The message for a file without the backend that is looked for in it."""
    losses = files.losses_in(module)
    if attribute:
        near = instead(attribute, [name for name in vars(module) if not name.startswith("__")], "")
        if near:
            return f"{path} defines no {attribute!r}; {near}"
    missing = f"{path} defines no {attribute or DEFAULT!r}"
    if losses:
        examples = " or ".join(f"{spec.removesuffix(f':{attribute}')}:{name}" for name in losses[: files.MOST])
        return f"{missing}; a function in it is judged as {examples}"
    return (
        f"{missing}: it should end with `{attribute or DEFAULT} = MyBackend()`;"
        " `xent new my_backend.py` writes an example"
    )


def _made(spec: str, thing: Any) -> Backend:
    """A backend object; if a class of adapters or a factory is given, what that returns."""
    if guarded(spec, lambda: inspect.isclass(thing) or (callable(thing) and not hasattr(thing, "capabilities"))):
        thing = guarded(spec, thing)
    backend: Backend = thing
    return backend
