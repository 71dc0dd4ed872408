"""Reads from the signature of a callable which options it takes.

A parameter named ``weight``, ``ignore_index``, ``label_smoothing`` or ``reduction`` is a claim, a missing one is not.
An option without a default, or whose default has an effect, is always passed, with a neutral value if it is not used.
Under another name, such as ``smoothing``, it is claimed if a trial shows that another value has an effect.
An object such as an instance of ``torch.nn.CrossEntropyLoss`` may have an option as an attribute: the label that it
ignores is a claim, class weights and smoothing are an error, because no call is without them. Options that only
``**kwargs`` takes, and those of a callable whose signature Python cannot read, are claimed if a trial shows that they
have an effect.

Options of language models are claimed if the signature names one, with a default that has no effect, and a trial shows
that another value has one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from xent_backends.validation import DEFAULT_IGNORE_INDEX, REDUCTIONS

OPTIONS = ("weight", "ignore_index", "reduction", "label_smoothing")
#: The options of language models.
EXTRAS = ("divisor", "lse_square_scale", "logit_scale", "softcap")
#: The names of each option in libraries; the first one that a signature has counts. Where there are names of class
#: weights and ``weight``, the latter has weights of rows.
NAMES: Mapping[str, tuple[str, ...]] = {
    "weight": ("class_weight", "class_weights", "cls_weight", "cls_weights", "weight"),
    "ignore_index": (
        *("ignore_index", "ignore_idx", "ignored_index", "ignore_label", "ignore_id", "ignore_class"),
        *("padding_idx", "pad_idx", "pad_id", "pad_token_id"),
    ),
    "reduction": ("reduction",),
    "label_smoothing": ("label_smoothing", "smoothing", "label_smooth", "smoothing_factor", "epsilon", "eps"),
    "divisor": ("divisor", "num_items_in_batch", "n_items"),
    "lse_square_scale": ("lse_square_scale", "z_loss_weight", "z_loss"),
    "logit_scale": ("logit_scale", "logit_scaling"),
    "softcap": ("softcap", "logit_softcapping", "logit_softcap", "final_logit_softcapping"),
}
#: Names of smoothing that are also those of a small number which avoids a division by zero, or of another term.
AMBIGUOUS = ("epsilon", "eps")
#: Defaults of a parameter of such a name, from least to largest, that can be meant as smoothing.
USUAL_SMOOTHING = (0.01, 0.5)
#: A parameter that says whether the scores are logits; in other libraries, whether they are logarithms already.
FROM_LOGITS = "from_logits"
#: Parameters that have no effect by default, in torch and in layers, or that are passed for another reason.
IRRELEVANT = ("size_average", "reduce", "name", "dim", "axis", FROM_LOGITS)
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
        from_logits: The default of its parameter ``from_logits``; None if it has none.
    """

    options: frozenset[str]
    default_ignore_index: int | None
    required: tuple[tuple[str, Any], ...] = ()
    unnamed: frozenset[str] = frozenset()
    only_reduction: str = "mean"
    renamed: tuple[tuple[str, str], ...] = ()
    other: tuple[tuple[str, str], ...] = ()
    from_logits: bool | None = None

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

    def always(self, name: str, value: Any) -> Signature:
        """The signature with another argument that every call passes."""
        return replace(self, required=(*self.required, (name, value)))

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
    named = _named(by_keyword)
    options = frozenset((*OPTIONS, *named) if everything else named)
    missing = {option for option, name in named.items() if by_keyword[name].default is inspect.Parameter.empty}
    always = missing.union(
        option for option in OF_EVERY_CALL if option in named and not _is_off(option, by_keyword[named[option]].default)
    )
    required = tuple((option, value) for option, value in NEUTRAL.items() if option in always)
    sentinel: Any
    if "ignore_index" in options:
        sentinel = by_keyword[named["ignore_index"]].default if "ignore_index" in named else DEFAULT_IGNORE_INDEX
    else:
        sentinel = next(_attributes(function, "ignore_index"), ("", None))[1]
    _check_attributes(function, options)
    # If ignore_index is required, our own default is passed in every call, so that label is ignored by default.
    sentinel = dict(required).get("ignore_index", sentinel)
    default = sentinel if isinstance(sentinel, int) and not isinstance(sentinel, bool) else None
    renamed = tuple((option, name) for option, name in named.items() if option != name)
    unnamed = options.difference(named)
    known = {*named.values(), *IRRELEVANT}
    defaults = {n: p.default for n, p in by_keyword.items() if n not in known and p.default is not p.empty}
    other = tuple((name, _text(default)) for name, default in defaults.items())
    flag = by_keyword[FROM_LOGITS].default if FROM_LOGITS in by_keyword else None
    from_logits = flag if isinstance(flag, bool) else None
    return Signature(options, default, required, unnamed, renamed=renamed, other=other, from_logits=from_logits)


def _check_attributes(function: Callable[..., Any], options: frozenset[str]) -> None:
    """Raise ValueError if an object has class weights or smoothing that are no parameters of its calls."""
    held = {n: v for option in OF_EVERY_CALL if option not in options for n, v in _attributes(function, option)}
    # An object may have another weight, such as the matrix of a linear map.
    fixed = {n: v for n, v in held.items() if type(v) in (int, float) or getattr(v, "ndim", 0) == 1}
    if fixed:
        names = " and ".join(f"{name}={v}" if type(v) is float else f"a {name}" for name, v in sorted(fixed.items()))
        kind = type(function).__name__
        raise ValueError(f"the {kind} has {names}, which no call can change: judge the class, or an object without")


def _attributes(function: Callable[..., Any], option: str) -> Iterator[tuple[str, Any]]:
    """The attributes of an object that are an option with an effect, by their names; a class has none."""
    names = () if inspect.isclass(function) else (name for name in NAMES[option] if name not in AMBIGUOUS)
    for name in names:
        value = _attribute(function, name)
        if value is not None and (option not in OF_EVERY_CALL or not _is_off(option, value)):
            yield name, value


def _attribute(function: Callable[..., Any], name: str) -> Any:
    """An attribute of an object; None if there is none, or if it cannot be read."""
    try:
        return getattr(function, name, None)
    except Exception:  # noqa: BLE001 - a property of the user's
        return None


def _named(parameters: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """The options that a callable has, with the callable's name for each."""
    first = {
        option: next((name for name in names if name in parameters and _may_mean(option, parameters[name])), None)
        for option, names in NAMES.items()
    }
    return {option: name for option, name in first.items() if name is not None}


def _may_mean(option: str, parameter: inspect.Parameter) -> bool:
    """Whether a parameter that has one of the names of an option can be it, by its default."""
    default = parameter.default
    if option in EXTRAS:
        return _is_off(option, default)
    if parameter.name not in AMBIGUOUS or default is parameter.empty:
        return True
    least, largest = USUAL_SMOOTHING
    return type(default) in (int, float) and (default == 0 or least <= default <= largest)


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
