"""Claims of a callable that is not a loss of logits: softmax, log_softmax, nll_loss, or the loss of a linear map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends.callables.attempt import LeftOut, attempted
from xent_backends.callables.batches import FLAT, SPATIAL, UNBATCHED, Shapes, logits_of, problem_of
from xent_backends.callables.compilation import cost_of
from xent_backends.callables.conventions import conventions_of_softmax, conventions_seen
from xent_backends.callables.forms import Form
from xent_backends.callables.limits import limits_of
from xent_backends.callables.signature import EXTRAS, Signature
from xent_backends.callables.trial import Trial
from xent_backends.validation import FLOATING
from xent_conformance.conventions import Conventions
from xent_conformance.interface import Capabilities

AnyArray = npt.NDArray[Any]
Convert = Callable[[AnyArray], Any]
Back = Callable[[Any], AnyArray]
#: The name of gradients in ``Capabilities.left_out``.
GRADIENT = "gradient"


def alone(
    function: Callable[..., Any],
    form: Form,
    signature: Signature,
    convert: Convert,
    back: Back,
    dtypes: tuple[str, ...] | None,
    vjp: Callable[..., Any] | None,
    pullback: Callable[..., Any] | None,
    *,
    expendable: bool,
) -> tuple[Signature, Capabilities]:
    """Determine the signature and the claims of a callable by trial calls.

    Args:
        function: The callable, wrapped to have the parameters that its form has in an adapter.
        form: Which function it is; not "cross_entropy".
        signature: The options that its Python signature has.
        convert: Makes the callable's arrays from NumPy arrays.
        back: Makes NumPy arrays from the callable's arrays.
        dtypes: Dtypes of logits that the user has declared, which are not tried; None to try all.
        vjp: Differentiates a loss; None without gradients.
        pullback: Differentiates a function of logits; None without gradients.
        expendable: Whether an invalid label affects no more than its own call.

    Returns:
        The options that it takes, and its claims; whatever it rejects is in ``left_out`` with the reason.
    """
    no_loss_of_logits = ("cross_entropy", f"it is {form.name} by {form.basis}")
    if not form.is_loss:
        claims = _of_softmax(function, form, convert, back, dtypes, pullback)
        return signature, replace(claims, left_out=(no_loss_of_logits, *claims.left_out))
    linear = form.name == "linear_cross_entropy"
    signature = options_of(signature, form)
    taken = of_logits(function, form, convert)
    trial = Trial(taken, signature, convert, back, prepared=prepared_for(form))
    claims = trial.claims(dtypes, expendable=expendable, flat=linear, shares=False)
    # The conventions about infinite logits do not apply to a linear map or to log-probabilities.
    finite = replace(claims, finite_logits_only=True)
    claims = replace(claims, conventions=conventions_seen(trial, finite, vjp, expendable=expendable))
    if linear:
        claims = _with_bias(function, form, trial, replace(claims, finite_logits_only=True))
    return trial.signature, replace(claims, left_out=(no_loss_of_logits, *claims.left_out))


def options_of(signature: Signature, form: Form) -> Signature:
    """The signature without the names that are no options of this form, such as the weight of a linear map."""
    if form.name == "cross_entropy":
        return signature
    linear = form.name == "linear_cross_entropy"
    taken = signature.without("weight" if linear else "label_smoothing", *EXTRAS)
    # An option without a default is still passed, with its neutral value. The weight of a linear map is an array.
    matrix = linear and "weight" not in dict(signature.renamed)
    return replace(taken, required=tuple(item for item in taken.required if not (matrix and item[0] == "weight")))


def of_logits(function: Callable[..., Any], form: Form, convert: Convert) -> Callable[..., Any]:
    """A loss as one of two arrays, logits and target: that of a linear map gets the identity matrix as its weight."""
    return partial(_identity, function, convert) if form.name == "linear_cross_entropy" else function


def prepared_for(form: Form) -> Callable[[AnyArray], AnyArray]:
    """The function that makes the input of a loss, such as log-probabilities, from logits."""
    return _log_softmax if form.name == "nll_loss" else _plain


def _plain(logits: AnyArray) -> AnyArray:
    return logits


def _log_softmax(logits: AnyArray) -> AnyArray:
    """Log-probabilities of logits, in the same dtype."""
    x = logits.astype(np.float64)
    axis = 0 if x.ndim == 1 else 1
    return np.asarray(x - np.log(np.exp(x).sum(axis=axis, keepdims=True))).astype(logits.dtype)


def _identity(function: Callable[..., Any], convert: Convert, logits: Any, target: Any, **options: Any) -> Any:
    """The loss of a linear map whose weight is the identity matrix, as a loss of logits."""
    # All frameworks end the name of a dtype like this. Arrays that are being traced have a dtype but no values.
    dtype = str(logits.dtype).rpartition(".")[2]
    return function(logits, convert(np.eye(logits.shape[-1]).astype(dtype)), None, target, **options)


def _with_bias(function: Callable[..., Any], form: Form, trial: Trial, claims: Capabilities) -> Capabilities:
    """The claims with ``linear_bias`` determined by a trial call."""
    if form.bias is None and "bias" not in form.order:
        return replace(claims, linear_bias=False)
    logits, target = problem_of(trial.dtype)
    arrays = logits, np.eye(3).astype(trial.dtype), np.ones(3).astype(trial.dtype), target
    options = trial.signature.accepted({"reduction": claims.reductions[0]})
    _, why = attempted(lambda: function(*map(trial.convert, arrays), **options))
    left_out = claims.left_out if why is None else (*claims.left_out, ("linear_bias", why))
    return replace(claims, linear_bias=why is None, left_out=left_out)


def _of_softmax(
    function: Callable[..., Any],
    form: Form,
    convert: Convert,
    back: Back,
    dtypes: tuple[str, ...] | None,
    pullback: Callable[..., Any] | None,
) -> Capabilities:
    """The claims of softmax or log_softmax: everything that it does not reject with an error."""
    left_out = LeftOut()

    def result_of(logits: AnyArray) -> tuple[AnyArray | None, str | None]:
        return attempted(lambda: np.asarray(back(function(convert(logits)))).astype(np.float64))

    def result(shape: tuple[int, ...], dtype: str) -> tuple[AnyArray | None, str | None]:
        return result_of(logits_of(shape, dtype))

    def of_row(logits: list[float]) -> AnyArray | None:
        value, _ = result_of(np.array([logits]).astype(dtype))
        return None if value is None or value.shape != (1, len(logits)) else value[0]

    claimed = dtypes or left_out.accepted("logits", {d: result(FLAT[0], d)[1] for d in FLOATING}, "float32")
    dtype = "float32" if "float32" in claimed else claimed[0]
    masked = logits_of(FLAT[0], dtype)
    masked[:, -1] = -np.inf
    refused = result_of(masked)[1] if result(FLAT[0], dtype)[1] is None else None
    seen = conventions_of_softmax(of_row, logarithm=form.name == "log_softmax") if refused is None else Conventions()
    drawn = partial(_logits_in, dtype)
    compiling = cost_of(lambda logits, _: result_of(logits), drawn, (), ("none",), labels=())
    limits = limits_of(lambda shapes: result(shapes[0], dtype)[0] is not None, compiled=compiling.shape > 0)
    if pullback is not None:
        # A kernel without a backward pass returns a result that its framework does not connect to the logits.
        ones, logits = convert(np.ones(FLAT[0], dtype)), convert(logits_of(FLAT[0], dtype))
        left_out.claimed_unless(attempted(lambda: pullback(function, ones, logits))[1], GRADIENT)
    return Capabilities(
        **compiling.claims,
        **limits.claims,
        logits_dtypes=claimed,
        unbatched=left_out.claimed_unless(result(UNBATCHED[0], dtype)[1], "unbatched"),
        spatial=left_out.claimed_unless(result(SPATIAL[0][0], dtype)[1], "spatial"),
        min_classes=1 if left_out.claimed_unless(result((2, 1), dtype)[1], "a single class") else 2,
        conventions=seen,
        finite_logits_only=not left_out.claimed_unless(refused, "infinite logits"),
        left_out=(*left_out, *limits.left_out),
    )


def _logits_in(dtype: str, shapes: Shapes = FLAT) -> AnyArray:
    return logits_of(shapes[0], dtype)
