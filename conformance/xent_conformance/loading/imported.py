"""A backend between importing its modules and making it, with the options for callables."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xent_conformance.interface import Backend, CrossEntropy, FusedLinear
from xent_conformance.loading.claims import complaint
from xent_conformance.loading.description import Description, Identity, Origin, describe, identity
from xent_conformance.loading.errors import BrokenBackendError, guarded
from xent_conformance.loading.sources import sources_again, sources_of


@dataclass(frozen=True)
class Narrowing:
    """The options for callables, and the mode of any backend.

    Attributes:
        dtypes: The dtypes of logits to judge; None for all that the callable takes.
        gradient: Whether to judge gradients.
        device: The device to compute on.
        conventions: Declarations as on the command line (see ``declared``), such as "mean-divisor=all_rows".
        claims: Likewise, such as "no-weight".
        precision: Likewise, such as "internals=native".
        mode: The way of calling the backend, one of its ``modes``; empty for the usual one.
        tried: The result of an earlier trial of the callable, to avoid another one.
    """

    dtypes: tuple[str, ...] | None = None
    gradient: bool = True
    device: str = "cpu"
    conventions: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    precision: tuple[str, ...] = ()
    mode: str = ""
    tried: bytes | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """The same as options of the command line, without the dtypes."""
        words = [] if self.device == "cpu" else ["--device", self.device]
        words += [] if self.gradient else ["--no-gradient"]
        texts = {"--convention": self.conventions, "--claim": self.claims, "--precision": self.precision}
        return (*words, *(word for option, given in texts.items() for text in given for word in (option, text)))


#: No options.
DEFAULTS = Narrowing()


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

    def in_mode(self, mode: str) -> Imported:
        """The backend for one of the modes of this one."""

        def make(tried: bytes | None) -> Backend:
            backend: Any = self.make(tried)
            made: Backend = backend.modes()[mode]()
            return made

        return replace(self, make=make)

    def open(self, tried: bytes | None = None) -> tuple[Backend, Description]:
        """Make the backend and describe it.

        Args:
            tried: The result of an earlier trial of the same callable, to avoid another one.

        Raises:
            BrokenBackendError: Its name, claims or methods are wrong, or making it raises an exception.
            BackendUnavailableError: Its device is missing.
        """
        backend = self.make(tried)
        wrong = guarded(self.spec, lambda: complaint(backend))
        if wrong is not None:
            raise BrokenBackendError(f"{self.spec}: {wrong}")
        # The deviations listed for a library's fused linear map are specific to our adapter.
        library = None if isinstance(backend, FusedLinear) and not isinstance(backend, CrossEntropy) else self.library
        listed = self.folder / "deviations" / f"{library or backend.name}.toml"
        origin = Origin(self.spec, *self.place, str(listed.absolute()), self.options)
        described = guarded(self.spec, lambda: describe(backend, origin))
        modules = [*self.modules, *(kind.__module__ for kind in type(backend).__mro__)]
        digests = guarded(self.spec, lambda: sources_of(modules, described.versions))
        return backend, replace(described, sources=digests)

    def open_again(self, tried: bytes | None, sources: Collection[str]) -> tuple[Backend, Identity]:
        """Make a backend that another process of the run has described.

        Describing it again would take most of the time of a process that is forked after each crash.

        Args:
            tried: The result of the trial of the same callable in that process, to avoid another one.
            sources: The modules whose source files are in the description.

        Raises:
            BrokenBackendError, BackendUnavailableError: As ``open`` does.
        """
        backend = self.make(tried)
        return backend, guarded(self.spec, lambda: identity(backend, sources_again(sources)))
