"""Determines which function a callable is: cross_entropy, linear_cross_entropy, softmax, log_softmax or nll_loss.

The first of these that applies decides: the user's declaration, the signature, the name, and the result for a small
batch. A callable for which none applies is taken to be cross_entropy.

    (hidden, weight, target, ...)    labels after two or more other arrays: linear_cross_entropy
    (hidden, target, weight, ...)    likewise, if its name says that it is that of a linear map
    (labels, logits, ...)            cross_entropy, with the labels first, as in Keras and TensorFlow
    softmax, log_softmax, nll_loss   by a name that contains these words, and nothing like "cross" or "entropy"; the
                                     first two if nothing else is required, the third if no parameter is named logits
    (logits)                         softmax if all results are above 0, log_softmax otherwise
    (log_probs, target, ...)         nll_loss if the result is the negative input at the label
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends.callables.attempt import attempted
from xent_backends.callables.ranks import RESHAPING, Ranks

#: Functions that a callable can be, by their names in an adapter.
FORMS = ("cross_entropy", "linear_cross_entropy", "softmax", "log_softmax", "nll_loss")
#: Patterns in a name, and the function that each indicates; the first match counts.
NAMES: tuple[tuple[str, str], ...] = (
    (r"nll|negative_?log_?likelihood", "nll_loss"),
    (r"cross|entropy|xent|(^|_)ce($|_)", "cross_entropy"),
    (r"^(?!.*loss).*log_?soft_?max", "log_softmax"),
    (r"^(?!.*loss).*soft_?max", "softmax"),
)
#: Pattern of the name of a linear_cross_entropy, where its signature cannot be read or has the labels before.
LINEAR = r"linear.*(cross|entropy|xent|loss|ce($|_))"
LABELS = frozenset(["target", "targets", "label", "labels", "y", "y_true", "tgt", "index", "indices"])
#: Names of logits after labels. The labels come first only if both names say so.
PREDICTIONS = frozenset(
    ["logits", "logit", "y_pred", "y_hat", "pred", "preds", "prediction", "predictions", "output", "outputs", "scores"]
)
LOG_PROBS = frozenset(["log_probs", "logprobs", "log_prob", "logp", "lprobs", "log_probabilities", "log_p"])
#: Keywords for the axis of the classes.
AXES = ("dim", "axis")
#: Last parts of a dotted path that say nothing about the function; the part before them is its name.
METHODS = ("apply", "forward", "__call__")


@dataclass(frozen=True)
class Form:
    """Which function a callable is, and how its arrays are passed.

    Attributes:
        name: One of FORMS.
        order: For a linear map, the order of its positional arrays: "hidden", "weight", "target", perhaps "bias"; for
            another loss "target", "logits" if its labels come first.
        bias: For a linear map, the keyword of its bias, if that is not positional.
        keywords: For another loss, the arrays that it takes by keyword only, "logits" or "target", with the keywords.
        axis: For softmax and log_softmax, the keyword of the axis of the classes, if there is one.
        ranks: Whether it takes images or sequences, or has the classes last (see ``ranks``).
        items: The number of items of the tuple or list that a loss is returned in, as the first; 0 if it is in none.
        basis: What has decided the name, as in "its signature".
    """

    name: str = "cross_entropy"
    order: tuple[str, ...] = ()
    bias: str | None = None
    keywords: tuple[tuple[str, str], ...] = ()
    axis: str | None = None
    ranks: Ranks = ""
    items: int = 0
    basis: str = ""

    @property
    def is_loss(self) -> bool:
        """Whether it has labels and a reduction."""
        return self.name not in ("softmax", "log_softmax")


def form_of(
    function: Callable[..., Any],
    spec: str,
    convert: Callable[[Any], Any],
    back: Callable[[Any], Any],
    declared: str | None,
) -> Form:
    """Determine which function a callable is.

    Args:
        function: The callable; a class is a layer.
        spec: How the user named it, such as "torch:package.function".
        convert: Makes the callable's arrays from NumPy arrays.
        back: Makes NumPy arrays from the callable's arrays.
        declared: The function that the user declares it to be; None without a declaration.
    """
    parameters, layer = _parameters(function), inspect.isclass(function)
    dotted = spec.partition(":")[2].replace(":", ".").split(".")
    own = next((part for part in reversed(dotted) if part not in METHODS), "").lower()
    ways: dict[str, Callable[[], str | None]] = {
        "the command line": lambda: declared,
        "its signature": lambda: _by_signature(parameters, own),
        "its name": lambda: _by_name(own, parameters) or _by_name(_name_of(function), parameters),
        "its results": lambda: _by_values(attempted(function)[0] if layer else function, parameters, convert, back),
    }
    decided = ((name, basis) for basis, way in ways.items() if (name := way()) is not None)
    name, basis = next(decided, ("cross_entropy", ""))
    if name == "linear_cross_entropy":
        return replace(_linear(parameters), basis=basis)
    if name in ("softmax", "log_softmax"):
        options = _options(function) if layer else parameters
        return Form(name, axis=_axis(function, options, convert, layer=layer), basis=basis)
    order = _labels_first(parameters) if name == "cross_entropy" else ()
    return Form(name, order=order, keywords=_by_keyword(parameters or {}), basis=basis)


def _by_keyword(parameters: Mapping[str, inspect.Parameter]) -> tuple[tuple[str, str], ...]:
    """The arrays of a loss that are parameters by keyword only, as in ``(logits, *, labels)``, with the keywords."""
    needed = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    kinds = {"logits": PREDICTIONS, "target": LABELS}
    found = [(array, name) for array, names in kinds.items() for name in needed if _plain(name) in names]
    # The other array, if there is one, is positional.
    required = [name for name in _positional(parameters) if parameters[name].default is inspect.Parameter.empty]
    once = len(dict(found)) == len(found)
    return tuple(found) if once and len(required) + len(found) == len(kinds) else ()


def _labels_first(parameters: Mapping[str, inspect.Parameter] | None) -> tuple[str, ...]:
    """The order of the arrays of a loss whose first parameter is named as labels and the second as logits."""
    first, second, *_ = [*(_plain(name) for name in _positional(parameters or {})), "", ""]
    return ("target", "logits") if first in LABELS and second in PREDICTIONS else ()


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """Parameters of the function, or of the layer's method, that takes the arrays; None if Python cannot read them."""
    plain = getattr(function, "forward", function)
    if inspect.isclass(function):
        methods = [
            vars(kind)[name] for name in ("forward", "__call__") for kind in function.__mro__ if name in vars(kind)
        ]
        plain = methods[0] if methods else None
    parameters = _options(plain)
    return parameters and dict(list(parameters.items())[inspect.isclass(function) :])


