"""Checking the name, claims and methods of a backend before any call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from xent_conformance.calling.foreign import printable
from xent_conformance.conventions import ASSUMED, BEHAVIOUR, COMMAND_LINE, QUESTIONS, Conventions
from xent_conformance.formats import FLOATING, INTEGER
from xent_conformance.interface import Backend, Capabilities, Precision
from xent_conformance.problem import REDUCTIONS

#: Methods of which each backend has at least one, in the order of preference for the first call.
FUNCTIONS = (
    *("cross_entropy", "linear_cross_entropy", "log_softmax", "softmax", "nll_loss"),
    *("token_log_probs", "logsumexp", "entropy"),
)
#: Those that a bare callable can be.
OF_CALLABLES = FUNCTIONS[:5]
#: Methods that need another one.
DERIVATIVES = {
    "cross_entropy_vjp": "cross_entropy",
    "cross_entropy_hvp": "cross_entropy",
    "cross_entropy_layer": "cross_entropy",
    "linear_cross_entropy_vjp": "linear_cross_entropy",
    "softmax_vjp": "softmax",
    "log_softmax_vjp": "log_softmax",
    "logsumexp_vjp": "logsumexp",
    "token_log_probs_vjp": "token_log_probs",
    "entropy_vjp": "entropy",
}
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
#: A URL that a page can link to.
URL = re.compile(r"https?://[^\s/]+\S*")
#: Fields of Capabilities that are tuples, with the values that each may contain, once.
LISTED = {"logits_dtypes": FLOATING, "target_dtypes": INTEGER, "reductions": REDUCTIONS}
#: Those that may also be empty.
OPTIONAL = {"probability_dtypes": FLOATING, "weight_dtypes": FLOATING}
#: Fields of Capabilities that are not plain values.
STRUCTURED = (*LISTED, *OPTIONAL, "precision", "conventions", "left_out")
#: Types of the fields of claims. They are resolved here, once for all processes that are forked from one that has
#: imported this: it takes as long as all else that is checked.
TYPES = {kind: get_type_hints(kind) for kind in (Capabilities, Conventions, Precision)}
#: Most entries of ``left_out``.
MOST_LEFT_OUT = 100
#: Most characters of a wrong value in a message.
SHOWN = 200
#: Most characters of a text of a backend: the URL of a convention's documentation, the reason of a claim left out.
LONGEST_TEXT = 2000


def complaint(backend: Backend) -> str | None:
    """What is wrong with a backend's name, claims or methods; None if nothing is."""
    if not any(hasattr(backend, part) for part in ("name", "capabilities", *FUNCTIONS)):
        return (
            f"an object of type {type(backend).__name__} is not an adapter: it has no name, no capabilities and no"
            " cross_entropy; `xent new my_backend.py` writes an example"
        )
    name = getattr(backend, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return (
            f"name must have at most 100 letters, digits, '_', '.' and '-', the last two not first, not {_shown(name)}"
        )
    claims = getattr(backend, "capabilities", None)
    if not isinstance(claims, Capabilities):
        return f"capabilities must be a xent_conformance.interface.Capabilities, not {_shown(claims)}"
    methods = {name for name in (*FUNCTIONS, *DERIVATIVES) if callable(getattr(backend, name, None))}
    if methods.isdisjoint(FUNCTIONS):
        return f"it has no method cross_entropy(logits, target, **options), nor any of {', '.join(FUNCTIONS[1:])}"
    for derivative, function in DERIVATIVES.items():
        if derivative in methods and function not in methods:
            return f"it has {derivative}, but no {function}"
    return _of_claims(claims)


def _of_claims(claims: Capabilities) -> str | None:
    return _of_lists(claims) or _of_values(claims) or _of_precision(claims) or _of_conventions(claims.conventions)


def _of_lists(claims: Capabilities) -> str | None:
    for field, known in {**LISTED, **OPTIONAL}.items():
        values, least = getattr(claims, field), int(field in LISTED)
        if (
            not isinstance(values, tuple)
            or not least <= len(values) <= len(known)
            or not all(v in known for v in values)
        ):
            return f"capabilities.{field} must be a tuple of {', '.join(known)}, not {_shown(values)}"
        if len(set(values)) < len(values):
            return f"capabilities.{field} must not contain duplicates, as in {_shown(values)}"
    return None


def _of_values(claims: Capabilities) -> str | None:
    default, choices = Capabilities(), TYPES[Capabilities]
    for name in (f.name for f in fields(Capabilities) if f.name not in STRUCTURED):
        value = getattr(claims, name)
        if get_origin(choices[name]) is Literal and value not in get_args(choices[name]):
            return f"capabilities.{name} must be one of {', '.join(get_args(choices[name]))}, not {_shown(value)}"
        if not _plain(value, getattr(default, name)):
            return f"capabilities.{name} must be like {getattr(default, name)!r}, not {_shown(value)}"
    left_out = claims.left_out
    if type(left_out) is not tuple or len(left_out) > MOST_LEFT_OUT or not all(map(_named, left_out)):
        return f"capabilities.left_out must be pairs of short printable strings, not {_shown(left_out)}"
    return _of_limits(claims)


def _of_limits(claims: Capabilities) -> str | None:
    for name in ("max_classes", "max_rows"):
        most = getattr(claims, name)
        if most is not None and most < 1:
            return f"capabilities.{name} must be 1 or more, or None, not {most}"
    if claims.min_classes < 1 or claims.min_classes > (claims.max_classes or claims.min_classes):
        return f"capabilities.min_classes must be 1 or more, and at most max_classes, not {claims.min_classes}"
    if not 0 < claims.max_label_smoothing <= 1:
        return f"capabilities.max_label_smoothing must be above 0 and at most 1, not {claims.max_label_smoothing}"
    sentinel = claims.default_ignore_index
    if sentinel is not None and not -(2**63) <= sentinel < 2**63:
        return f"capabilities.default_ignore_index must be an int64, or None, not {_shown(sentinel)}"
    return None


def _of_precision(claims: Capabilities) -> str | None:
    declared = claims.precision
    if isinstance(declared, Mapping) and (odd := [d for d in declared if d not in FLOATING]):
        return f"capabilities.precision must have dtypes as keys, {', '.join(FLOATING)}, not {_shown(odd)}"
    for dtype in claims.logits_dtypes:
        precision = claims.precision_for(dtype)
        if precision is not None and not isinstance(precision, Precision):
            return f"capabilities.precision must be a Precision, not {_shown(precision)}"
        for name, values in TYPES[Precision].items() if precision is not None else ():
            if getattr(precision, name) not in get_args(values):
                wrong = _shown(getattr(precision, name))
                return f"precision.{name} must be one of {', '.join(get_args(values))}, not {wrong}"
    return None


def _of_conventions(conventions: Conventions) -> str | None:
    if not isinstance(conventions, Conventions):
        return f"capabilities.conventions must be a Conventions, not {_shown(conventions)}"
    hints = TYPES[Conventions]
    for name, value in conventions.choices().items():
        if value not in get_args(hints[name]):
            return f"conventions.{name} must be one of {', '.join(get_args(hints[name]))}, not {_shown(value)}"
    basis, known = conventions.basis, (ASSUMED, BEHAVIOUR, COMMAND_LINE)
    if not isinstance(basis, Mapping) or not all(name in QUESTIONS and basis[name] in known for name in basis):
        return f"conventions.basis is only for bare callables and must be empty, not {_shown(basis)}"
    return _of_documentation(conventions.documentation)


def _of_documentation(links: Mapping[str, str]) -> str | None:
    if not isinstance(links, Mapping) or not all(name in QUESTIONS and type(links[name]) is str for name in links):
        return f"conventions.documentation must have names of conventions and URLs, not {_shown(links)}"
    if any(len(url) > LONGEST_TEXT for url in links.values()):
        return f"conventions.documentation must have URLs of at most {LONGEST_TEXT} characters"
    wrong = [url for url in links.values() if not URL.fullmatch(url)]
    return f"conventions.documentation must have URLs, https://..., not {_shown(wrong[0])}" if wrong else None


def _plain(value: Any, default: Any) -> bool:
    """Whether a value has the type of the default; if that is None, whether it is an int or None."""
    if default is None:
        return value is None or type(value) is int
    return type(value) is type(default)


def _named(pair: Any) -> bool:
    """Whether a pair is a name and a reason, each one short line."""
    return (
        type(pair) is tuple
        and [type(text) for text in pair] == [str, str]
        and all(len(text) <= LONGEST_TEXT and text.isprintable() for text in pair)
    )


def _shown(value: Any) -> str:
    """A value as one short line."""
    text = printable(repr(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
