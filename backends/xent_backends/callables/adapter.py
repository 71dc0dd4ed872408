"""Adapts a callable with a signature like that of ``torch.nn.functional.cross_entropy`` to the interface of backends.

Its options are read from the signature (``signature``), and trial calls determine what else it supports
(``trial``). A class is a layer, which is instantiated with the options and then called. A callable that
rejects class indices but takes target probabilities gets one-hot rows.
"""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends import validation
from xent_backends.callables.alone import GRADIENT, alone, of_logits, options_of, prepared_for
from xent_backends.callables.attempt import attempted
from xent_backends.callables.conventions import conventions_seen
from xent_backends.callables.forms import Form, called, form_of
from xent_backends.callables.ranks import REMARKS, axis_of, ranks_of
from xent_backends.callables.results import CONTAINER, FURTHER, items_of
from xent_backends.callables.script import access_to, script_of
from xent_backends.callables.signature import Signature, signature_of
from xent_backends.callables.trial import Trial
from xent_backends.source_text import plain_source
from xent_backends.validation import INTEGERS
from xent_conformance.interface import Capabilities


@dataclass(frozen=True)
class Derivatives:
    """The functions by which a framework differentiates; each is None if there is none.

    Attributes:
        vjp: Gradients of a loss, which is its first argument; then as ``cross_entropy_vjp`` of a backend.
        hvp: Second derivatives of a loss, likewise as ``cross_entropy_hvp``.
        pullback: ``pullback(function, cotangent, logits)`` is the gradient of a function of logits.
    """

    vjp: Callable[..., Any] | None = None
    hvp: Callable[..., Any] | None = None
    pullback: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Plugged:
    """A callable adapted to the interface.

    Attributes:
        form: The function that it is (see ``forms``).
        call: The callable with the parameters of that function in an adapter.
        capabilities: What it claims.
        second_order: Whether it can be differentiated twice.
        setup: Lines at the beginning of a script that calls it.
        expression: The expression for ``call`` in that script.
        tried: The result of the trial, pickled, for the argument of ``plugged``.
    """

    form: str
    call: Callable[..., Any]
    capabilities: Capabilities
    second_order: bool
    setup: str
    expression: str
    tried: bytes

    @property
    def differentiable(self) -> bool:
        """Whether it has gradients."""
        return GRADIENT not in dict(self.capabilities.left_out)


@dataclass(frozen=True)
class Tried:
    """The result of the trial of a callable.

    Attributes:
        form: Which function it is.
        signature: The options that it takes.
        distributions: Whether it takes only target probabilities, so that class indices have to be converted.
        capabilities: What it claims.
        second_order: Whether it can be differentiated twice.
    """

    form: Form
    signature: Signature
    distributions: bool
    capabilities: Capabilities
    second_order: bool


@dataclass(frozen=True)
class Arrays:
    """Conversions of a framework's arrays.

    Attributes:
        convert: Makes an array of the framework from a NumPy array.
        back: Makes a NumPy array from an array of the framework.
        one_hot: One-hot rows for logits and class indices, with the shape and dtype of the logits. Its source is part
            of scripts.
        number: Makes an array of a Python float, where the framework takes one for an array; None where it does not.
    """

    convert: Callable[[npt.NDArray[Any]], Any]
    back: Callable[[Any], npt.NDArray[Any]]
    one_hot: Callable[[Any, Any], Any]
    number: Callable[[float], Any] | None = None

    def distributions(self, logits: Any, target: Any) -> Any:
        """The target if it has probabilities, or else one-hot rows; raises what ``validation`` does for bad labels."""
        # All frameworks have "float" in the names of these dtypes. Arrays that are being traced have no values.
        if "float" in str(target.dtype):
            return target
        labels = self.back(target)
        validation.check_target(labels, logits, INTEGERS)
        validation.check_labels(labels.astype(np.int64), logits.shape[validation.class_axis(logits)], None)
        return self.one_hot(logits, target)


