"""Adapter for scikit-learn: the multinomial loss that LogisticRegression and HistGradientBoostingClassifier minimise.

``sklearn.metrics.log_loss`` takes probabilities instead of logits, and clips them: it is no cross-entropy of logits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Precision

try:
    from sklearn._loss import HalfMultinomialLoss
except ImportError as error:
    raise unavailable("scikit-learn", error) from error

from xent_backends.numpy_library import NumpyLoss, library_loss
from xent_backends.validation import INTEGERS

AnyArray = npt.NDArray[Any]

CAPABILITIES = Capabilities(
    logits_dtypes=("float32", "float64"),
    target_dtypes=INTEGERS,
    reductions=("none", "mean"),
    # Its solvers refuse features that are not finite, before there are any logits.
    finite_logits_only=True,
    # A column of logits is taken for those of two classes.
    min_classes=2,
    # Its solvers encode the labels before.
    validation="adapter",
    # log(sum) + max - x_t.
    precision=Precision(form="B"),
)


def loss(logits: AnyArray, target: AnyArray, reduction: str = "mean") -> AnyArray:
    """Losses of the rows, or what the loss gives when it is called: their average."""
    half = HalfMultinomialLoss(n_classes=logits.shape[1])
    labels, rows = target.astype(logits.dtype), np.ascontiguousarray(logits)
    losses = half.loss(labels, rows) if reduction == "none" else half(labels, rows)
    return np.asarray(losses, logits.dtype)


def gradients(
    cotangent: AnyArray, logits: AnyArray, target: AnyArray, reduction: str = "mean"
) -> tuple[AnyArray, AnyArray]:
    """Loss, and the gradient of the rows' losses, which are weighted by the cotangent."""
    half = HalfMultinomialLoss(n_classes=logits.shape[1])
    labels, rows = target.astype(logits.dtype), np.ascontiguousarray(logits)
    shares = np.broadcast_to(cotangent if reduction == "none" else cotangent / len(rows), len(rows))
    shares = np.ascontiguousarray(shares, logits.dtype)
    return loss(logits, target, reduction), half.gradient(labels, rows, sample_weight=shares)


def backend() -> NumpyLoss:
    """The registered backend ``scikit-learn``."""
    setup = "from sklearn._loss import HalfMultinomialLoss"
    return library_loss(
        "scikit-learn",
        loss,
        CAPABILITIES,
        libraries=("scikit-learn",),
        setup=setup,
        gradients=gradients,
        checked=True,
    )
