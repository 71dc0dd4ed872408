"""Reads from the signature of a callable which options it takes.

A parameter named ``weight``, ``ignore_index``, ``label_smoothing`` or ``reduction`` is a claim, a missing one is not.
An option without a default, or whose default has an effect, is always passed, with a neutral value if it is not used.
An object such as an instance of ``torch.nn.CrossEntropyLoss`` may have an option as an attribute: the label that it
ignores is a claim, class weights and smoothing are an error, because no call is without them. Options that only
``**kwargs`` takes, and those of a callable whose signature Python cannot read, are claimed if a trial shows that they
have an effect.

Options of language models have several names. They are claimed if the signature names one, with a default that has no
effect, and a trial shows that another value has one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from xent_backends.validation import DEFAULT_IGNORE_INDEX, REDUCTIONS

OPTIONS = ("weight", "ignore_index", "reduction", "label_smoothing")
#: The names of each option of language models in libraries; the first one is the suite's.
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "divisor": ("divisor", "num_items_in_batch", "n_items"),
    "lse_square_scale": ("lse_square_scale", "z_loss_weight", "z_loss"),
    "logit_scale": ("logit_scale", "logit_scaling"),
    "softcap": ("softcap", "logit_softcapping", "logit_softcap", "final_logit_softcapping"),
}
#: Parameters that have no effect by default, in torch and in layers, or that are passed as the axis of the classes.
IRRELEVANT = ("size_average", "reduce", "name", "dim", "axis")
#: Longest text of a default, in characters.
LONGEST_DEFAULT = 40


@dataclass(frozen=True)
class Signature:
    """The options that a callable takes by keyword.

    Attributes:
        options: Their names.
        default_ignore_index: The label that it ignores by default; None if there is none.
        required: The options without a default, or whose default has an effect, with their neutral values.
        unnamed: Those of the options that the signature does not name.
        only_reduction: The reduction that a callable without the option ``reduction`` computes.
        renamed: Options that the callable knows by another name, with that name.
        other: Its further parameters with a default, which calls do not pass, and the default of each as text.
    """

    options: frozenset[str]
    default_ignore_index: int | None
    required: tuple[tuple[str, Any], ...] = ()
    unnamed: frozenset[str] = frozenset()
    only_reduction: str = "mean"
    renamed: tuple[tuple[str, str], ...] = ()
    other: tuple[tuple[str, str], ...] = ()

    @property
    def ways(self) -> tuple[dict[str, Any], ...]:
        """The options of first calls: none, and each reduction if that is an option."""
        return ({}, *({"reduction": r} for r in REDUCTIONS if "reduction" in self.options))

    def without(self, *options: str) -> Signature:
        """The signature without some of the options; without ``ignore_index``, no label is ignored by default."""
        default = None if "ignore_index" in options else self.default_ignore_index
        return replace(self, options=self.options.difference(options), default_ignore_index=default)

    def computing(self, reduction: str) -> Signature:
        """The signature with the reduction that a callable without the option computes."""
        return replace(self, only_reduction=reduction)

    def accepted(self, options: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments for a call: the options, those that are required, and no reduction if it is fixed."""
        given = {**dict(self.required), **options}
        if "reduction" not in self.options and given.get("reduction") == self.only_reduction:
            del given["reduction"]
        names = dict(self.renamed)
        return {names.get(name, name): value for name, value in given.items()}


#: Values of options that are always passed, where they are not used.
NEUTRAL: dict[str, Any] = {"weight": None, "ignore_index": DEFAULT_IGNORE_INDEX, "label_smoothing": 0.0}
#: Options that have an effect on every call unless they have these values; ``ignore_index`` has one on some labels.
OF_EVERY_CALL = ("weight", "label_smoothing")


def signature_of(function: Callable[..., Any]) -> Signature:
    """The options that a callable takes according to its signature, or that of its method ``forward`` if it has one.

    Raises ValueError if the callable is an object with class weights or smoothing of its own.
    """
    plain = function if inspect.isclass(function) else getattr(function, "forward", function)
    try:
        parameters = inspect.signature(plain).parameters
    except (TypeError, ValueError):
        return Signature(frozenset(OPTIONS), DEFAULT_IGNORE_INDEX, unnamed=frozenset(OPTIONS))
    by_keyword = {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    everything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    options = frozenset(OPTIONS if everything else (name for name in OPTIONS if name in by_keyword))
    missing = {name for name, parameter in by_keyword.items() if parameter.default is parameter.empty}
    always = missing.union(
        name for name in OF_EVERY_CALL if name in by_keyword and not _is_off(name, by_keyword[name].default)
    )
    required = tuple((name, value) for name, value in NEUTRAL.items() if name in always)
    sentinel: Any
    if "ignore_index" in options:
        sentinel = by_keyword["ignore_index"].default if "ignore_index" in by_keyword else DEFAULT_IGNORE_INDEX
    else:
        sentinel = _attribute(function, "ignore_index")
    _check_attributes(function, options)
    # If ignore_index is required, our own default is passed in every call, so that label is ignored by default.
    sentinel = dict(required).get("ignore_index", sentinel)
    default = sentinel if isinstance(sentinel, int) and not isinstance(sentinel, bool) else None
    extras = _extras(by_keyword)
    renamed = tuple((option, name) for option, name in extras.items() if option != name)
    unnamed = options.difference(by_keyword)
    known = {*OPTIONS, *extras.values(), *IRRELEVANT}
    other = tuple((n, _text(p.default)) for n, p in by_keyword.items() if n not in known and n not in missing)
    return Signature(options.union(extras), default, required, unnamed, renamed=renamed, other=other)


def _check_attributes(function: Callable[..., Any], options: frozenset[str]) -> None:
    """Raise ValueError if an object has class weights or smoothing that are no parameters of its calls."""
    held = {name: _attribute(function, name) for name in OF_EVERY_CALL if name not in options}
    # An object may have another weight, such as the matrix of a linear map.
    fixed = {n: v for n, v in held.items() if not _is_off(n, v) and (n != "weight" or getattr(v, "ndim", 0) == 1)}
    if fixed:
        names = " and ".join(f"{name}={v}" if type(v) is float else f"a {name}" for name, v in sorted(fixed.items()))
        kind = type(function).__name__
        raise ValueError(f"the {kind} has {names}, which no call can change: judge the class, or an object without")


def _attribute(function: Callable[..., Any], name: str) -> Any:
    """An attribute of an object; None for a class, or if there is none, or if it cannot be read."""
    if inspect.isclass(function):
        return None
    try:
        return getattr(function, name, None)
    except Exception:  # noqa: BLE001 - a property of the user's
        return None


def _extras(parameters: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """The options of language models that a callable has, with the callable's name for each."""
    named = {}
    for option, names in EXTRAS.items():
        present = (name for name in names if name in parameters and _is_off(option, parameters[name].default))
        if (name := next(present, None)) is not None:
            named[option] = name
    return named


def _is_off(option: str, default: Any) -> bool:
    """Whether a default, or an attribute, has no effect: None, zero, or for a scale one."""
    neutral = (0, 1) if option == "logit_scale" else (0,)
    return default is None or (type(default) in (int, float) and default in neutral)


def _text(default: Any) -> str:
    """A default as in the signature; of anything but a short constant only the class, which is the same in every run.

    >>> _text(0.1), _text("mean"), _text(print)
    ('0.1', "'mean'", '<builtin_function_or_method>')
    """
    plain = type(default) in (type(None), bool, int, float, str)
    text = repr(default) if plain else ""
    return text if plain and text.isprintable() and len(text) <= LONGEST_DEFAULT else f"<{type(default).__name__}>"
