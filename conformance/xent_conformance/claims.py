"""What every backend must have, looked at before anything is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from xent_conformance.conventions import Conventions
from xent_conformance.formats import FLOATING
from xent_conformance.interface import Backend, Capabilities, Precision

REDUCTIONS = ("none", "sum", "mean")
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
#: Fields of Capabilities that are not plain values.
STRUCTURED = ("precision", "conventions")


def complaint(backend: Backend) -> str | None:
    """What is wrong with a backend's name, claims or methods; None: nothing."""
    if not isinstance(getattr(backend, "name", None), str) or not NAME.fullmatch(backend.name):
        return f"name must be letters, digits, '.', '-' and '_', not {getattr(backend, 'name', None)!r}"
    if not isinstance(getattr(backend, "capabilities", None), Capabilities):
        return "capabilities must be a xent_conformance.interface.Capabilities"
    if not callable(getattr(backend, "cross_entropy", None)):
        return "it has no method cross_entropy(logits, target, **options)"
    return _of_claims(backend.capabilities)


def _of_claims(claims: Capabilities) -> str | None:
    for field, known in (("logits_dtypes", FLOATING), ("reductions", REDUCTIONS)):
        values = getattr(claims, field)
        if not isinstance(values, tuple) or not values or set(values) - set(known):
            return f"capabilities.{field} must be a tuple of {', '.join(known)}, not {values!r}"
    default = Capabilities()
    for name in (f.name for f in fields(Capabilities) if f.name not in STRUCTURED):
        value = getattr(claims, name)
        if not _plain(value, getattr(default, name)):
            return f"capabilities.{name} must be like {getattr(default, name)!r}, not {value!r}"
    for dtype in claims.logits_dtypes:
        precision = claims.precision_for(dtype)
        if precision is not None and not isinstance(precision, Precision):
            return f"capabilities.precision must be a Precision, not {precision!r}"
    return _of_conventions(claims.conventions)


def _of_conventions(conventions: Conventions) -> str | None:
    if not isinstance(conventions, Conventions):
        return f"capabilities.conventions must be a Conventions, not {conventions!r}"
    choices = get_type_hints(Conventions)
    links = conventions.documentation
    if not isinstance(links, Mapping) or not all(type(text) is str for pair in links.items() for text in pair):
        return f"conventions.documentation must have names and URLs, not {links!r}"
    for name, value in conventions.choices().items():
        if value not in get_args(choices[name]):
            return f"conventions.{name} must be one of {', '.join(get_args(choices[name]))}, not {value!r}"
    return None


def _plain(value: Any, default: Any) -> bool:
    """Whether a value is of the kind of the default; where that is None, a whole number or None."""
    if default is None:
        return value is None or type(value) is int
    if isinstance(default, tuple):
        return type(value) is tuple and all(type(v) is str for v in value)
    return type(value) is type(default)
