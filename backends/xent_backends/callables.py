"""A bare callable with the signature of ``torch.nn.functional.cross_entropy``, made fit to be judged.

Its options are read off the signature (``callable_signature``), and all else that it claims is tried; what it refuses
is left out and said (``callable_trial``). A class is a layer: it is built from the options and then called. A callable
that refuses class indices but takes distributions is given the distribution that has all on the class.
"""

from __future__ import annotations

import inspect
import pickle
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends import validation
from xent_backends.callable_alone import GRADIENT, alone
from xent_backends.callable_attempt import attempted
from xent_backends.callable_conventions import conventions_seen
from xent_backends.callable_forms import Form, called, definition_of, form_of
from xent_backends.callable_signature import Signature, signature_of
from xent_backends.callable_trial import Trial
from xent_backends.definitions import definition
from xent_backends.source_text import joined, plain_source
from xent_backends.validation import INTEGERS
from xent_conformance.interface import Capabilities


@dataclass(frozen=True)
class Derivatives:
    """How a framework differentiates; None: it does not.

    ``vjp`` and ``hvp`` differentiate a loss once and twice, as ``cross_entropy_vjp`` and ``cross_entropy_hvp`` of a
    backend do; ``pullback(function, cotangent, logits)`` is the gradient of a function of logits alone.
    """

    vjp: Callable[..., Any] | None = None
    hvp: Callable[..., Any] | None = None
    pullback: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Plugged:
    """A callable made fit: ``call`` takes what the suite passes, ``setup`` and ``expression`` are its script's.

    ``form`` is the function that it is (see ``callable_forms``).
    ``second_order``: it has been differentiated twice. ``tried`` is what the trial came to, for ``plugged``.
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
        """Whether gradients have not been refused."""
        return GRADIENT not in dict(self.capabilities.left_out)


@dataclass(frozen=True)
class Tried:
    """What the trial of a callable came to. ``distributions``: that is all it takes, class indices are converted."""

    form: Form
    signature: Signature
    distributions: bool
    capabilities: Capabilities
    second_order: bool


@dataclass(frozen=True)
class Arrays:
    """The arrays of a framework: ``convert`` makes them of NumPy's, ``back`` the other way round.

    ``one_hot`` of logits and class indices is the distributions of the rows, shaped and typed like the logits; scripts
    print it.
    """

    convert: Callable[[npt.NDArray[Any]], Any]
    back: Callable[[Any], npt.NDArray[Any]]
    one_hot: Callable[[Any, Any], Any]

    def distributions(self, logits: Any, target: Any) -> Any:
        """The target, as distributions if it is class indices; raises as ``validation`` does."""
        # Every framework spells them so; probabilities may be traced, and then have no numbers.
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
    """A callable with what it claims, by signature and by trial. Logits dtypes that the user names go untried.

    ``tried`` is what an earlier trial of the same callable came to: it is not tried again then. Each new process of a
    backend makes it anew, and a trial takes ten times as long as all else that it does.

    Where an invalid label would end more than its call, as on a GPU, it is not ``expendable``, and nothing is tried
    with one. ``check`` is called before each call and after it. ``form`` is what the user says that it is.
    """
    layer = inspect.isclass(function)
    known: Tried | None = None if tried is None else pickle.loads(tried)  # noqa: S301 - of this backend's own process
    what = form_of(function, spec, arrays.convert, arrays.back, form) if known is None else known.form
    made = called(function, what, layer=layer)

    def plain(*given: Any, **options: Any) -> Any:
        check()
        result = made(*given, **options)
        check()
        return result

    if known is None:
        if what.name == "cross_entropy":
            spread = _spread(plain, arrays)
            known = _tried(plain, spread, signature_of(function), arrays, dtypes, derivatives, expendable=expendable)
        else:
            signature, claims = alone(
                *(plain, what, signature_of(function), arrays.convert, arrays.back, dtypes),
                derivatives.vjp,
                derivatives.pullback,
                expendable=expendable,
            )
            known = Tried(what, signature, False, claims, False)
    result, took = known, _spread(plain, arrays) if known.distributions else plain

    def call(*given: Any, **options: Any) -> Any:
        return took(*given, **result.signature.accepted(options))

    shares = plain_source(arrays.one_hot) if result.distributions else None
    script = _script(_access(spec, function), result, shares, layer=layer)
    return Plugged(
        what.name,
        call if what.is_loss else took,
        result.capabilities,
        result.second_order,
        *script,
        pickle.dumps(result),
    )


def logits_dtypes(tried: bytes) -> tuple[str, ...]:
    """Dtypes of logits that an earlier trial came to, as ``Plugged.tried`` has it."""
    known: Tried = pickle.loads(tried)  # noqa: S301 - of this backend's own process
    return known.capabilities.logits_dtypes


def _spread(plain: Callable[..., Any], arrays: Arrays) -> Callable[..., Any]:
    """A callable of distributions, as one of class indices."""

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
    """What a trial comes to: of the callable as it is, or given distributions where it takes nothing else."""
    trial = Trial(plain, found, arrays.convert, arrays.back)
    refused = trial.distributions_only()
    if refused is not None:
        trial = Trial(spread, found.without("ignore_index"), arrays.convert, arrays.back)
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
    """Why second derivatives are refused; None: they are not. A fused kernel usually has none, and says so."""
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


def _script(access: tuple[str, str], tried: Tried, one_hot: str | None, *, layer: bool) -> tuple[str, str]:
    """Setup and expression of a script's callable; ``one_hot`` is how distributions are made of labels, where it must.

    ``access``: the lines by which a script gets at the callable, and what it calls it there. A callable that takes all
    that the suite passes stands for itself.
    """
    (line, dotted), signature, form = access, tried.signature, tried.form
    plain = form.name == "cross_entropy" or (form.is_loss and not form.order) or (not form.is_loss and not form.axis)
    if plain and not (layer or one_hot or signature.required) and "reduction" in signature.options:
        return line, dotted
    options = "options" if not signature.required else f"{{**{dict(signature.required)}, **options}}"
    if "reduction" not in signature.options:
        options = f"{{k: v for k, v in {options}.items() if k != 'reduction'}}"
    definition = definition_of(dotted, form, f"**{options}", layer=layer)
    if one_hot is None:
        return joined(line, definition), "plugged"
    head, _, body = definition.partition("\n")
    body = body.replace("(logits, target", "(logits, shares")
    shares = "    shares = one_hot(logits, target) if target.ndim < logits.ndim else target"
    return joined(line, one_hot, f"{head}\n{shares}\n{body}"), "plugged"


def _access(spec: str, function: Callable[..., Any]) -> tuple[str, str]:
    """How a script gets at a callable, and what it calls it: by its import path, or as an object by its definition."""
    _, _, name = spec.partition(":")
    return (definition(function, name), name) if name.isidentifier() else import_line(spec)


def backend_name(spec: str) -> str:
    """The spec with every character that a backend's name cannot have replaced by a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", spec)


def import_line(spec: str) -> tuple[str, str]:
    """The line that imports the callable of a spec such as "torch:package.module.function", and its dotted name."""
    dotted = spec.partition(":")[2] or spec
    dotted = dotted.replace(":", ".")
    parts = dotted.split(".")
    loaded = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    module = next((name for name in loaded if name in sys.modules), ".".join(parts[:-1]) or dotted)
    return f"import {module}", dotted
