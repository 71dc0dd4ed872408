"""Adapter for autograd: the loss by its ``logsumexp``, the way its examples write one, and its gradients."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Conventions, Precision

try:
    import autograd
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp
except ImportError as error:
    raise unavailable("autograd", error) from error

from xent_backends.numpy_library import NumpyLoss, library_loss
from xent_backends.validation import INTEGERS

AnyArray = npt.NDArray[Any]

CAPABILITIES = Capabilities(
    logits_dtypes=("float32", "float64"),
    target_dtypes=INTEGERS,
    # There is no loss, and NumPy counts negative labels from the end.
    validation="adapter",
    precision=Precision(form="B"),
    # SciPy's logsumexp of a row with +inf is inf: nan at the +inf, inf elsewhere.
    conventions=Conventions(infinite_row="not_finite"),
)


def loss(logits: Any, target: AnyArray, reduction: str = "mean") -> Any:
    """Losses of class indices, or their sum or mean."""
    losses = logsumexp(logits, axis=1) - logits[anp.arange(len(target)), target.astype(int)]
    return losses if reduction == "none" else anp.sum(losses) if reduction == "sum" else anp.mean(losses)


def gradients(
    cotangent: AnyArray, logits: AnyArray, target: AnyArray, reduction: str = "mean"
) -> tuple[AnyArray, AnyArray]:
    """Loss and gradient of the logits."""
    pull, value = autograd.make_vjp(lambda x: loss(x, target, reduction))(logits)
    return value, pull(cotangent)


def backend() -> NumpyLoss:
    """The registered backend ``autograd``."""
    setup = "import autograd\nimport autograd.numpy as anp\nfrom autograd.scipy.special import logsumexp"
    return library_loss(
        "autograd",
        loss,
        CAPABILITIES,
        libraries=("autograd", "scipy"),
        setup=setup,
        gradients=gradients,
        checked=True,
    )
