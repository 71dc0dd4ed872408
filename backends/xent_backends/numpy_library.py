"""A loss of another library on NumPy arrays as a backend, with the gradients that the library has for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends import validation
from xent_backends.numpy_backend import CallableBackend
from xent_backends.source_text import joined, one_line, plain_source
from xent_conformance.interface import Capabilities, ReproducerParts, Vjp

AnyArray = npt.NDArray[Any]
Loss = Callable[..., AnyArray]
Gradients = Callable[..., tuple[AnyArray, AnyArray]]


@dataclass(frozen=True)
class NumpyLoss(CallableBackend):
    """A loss without gradients. If ``checked``, calls are first checked by ``validation.check_indices``.

    That is for libraries that accept invalid calls without checking them.
    """

    checked: bool = False

    def cross_entropy(self, logits: AnyArray, target: AnyArray, **options: Any) -> AnyArray:
        """Loss, as the library gives it."""
        self._check(logits, target, **options)
        return self.function(logits, target, **options)

    def _check(self, logits: AnyArray, target: AnyArray, **options: Any) -> None:
        """Raise for a call that must not reach the library."""
        if self.checked:
            reductions = self.capabilities.reductions
            validation.check_indices(logits, target, **{"reduction": reductions[0], **options}, reductions=reductions)


@dataclass(frozen=True)
class NumpyDifferentiable(NumpyLoss):
    """A loss with ``gradients(cotangent, logits, target, **options)``, which returns the loss and the gradient."""

    gradients: Gradients | None = None

    def cross_entropy_vjp(
        self,
        cotangent: AnyArray,
        logits: AnyArray,
        target: AnyArray,
        *,
        repeats: int = 1,
        upstream: str = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and gradient. There is no graph: ``repeats`` and ``upstream`` change nothing."""
        del repeats, upstream
        assert self.gradients is not None
        self._check(logits, target, **options)
        return Vjp(*self.gradients(cotangent, logits, target, **options))

    def reproducer(self) -> ReproducerParts:
        """A script that calls the library, made from the source of the adapter's functions."""
        assert self.gradients is not None
        parts = super().reproducer()
        accepted = "cotangent, logits, target, upstream='leaf', **options"
        call = f"(*{self.gradients.__name__}(cotangent, logits, target, **options), None)"
        vjp = joined(plain_source(self.gradients), one_line("cross_entropy_vjp", accepted, call))
        return parts._replace(calls={**parts.calls, "cross_entropy_vjp": vjp})


def library_loss(
    name: str,
    function: Loss,
    capabilities: Capabilities,
    *,
    libraries: tuple[str, ...],
    setup: str,
    gradients: Gradients | None = None,
    checked: bool = False,
) -> NumpyLoss:
    """A backend for a library's loss on NumPy arrays.

    Args:
        name: The backend's name.
        function: Calls the library. Its source is part of scripts.
        capabilities: What it claims.
        libraries: Names of the distributions, the one under test first.
        setup: The imports that the source of the functions needs.
        gradients: Calls the library for loss and gradient; None without gradients.
        checked: Whether to check calls before (see ``NumpyLoss``).
    """
    versions = {library: version(library) for library in libraries} | {"numpy": np.__version__}
    given = (name, capabilities, function, f"{setup}\n\n\n{plain_source(function)}", function.__name__)
    if gradients is None:
        return NumpyLoss(*given, versions=versions, checked=checked)
    return NumpyDifferentiable(*given, versions=versions, checked=checked, gradients=gradients)