def plugged(
    function: Callable[..., Any],
    spec: str,
    arrays: Arrays,
    dtypes: tuple[str, ...] | None,
    derivatives: Derivatives = Derivatives(),
    *,
    expendable: bool = True,
    check: Callable[[], None] = lambda: None,
    tried: bytes | None = None,
    form: str | None = None,
) -> Plugged:
    """Adapt a callable, and determine its claims.

    Args:
        function: The callable, or a class of layers.
        spec: How the user named it, such as "torch:package.function".
        arrays: Conversions of the framework's arrays.
        dtypes: Dtypes of logits that the user has declared, which are not tried; None to try all.
        derivatives: How the framework differentiates.
        expendable: Whether an invalid label affects no more than its own call; if not, as on a GPU, none is tried.
        check: Called before and after each call.
        tried: The result of an earlier trial of the same callable, to avoid another one: every new worker process makes
            the backend again, and the trial would take most of the time for that.
        form: The function that the user declares it to be.
    """
    layer = inspect.isclass(function)
    known: Tried | None = None if tried is None else pickle.loads(tried)  # noqa: S301 - of this backend's own process
    what = _form_of(function, spec, arrays, form, check) if known is None else known.form
    made = _checked(called(function, what, layer=layer), check)

    def plain(*given: Any, **options: Any) -> Any:
        result = made(*given, **options)
        return arrays.number(result) if type(result) is float and arrays.number is not None else result

    if known is None:
        signature = signature_of(function)
        known = _determined(plain, what, signature, arrays, dtypes, derivatives, expendable=expendable)
    result, took = known, _spread(plain, arrays) if known.distributions else plain

    def call(*given: Any, **options: Any) -> Any:
        return took(*given, **result.signature.accepted(options))

    shares = plain_source(arrays.one_hot) if result.distributions else None
    script = script_of(access_to(spec, function), result.form, result.signature, shares, layer=layer)
    return Plugged(
        what.name,
        call if what.is_loss else took,
        result.capabilities,
        result.second_order,
        *script,
        pickle.dumps(result),
    )


def _determined(
    function: Callable[..., Any],
    form: Form,
    signature: Signature,
    arrays: Arrays,
    dtypes: tuple[str, ...] | None,
    derivatives: Derivatives,
    *,
    expendable: bool,
) -> Tried:
    """The result of the trial of a callable of a form, with what it has left out."""
    if form.name == "cross_entropy":
        spread = _spread(function, arrays)
        tried = _tried(function, spread, signature, arrays, dtypes, derivatives, expendable=expendable)
        return _with_remarks(replace(tried, form=form))
    taken, claims = alone(
        *(function, form, signature, arrays.convert, arrays.back, dtypes),
        derivatives.vjp,
        derivatives.pullback,
        expendable=expendable,
    )
    return _with_remarks(Tried(form, taken, False, claims, False))


def logits_dtypes(tried: bytes) -> tuple[str, ...]:
    """The dtypes of logits in the result of an earlier trial, as in ``Plugged.tried``."""
    known: Tried = pickle.loads(tried)  # noqa: S301 - of this backend's own process
    return known.capabilities.logits_dtypes


def _form_of(
    function: Callable[..., Any], spec: str, arrays: Arrays, declared: str | None, check: Callable[[], None]
) -> Form:
    """Which function a callable is, and whether that returns its loss in a tuple or a list."""
    form = form_of(function, spec, arrays.convert, arrays.back, declared)
    layer = inspect.isclass(function)
    if not form.is_loss:
        plain = _checked(called(function, form, layer=layer), check)
        return replace(form, ranks="" if form.axis else axis_of(plain, arrays.convert, arrays.back))
    options = options_of(signature_of(function), form)
    if form.name != "linear_cross_entropy":
        plain = _checked(called(function, form, layer=layer), check)
        form = replace(form, ranks=ranks_of(plain, options, arrays.convert, arrays.back, prepared_for(form)))
    loss = of_logits(called(function, form, layer=layer), form, arrays.convert)
    return replace(form, items=items_of(_checked(loss, check), options, arrays.convert, arrays.back))


def _checked(function: Callable[..., Any], check: Callable[[], None]) -> Callable[..., Any]:
    """A function that calls ``check`` before and after each call."""

    def checked(*given: Any, **options: Any) -> Any:
        check()
        result = function(*given, **options)
        check()
        return result

    return checked


