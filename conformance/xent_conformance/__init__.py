"""A property-based conformance test suite for softmax cross-entropy.

    >>> import xent_conformance as xent
    >>> result = xent.judge("numpy", profile="quick", only="identities.softplus")
    >>> result.raise_for_failures()

Importing this package imports no framework and nothing heavy: its public names are imported when they are first used.
Its modules can be used on their own: ``interface`` for adapters, ``testing`` for your test files, ``strategies`` for
your own Hypothesis tests, ``oracle`` and ``bounds`` for exact answers and tolerances.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xent_conformance.api import judge
    from xent_conformance.interface import BackendUnavailableError
    from xent_conformance.loading.errors import BrokenBackendError, UsageError
    from xent_conformance.result import ConformanceError, Result

__all__ = [
    "BackendUnavailableError",
    "BrokenBackendError",
    "ConformanceError",
    "Result",
    "UsageError",
    "__version__",
    "judge",
]

__version__ = "0.2.0"

#: Public name to the module that defines it.
_MODULES = {
    "judge": "api",
    "BackendUnavailableError": "interface",
    "BrokenBackendError": "loading.errors",
    "UsageError": "loading.errors",
    "ConformanceError": "result",
    "Result": "result",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    """All public names, whether imported yet or not."""
    return sorted({*globals(), *__all__})
