"""Conversion between NumPy arrays and JAX arrays, and the settings that JAX needs before it computes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any

import jax
import jaxlib.version
import numpy as np
import numpy.typing as npt
from jax import Array
from jax.experimental.compilation_cache import compilation_cache

from xent_conformance.interface import BackendUnavailableError

#: The first lines of a script, and the expressions that convert arrays to JAX and back.
SETUP = 'import jax\nimport jax.numpy as jnp\n\njax.config.update("jax_enable_x64", True)'
ARRAY = "jnp.asarray({array}, dtype='{dtype}')"
#: The first lines of a script for backends that are judged without jax_enable_x64.
NARROW_SETUP = "import jax\nimport jax.numpy as jnp"
RESULT = "np.asarray({value}).astype(np.float64)"


def configure() -> None:
    """Enable float64 and int64, and ask for one compute thread.

    XLA sizes its thread pool by NPROC when its client starts (measured on jaxlib 0.10.2: with NPROC=1 processor time
    equals wall time; ``--xla_cpu_multi_thread_eigen=false`` alone changes nothing). A value that is already set stays.
    """
    os.environ.setdefault("NPROC", "1")
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]


@contextmanager
def settings_kept() -> Iterator[None]:
    """Restore at the end of the block what ``configure`` sets."""
    limited, wide = "NPROC" in os.environ, bool(jax.config.read("jax_enable_x64"))  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if not limited:
            os.environ.pop("NPROC", None)
        jax.config.update("jax_enable_x64", wide)  # type: ignore[no-untyped-call]


def bits(*, wide: bool) -> AbstractContextManager[object]:
    """Inside the block, jax_enable_x64 is on (``wide``) or off in this thread."""
    # Before JAX 0.8 it was in jax.experimental.
    switch = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64
    entered: AbstractContextManager[object] = switch(wide)
    return entered


@contextmanager
def compiling_anew() -> Iterator[None]:
    """Inside the block, no program is taken from where JAX stores them: what compiling costs is to be measured."""
    stored = bool(jax.config.jax_enable_compilation_cache)  # type: ignore[attr-defined]
    _store_programs(on=False)
    try:
        yield
    finally:
        _store_programs(on=stored)


def _store_programs(*, on: bool) -> None:
    jax.config.update("jax_enable_compilation_cache", on)  # type: ignore[no-untyped-call]
    # JAX looks at the setting once in a process, unless it is reset.
    compilation_cache.reset_cache()


def platform(device: str | None = None) -> str:
    """The platform of a device, or of JAX's default device for None. Raises BackendUnavailableError without it."""
    try:
        return str(jax.devices(device)[0].platform)
    except RuntimeError as error:
        raise BackendUnavailableError(f"jax {jax.__version__} has no device {device!r} here: {error}") from error


def array_of(array: npt.NDArray[np.generic], device: str | None = None) -> Array:
    """A JAX array with the array's values, contiguous: JAX has no strides. It never shares the array's memory.

    Copied by NumPy: ``jnp.array`` compiles two programs for every new shape, and ``jax.device_put`` alone may share
    memory. On the default device the array is left uncommitted, as what users make is, and as the arrays beside it are:
    ``jax.jit`` compiles anew for every other mixture of committed and uncommitted arguments.
    """
    own = np.array(array, order="C")
    there: Array = jax.device_put(own, None if device in (None, jax.default_backend()) else jax.devices(device)[0])
    return there


def numpy_of(array: Any) -> npt.NDArray[Any]:
    """A NumPy array with the array's values and dtype. Raises TypeError for anything but a JAX array."""
    if not isinstance(array, Array):
        raise TypeError(f"expected a jax.Array, got {type(array).__name__}")
    return np.asarray(array)


def versions() -> Mapping[str, str]:
    """Versions of jax and of its compiler."""
    return {"jax": jax.__version__, "jaxlib": jaxlib.version.__version__}
