"""Conventions, claims and precision of a callable that the command line declares: ``NAME=VALUE``, ``no-NAME``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

from xent_conformance.conventions import COMMAND_LINE, QUESTIONS, Conventions
from xent_conformance.interface import Capabilities, Precision
from xent_conformance.loading.claims import FUNCTIONS
from xent_conformance.suggestions import instead

_DEFAULTS = Capabilities()
#: The claim that says which function a callable is.
FORM = "form"
#: Claims that one word or number says.
CLAIMS = {
    f.name: getattr(_DEFAULTS, f.name)
    for f in fields(Capabilities)
    if isinstance(getattr(_DEFAULTS, f.name), bool | int | float) or getattr(_DEFAULTS, f.name) is None
    if f.name != "precision"
}


def conventions_in(texts: Sequence[str]) -> dict[str, str]:
    """Conventions by name, of texts such as "mean-divisor=all_rows". Raises ValueError for what there is not."""
    return _choices(texts, "convention", QUESTIONS, get_type_hints(Conventions))


def precision_in(texts: Sequence[str]) -> Precision | None:
    """The precision of texts such as "internals=native"; None without any. Raises ValueError for what there is not."""
    hints = get_type_hints(Precision)
    chosen: dict[str, Any] = _choices(texts, "field of precision", hints, hints)
    return Precision(**chosen) if texts else None


def claims_in(texts: Sequence[str]) -> dict[str, Any]:
    """Claims by name, of texts such as "no-weight", "spatial" or "max-classes=1000". Raises ValueError for others."""
    found: dict[str, Any] = {}
    form_in(texts)
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if name == FORM:
            continue
        plain = name if name in CLAIMS else name.removeprefix("no_")
        if plain not in CLAIMS:
            raise ValueError(f"unknown claim {text!r}; {instead(plain.replace('_', '-'), _spelled((*CLAIMS, FORM)))}")
        default, denied = CLAIMS[plain], name != plain
        if isinstance(default, bool):
            if equals:
                raise ValueError(f"the claim {_said(plain)} is made as {_said(plain)} or as no-{_said(plain)}")
            found[plain] = not denied
        elif default is None and denied and not equals:
            found[plain] = None
        else:
            found[plain] = _number(plain, value, type(default) if default is not None else int)
    return found


def form_in(texts: Sequence[str]) -> str | None:
    """The function that a callable is said to be, of texts such as "form=log_softmax"; the last one of several counts.

    Raises ValueError for what there is not.
    """
    found = None
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name == FORM:
            found = value.replace("-", "_")
            if found not in FUNCTIONS:
                raise ValueError(f"unknown form {value!r}; {instead(found, FUNCTIONS)}")
    return found


def declared(
    claims: Capabilities, conventions: Sequence[str], changes: Sequence[str], precision: Sequence[str]
) -> Capabilities:
    """Claims with what the command line declares beside them; a claim that it takes back is left out."""
    chosen, changed = conventions_in(conventions), claims_in(changes)
    if chosen:
        basis = {**claims.conventions.basis, **dict.fromkeys(chosen, COMMAND_LINE)}
        changed["conventions"] = replace(claims.conventions, **chosen, basis=basis)  # type: ignore[arg-type]
    if precision:
        changed["precision"] = precision_in(precision)
    back = tuple((name, COMMAND_LINE) for name, value in changed.items() if value is False and getattr(claims, name))
    return replace(claims, **changed, left_out=(*claims.left_out, *back))


def _choices(texts: Sequence[str], what: str, names: Collection[str], hints: Mapping[str, Any]) -> dict[str, str]:
    """Names to one of the values that each may have."""
    found = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if name not in names:
            raise ValueError(f"unknown {what} {text!r}; {instead(name, names)}")
        known = get_args(hints[name])
        if value not in known:
            wrong = f"unknown {value!r} for {name}" if equals else f"{name} needs a value, {name}=VALUE"
            raise ValueError(f"{wrong}; {instead(value, known)}")
        found[name] = value
    return found


def _number(name: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"the claim {_said(name)} needs a number, {_said(name)}=N, not {text!r}") from None


def _said(name: str) -> str:
    return name.replace("_", "-")


def _spelled(names: Collection[str]) -> list[str]:
    return [_said(name) for name in names]