def _options(function: Any) -> Mapping[str, inspect.Parameter] | None:
    """Parameters of a function, or of the constructor of a layer."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None


def _positional(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [name for name, parameter in parameters.items() if parameter.kind in kinds]


def _plain(name: str) -> str:
    return name.strip("_").lower()


def _by_signature(parameters: Mapping[str, inspect.Parameter] | None, own: str) -> str | None:
    names = [_plain(name) for name in _positional(parameters or {})]
    if not names:
        return "linear_cross_entropy" if re.search(LINEAR, own) else None
    labels = next((place for place, name in enumerate(names) if name in LABELS), None)
    if labels is not None and (labels > 1 or (re.search(LINEAR, own) and _needs_matrix(parameters))):
        return "linear_cross_entropy"
    return "nll_loss" if names and names[0] in LOG_PROBS and labels is not None else None


def _needs_matrix(parameters: Mapping[str, inspect.Parameter] | None) -> bool:
    """Whether a parameter without a default is a weight: of a linear map, since class weights can be left out."""
    return any("weight" in _plain(name) for name in _required(parameters or {}))


def _by_name(name: str, parameters: Mapping[str, inspect.Parameter] | None) -> str | None:
    form = next((form for pattern, form in NAMES if re.search(pattern, name)), None)
    if parameters is None:
        return form
    # A loss may be named after what it computes, such as online_softmax(logits, target) or nll(logits, target).
    if form == "nll_loss":
        return None if "logits" in map(_plain, parameters) else form
    alone = len(_required(parameters)) == 1
    return form if alone or form not in ("softmax", "log_softmax") else None


def _required(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Names of the parameters without a default, except that of the axis."""
    needed = [
        p.name for p in parameters.values() if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    return [name for name in needed if name not in AXES]


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(getattr(function, "func", function), "__name__", "")
    return name.lower() if isinstance(name, str) else ""


def _by_values(
    function: Callable[..., Any] | None,
    parameters: Mapping[str, inspect.Parameter] | None,
    convert: Callable[[Any], Any],
    back: Callable[[Any], Any],
) -> str | None:
    """The function indicated by the result for a small batch; None if it indicates none.

    ``function`` is an instance of a class of layers, None if that needs arguments.
    """
    logits, labels = np.array([[0.5, 2.0, -1.0], [1.5, 0.25, 0.75]], np.float32), np.array([1, 2])
    if parameters is None or function is None:
        return None
    named = next((axis for axis in AXES if axis in parameters), None)
    if len(_required(parameters)) == 1:
        result = _answer(lambda: function(convert(logits), **({} if named is None else {named: 1})), back)
        if result is None or result.shape != logits.shape:
            return None
        return "softmax" if (result > 0).all() else "log_softmax"
    if "logits" in parameters:
        return None
    result = _answer(lambda: function(convert(logits), convert(labels)), back)
    losses = -logits[[0, 1], labels].astype(np.float64)
    # For each reduction. These inputs are not log-probabilities, so cross_entropy returns other numbers.
    expected = (losses.mean(), losses.sum(), losses)
    if result is None:
        return None
    negative = any(result.shape == np.shape(e) and np.allclose(result, e, rtol=0.02) for e in expected)
    return "nll_loss" if negative else None


def _answer(call: Callable[[], Any], back: Callable[[Any], Any]) -> npt.NDArray[np.float64] | None:
    value, _ = attempted(call)
    array, _ = attempted(lambda: np.asarray(back(value)).astype(np.float64))
    return None if value is None else array


def _linear(parameters: Mapping[str, inspect.Parameter] | None) -> Form:
    """How the arrays of a linear map are passed: hidden before weight, unless the first parameter is named weight."""
    order = ["hidden", "weight", "target"]
    if parameters is None:
        return Form("linear_cross_entropy", tuple(order))
    names = _positional(parameters)
    plain = [_plain(name) for name in names]
    labels = next((place for place, name in enumerate(plain) if name in LABELS), 2)
    if labels < 2:  # noqa: PLR2004 - hidden and weight before the labels
        first, second = (place for place in range(3) if place != labels)
        names_weight = [place < len(plain) and "weight" in plain[place] for place in (first, second)]
        order = ["weight", "hidden"] if names_weight == [True, False] else ["hidden", "weight"]
        order.insert(labels, "target")
    elif len(plain) > 1 and "weight" in plain[0] and "weight" not in plain[1]:
        order[:2] = ["weight", "hidden"]
    if labels > 2 and "bias" in plain[2]:  # noqa: PLR2004 - hidden, weight and bias before the labels
        return Form("linear_cross_entropy", (*order[:2], "bias", "target"))
    bias = next((name for name, p in parameters.items() if "bias" in name and p.kind is not p.POSITIONAL_ONLY), None)
    return Form("linear_cross_entropy", tuple(order), bias=bias)


def _axis(
    function: Callable[..., Any],
    parameters: Mapping[str, inspect.Parameter] | None,
    convert: Callable[[Any], Any],
    *,
    layer: bool,
) -> str | None:
    """The keyword of softmax for the axis of the classes; None if it has none."""
    if parameters is not None:
        return next((axis for axis in AXES if axis in parameters), None)
    logits = np.zeros((2, 3), np.float32)

    def call(axis: str) -> Any:
        return function(**{axis: 1})(convert(logits)) if layer else function(convert(logits), **{axis: 1})

    return next((axis for axis in AXES if attempted(lambda axis=axis: call(axis))[0] is not None), None)  # type: ignore[misc]


def called(function: Callable[..., Any], form: Form, *, layer: bool) -> Callable[..., Any]:
    """The callable as a function with the parameters of the interface; ``definition_of`` is the same as text."""

    def alone(result: Any) -> Any:
        return result[0] if form.items else result

    def plain(logits: Any, target: Any, **options: Any) -> Any:
        arrays = {"logits": logits, "target": target}
        named = {keyword: arrays.pop(array) for array, keyword in form.keywords}
        given = [arrays[name] for name in form.order or ("logits", "target") if name in arrays]
        return alone(function(**options)(*given, **named) if layer else function(*given, **named, **options))

    def loss(logits: Any, target: Any, **options: Any) -> Any:
        if not form.ranks:
            return plain(logits, target, **options)
        reshape, how = RESHAPING[form.ranks]
        return reshape(lambda *given: plain(*given, **options), logits, target, **how)

    def linear(hidden: Any, weight: Any, bias: Any, target: Any, **options: Any) -> Any:
        arrays = {"hidden": hidden, "weight": weight, "bias": bias, "target": target}
        given = [arrays[name] for name in form.order]
        more = {} if form.bias is None else {form.bias: bias}
        return alone(function(**options)(*given, **more) if layer else function(*given, **more, **options))

    def of_logits(logits: Any) -> Any:
        options = {} if form.axis is None else {form.axis: 0 if logits.ndim == 1 else 1}
        return function(**options)(logits) if layer else function(logits, **options)

    def softmax(logits: Any) -> Any:
        return RESHAPING[form.ranks][0](of_logits, logits) if form.ranks else of_logits(logits)

    return linear if form.name == "linear_cross_entropy" else loss if form.is_loss else softmax


def definition_of(dotted: str, form: Form, options: str, *, layer: bool, one_hot: bool = False) -> str:
    """Python source that defines ``plugged``, the callable with the parameters of the interface.

    Args:
        dotted: The expression for the callable.
        form: Which function it is.
        options: The arguments for the options of a loss, as source.
        layer: Whether it is a class, which is instantiated with the options.
        one_hot: Whether class indices are converted, by a function ``one_hot`` of logits and target.
    """
    passed = {"logits": "logits", "target": "shares" if one_hot else "target"}
    named = ", ".join(f"{keyword}={passed[array]}" for array, keyword in form.keywords)
    arrays = [passed.get(name, name) for name in form.order or passed if name not in dict(form.keywords)]
    given, more = {
        "linear_cross_entropy": (", ".join(form.order), "" if form.bias is None else f"{form.bias}=bias"),
        "nll_loss": ("log_probs, target", ""),
    }.get(form.name, (", ".join(arrays), named) if form.is_loss else ("logits", ""))
    parameters = {
        "linear_cross_entropy": "hidden, weight, bias, target, **options",
        "nll_loss": "log_probs, target, **options",
    }.get(form.name, "logits, target, **options" if form.is_loss else "logits")
    if not form.is_loss:
        options = "" if form.axis is None else f"{form.axis}=0 if logits.ndim == 1 else 1"
    if layer:
        result = f"{dotted}({options})({', '.join(filter(None, (given, more)))})"
    else:
        result = f"{dotted}({', '.join(filter(None, (given, more, options)))})"
    result += "[0]" * bool(form.items)
    if form.ranks:
        reshape, how = RESHAPING[form.ranks]
        further = "".join(f", {name}={value}" for name, value in how.items())
        arrays_of = {"cross_entropy": ", ".join(passed.values()), "nll_loss": "log_probs, target"}
        names = arrays_of.get(form.name, "logits")
        result = f"{reshape.__name__}(lambda {names}: {result}, {names}{further})"
    shares = "    shares = one_hot(logits, target) if target.ndim < logits.ndim else target\n" if one_hot else ""
    return f"def plugged({parameters}):\n{shares}    return {result}"
