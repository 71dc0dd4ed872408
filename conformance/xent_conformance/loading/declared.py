"""Conventions, claims and precision of a callable as declared on the command line: ``NAME=VALUE``, ``no-NAME``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

from xent_conformance.conventions import COMMAND_LINE, QUESTIONS, Conventions
from xent_conformance.interface import Capabilities, Precision
from xent_conformance.loading.claims import LISTED, OF_CALLABLES
from xent_conformance.suggestions import instead

_DEFAULTS = Capabilities()
#: The claim that declares which function a callable is.
FORM = "form"
#: Claims that the trial of a callable may limit by the time of its calls, and their names in ``left_out``.
MEASURED = {"max_rows": "many rows", "max_classes": "many classes"}
#: Claims that are a flag or a number.
CLAIMS = {
    f.name: getattr(_DEFAULTS, f.name)
    for f in fields(Capabilities)
    if isinstance(getattr(_DEFAULTS, f.name), bool | int | float) or getattr(_DEFAULTS, f.name) is None
    if f.name != "precision"
}
#: Claims that are several names, what each of these is in ``left_out``, and those that there are.
SEVERAL = {"reductions": ("reduction", LISTED["reductions"]), "target_dtypes": ("labels", LISTED["target_dtypes"])}


def conventions_in(texts: Sequence[str]) -> dict[str, str]:
    """Conventions by name, from texts such as "mean-divisor=all_rows". Raises ValueError for unknown ones."""
    return _choices(texts, "convention", QUESTIONS, get_type_hints(Conventions))


def precision_in(texts: Sequence[str]) -> Precision | None:
    """The precision from texts such as "internals=native"; None without texts. Raises ValueError for unknown ones."""
    hints = get_type_hints(Precision)
    chosen: dict[str, Any] = _choices(texts, "field of precision", hints, hints)
    return Precision(**chosen) if texts else None


def claims_in(texts: Sequence[str]) -> dict[str, Any]:
    """Claims by name, from texts such as "no-weight", "spatial", "max-classes=1000" or "reductions=sum+mean".

    Raises ValueError for others.
    """
    claims: dict[str, Any] = {}
    form_in(texts)
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if name == FORM:
            continue
        if name in SEVERAL:
            claims[name] = _several(name, value)
            continue
        plain = name if name in CLAIMS else name.removeprefix("no_")
        if plain not in CLAIMS:
            known = ("no_" + claim for claim in CLAIMS) if name != plain else (*CLAIMS, *SEVERAL, FORM)
            raise ValueError(f"unknown claim {text!r}; {instead(_spelled(name), map(_spelled, known))}")
        default, denied = CLAIMS[plain], name != plain
        if isinstance(default, bool):
            if equals:
                raise ValueError(f"the claim {_spelled(plain)} is made as {_spelled(plain)} or as no-{_spelled(plain)}")
            claims[plain] = not denied
        elif default is None and denied and not equals:
            claims[plain] = None
        else:
            claims[plain] = _number(plain, value, type(default) if default is not None else int)
    return claims


def form_in(texts: Sequence[str]) -> str | None:
    """The function that a callable is declared to be, from texts such as "form=log_softmax"; the last one counts.

    Raises ValueError for an unknown function.
    """
    form = None
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name == FORM:
            form = value.replace("-", "_")
            if form not in OF_CALLABLES:
                raise ValueError(f"unknown form {value!r}; {instead(form, OF_CALLABLES)}")
    return form


def declared(
    claims: Capabilities, conventions: Sequence[str], changes: Sequence[str], precision: Sequence[str]
) -> Capabilities:
    """Claims with the declarations of the command line.

    What it withdraws is entered in ``left_out``, and what it claims is removed from there.
    """
    chosen, changed = conventions_in(conventions), claims_in(changes)
    if chosen:
        basis = {**claims.conventions.basis, **dict.fromkeys(chosen, COMMAND_LINE)}
        changed["conventions"] = replace(claims.conventions, **chosen, basis=basis)  # type: ignore[arg-type]
    if precision:
        changed["precision"] = precision_in(precision)
    withdrawn = [name for name, value in changed.items() if value is False and getattr(claims, name)]
    for name, (what, _) in SEVERAL.items():
        remaining = changed.get(name, getattr(claims, name))
        withdrawn += [f"{what} {value}" for value in getattr(claims, name) if value not in remaining]
    back = tuple((name, COMMAND_LINE) for name in withdrawn)
    made = {MEASURED.get(name, name) for name, value in changed.items() if value is not False}
    left_out = (pair for pair in claims.left_out if pair[0] not in made)
    return replace(claims, **changed, left_out=(*left_out, *back))


def _choices(texts: Sequence[str], what: str, names: Collection[str], hints: Mapping[str, Any]) -> dict[str, str]:
    """Names and values from texts, each value one of those allowed for the name."""
    chosen = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if name not in names:
            raise ValueError(f"unknown {what} {text!r}; {instead(name, names)}")
        known = get_args(hints[name])
        if value not in known:
            wrong = f"unknown {value!r} for {name}" if equals else f"{name} needs a value, {name}=VALUE"
            raise ValueError(f"{wrong}; {instead(value, known)}")
        chosen[name] = value
    return chosen


def _number(name: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"the claim {_spelled(name)} needs a number, {_spelled(name)}=N, not {text!r}") from None


def _several(name: str, text: str) -> tuple[str, ...]:
    """The names in a text, each once."""
    _, known = SEVERAL[name]
    values = [value.strip() for value in text.split("+")]
    unknown = next((value for value in values if value not in known), None)
    if unknown is not None:
        raise ValueError(f"unknown {unknown!r} in the claim {_spelled(name)}; {instead(unknown, known)}")
    return tuple(dict.fromkeys(values))


def _spelled(name: str) -> str:
    """A name as on the command line."""
    return name.replace("_", "-")