def _with_remarks(tried: Tried) -> Tried:
    """The result of a trial with remarks: which logits are reshaped, which items of the result are not judged, and
    which parameters are options under another name, or none.
    """
    form, claims = tried.form, tried.capabilities
    remarks = [REMARKS[form.ranks]] if form.ranks else []
    if form.items == 1:
        remarks.append((CONTAINER, "it has one item, which is judged as the loss"))
    elif form.items:
        why = f"it returned a tuple or list of {form.items}, whose first item is judged as the loss"
        remarks.append((FURTHER, why))
    if form.name == "cross_entropy" and tried.signature.other:
        names, defaults = zip(*tried.signature.other, strict=True)
        why = f"it is taken for no option, and calls do not pass it: its default {defaults[0]} applies"
        if len(names) > 1:
            applying = ", ".join(defaults)
            why = f"they are taken for no options, and calls do not pass them: their defaults {applying} apply"
        remarks.append((f"parameter{'s' * (len(names) > 1)} {', '.join(names)}", why))
    for option, name in tried.signature.renamed:
        if option in tried.signature.options:
            remarks.append((f"the name {option}", f"the parameter {name} is this option"))
    return replace(tried, capabilities=replace(claims, left_out=(*remarks, *claims.left_out)))


def _spread(plain: Callable[..., Any], arrays: Arrays) -> Callable[..., Any]:
    """A callable that takes target probabilities, as one that also takes class indices."""

    def spread(logits: Any, target: Any, **options: Any) -> Any:
        return plain(logits, arrays.distributions(logits, target), **options)

    return spread


def _tried(
    plain: Callable[..., Any],
    spread: Callable[..., Any],
    found: Signature,
    arrays: Arrays,
    dtypes: tuple[str, ...] | None,
    derivatives: Derivatives,
    *,
    expendable: bool,
) -> Tried:
    """Try a callable: as it is, or with class indices converted if it takes only target probabilities."""
    trial = Trial(plain, found, arrays.convert, arrays.back)
    trial.read_logits()
    refused = trial.distributions_only()
    if refused is not None:
        trial = Trial(spread, trial.signature.without("ignore_index"), arrays.convert, arrays.back)
        trial.left_out.append(("class indices", f"{refused}; they are given as distributions"))
        if "ignore_index" in found.options - found.unnamed:
            trial.left_out.append(("ignore_index", "class indices are given as distributions"))
    capabilities = trial.claims(dtypes, expendable=expendable, distributions=refused is not None)
    conventions = conventions_seen(trial, capabilities, derivatives.vjp, expendable=expendable)
    capabilities = replace(capabilities, conventions=conventions)
    signature = trial.signature

    def call(logits: Any, target: Any, **options: Any) -> Any:
        return trial.function(logits, target, **signature.accepted(options))

    hvp = derivatives.hvp
    refusal = None if hvp is None else _refusal_of_hvp(partial(hvp, call), capabilities, arrays)
    if refusal is not None:
        left_out = (*capabilities.left_out, ("second derivatives", refusal))
        capabilities = replace(capabilities, left_out=left_out)
    return Tried(Form(), signature, refused is not None, capabilities, hvp is not None and refusal is None)


def _refusal_of_hvp(hvp: Callable[..., Any], capabilities: Capabilities, arrays: Arrays) -> str | None:
    """Why second derivatives are rejected, or None. Fused kernels usually do not have them, and raise an exception."""
    first = None
    for reduction in reversed(capabilities.reductions):
        shapes = (2, 3), (2,) if reduction == "none" else (), (2, 3)
        vector, cotangent, logits = (arrays.convert(np.ones(s, capabilities.logits_dtypes[0])) for s in shapes)
        target, how = arrays.convert(np.zeros(2, np.int64)), {"reduction": reduction}
        _, refusal = attempted(partial(hvp, vector, cotangent, logits, target, **how))
        if refusal is None:
            return None
        first = first or refusal
    return first


def backend_name(spec: str) -> str:
    """A spec as the name of a backend: characters that names cannot have are replaced by hyphens.

    A callable in a file is named as one of the module of that name would be.
    """
    framework, _, path = spec.partition(":")
    *_, place = path.replace(".py:", ".").rpartition("/") if ".py:" in path else ("", path)
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{framework}:{place}")
