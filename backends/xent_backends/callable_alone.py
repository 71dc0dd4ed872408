"""What a bare callable claims that is no loss of logits: softmax, log_softmax, nll_loss, the loss of a linear map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends.callable_attempt import attempted
from xent_backends.callable_batches import FLAT, SPATIAL, UNBATCHED, logits_of, problem_of
from xent_backends.callable_compilation import cost_of
from xent_backends.callable_conventions import conventions_seen
from xent_backends.callable_forms import Form
from xent_backends.callable_signature import Signature
from xent_backends.callable_trial import Trial
from xent_backends.validation import FLOATING
from xent_conformance.interface import Capabilities

AnyArray = npt.NDArray[Any]
Convert = Callable[[AnyArray], Any]
Back = Callable[[Any], AnyArray]
#: What gradients are called where they are left out.
GRADIENT = "gradient"
#: How far from 1 the probabilities of a row may sum to, in the narrowest format.
TOLERANCE = 0.05


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
    """The options that a callable takes, and its claims; ``function`` has the parameters of its form in an adapter."""
    said = ("cross_entropy", f"it is {form.name} by {form.basis}")
    if not form.is_loss:
        claims = _of_softmax(function, form, convert, back, dtypes, pullback)
        return signature, replace(claims, left_out=(said, *claims.left_out))
    linear = form.name == "linear_cross_entropy"
    without = ("weight",) if linear else ("label_smoothing",)
    required = tuple((name, value) for name, value in signature.required if name not in without)
    signature = replace(signature.without(*without), required=required)
    taken = partial(_identity, function, convert) if linear else function
    trial = Trial(taken, signature, convert, back, prepared=_plain if linear else _log_softmax)
    claims = trial.claims(dtypes, expendable=expendable, flat=linear, shares=False)
    # What is said of infinite logits is no matter of a linear map, nor of log-probabilities.
    finite = replace(claims, finite_logits_only=True)
    claims = replace(claims, conventions=conventions_seen(trial, finite, vjp, expendable=expendable))
    if linear:
        claims = _with_bias(function, form, trial, replace(claims, finite_logits_only=True))
    return trial.signature, replace(claims, left_out=(said, *claims.left_out))


def _plain(logits: AnyArray) -> AnyArray:
    return logits


def _log_softmax(logits: AnyArray) -> AnyArray:
    """Log-probabilities of logits, in their dtype."""
    x = logits.astype(np.float64)
    axis = 0 if x.ndim == 1 else 1
    return np.asarray(x - np.log(np.exp(x).sum(axis=axis, keepdims=True))).astype(logits.dtype)


def _identity(function: Callable[..., Any], convert: Convert, logits: Any, target: Any, **options: Any) -> Any:
    """The loss of logits that a linear map leaves as they are."""
    # Every framework spells its dtypes so; traced arrays have no numbers, but a dtype.
    dtype = str(logits.dtype).rpartition(".")[2]
    return function(logits, convert(np.eye(logits.shape[-1]).astype(dtype)), None, target, **options)


def _with_bias(function: Callable[..., Any], form: Form, trial: Trial, claims: Capabilities) -> Capabilities:
    """Claims that say whether a bias is taken."""
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
    """What is refused by an error is left out, each with the reason."""
    left_out: list[tuple[str, str]] = []

    def found_in(logits: AnyArray) -> tuple[AnyArray | None, str | None]:
        return attempted(lambda: np.asarray(back(function(convert(logits)))).astype(np.float64))

    def found(shape: tuple[int, ...], dtype: str) -> tuple[AnyArray | None, str | None]:
        return found_in(logits_of(shape, dtype))

    def kept(what: str, why: str | None) -> bool:
        if why is not None:
            left_out.append((what, why))
        return why is None

    refused = {} if dtypes else {d: why for d in FLOATING if (why := found(FLAT[0], d)[1]) is not None}
    if refused:
        left_out.append((f"logits {', '.join(refused)}", next(iter(refused.values()))))
    claimed = dtypes or tuple(d for d in FLOATING if d not in refused) or ("float32",)
    dtype = "float32" if "float32" in claimed else claimed[0]
    spatial, why = found(SPATIAL[0][0], dtype)
    if spatial is not None and spatial.ndim > 1:
        shares = spatial if form.name == "softmax" else np.exp(spatial)
        on_axis, on_last = (bool((np.abs(shares.sum(axis=axis) - 1) < TOLERANCE).all()) for axis in (1, -1))
        why = "its classes are on the last axis" if on_last and not on_axis else why
    compiling = cost_of(lambda logits, _: found_in(logits), lambda shapes=FLAT: logits_of(shapes[0], dtype), (), "none")
    if pullback is not None:
        # A kernel may have no backward pass, and its result is then no function of the logits to its framework.
        ones, logits = convert(np.ones(FLAT[0], dtype)), convert(logits_of(FLAT[0], dtype))
        kept(GRADIENT, attempted(lambda: pullback(function, ones, logits))[1])
    return Capabilities(
        **compiling.claims,
        logits_dtypes=claimed,
        unbatched=kept("unbatched", found(UNBATCHED[0], dtype)[1]),
        spatial=kept("spatial", why),
        min_classes=1 if kept("a single class", found((2, 1), dtype)[1]) else 2,
        left_out=tuple(left_out),
    )
