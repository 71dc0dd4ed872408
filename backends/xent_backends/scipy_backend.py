"""Adapter for SciPy: ``softmax`` and ``log_softmax`` of ``scipy.special``, and the losses that the latter gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Conventions, Precision, ReproducerParts

try:
    from scipy import special
except ImportError as error:
    raise unavailable("scipy", error) from error

from xent_backends.numpy_library import NumpyLoss, library_loss
from xent_backends.source_text import plain_source
from xent_backends.validation import INTEGERS

AnyArray = npt.NDArray[Any]

CAPABILITIES = Capabilities(
    logits_dtypes=("float32", "float64"),
    target_dtypes=INTEGERS,
    reductions=("none",),
    unbatched=True,
    spatial=True,
    # There is no loss, and NumPy counts negative labels from the end.
    validation="adapter",
    # (x - max) - log(sum), in the dtype of the logits.
    precision=Precision(),
    # A row with +inf is not shifted: nan at the +inf, -inf elsewhere.
    conventions=Conventions(infinite_row="not_finite"),
)


def losses(logits: AnyArray, target: AnyArray, **_: Any) -> AnyArray:
    """The negative log-probability of each row's label."""
    axis = 0 if logits.ndim == 1 else 1
    labels = np.expand_dims(target.astype(np.int64), axis)
    losses: AnyArray = -np.take_along_axis(special.log_softmax(logits, axis=axis), labels, axis).squeeze(axis)
    return losses


def softmax(logits: AnyArray) -> AnyArray:
    """Softmax over the class axis."""
    return special.softmax(logits, axis=0 if logits.ndim == 1 else 1)  # type: ignore[no-any-return]


def log_softmax(logits: AnyArray) -> AnyArray:
    """Logarithm of the softmax over the class axis."""
    return special.log_softmax(logits, axis=0 if logits.ndim == 1 else 1)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ScipyBackend(NumpyLoss):
    """The two functions, and the losses that are read off one of them."""

    def softmax(self, logits: AnyArray) -> AnyArray:
        """``scipy.special.softmax`` over the class axis."""
        return softmax(logits)

    def log_softmax(self, logits: AnyArray) -> AnyArray:
        """``scipy.special.log_softmax`` over the class axis."""
        return log_softmax(logits)

    def reproducer(self) -> ReproducerParts:
        """A script in plain SciPy, printed from the functions that this adapter runs."""
        parts = super().reproducer()
        return parts._replace(calls={**parts.calls, **{f.__name__: plain_source(f) for f in (softmax, log_softmax)}})


def backend() -> ScipyBackend:
    """The registered backend ``scipy``."""
    setup = "from scipy import special"
    return ScipyBackend(
        **vars(library_loss("scipy", losses, CAPABILITIES, libraries=("scipy",), setup=setup, checked=True))
    )
