"""What there is to know about a requirement, as text: from the registry, the semantics and the conventions."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from types import CodeType, FunctionType
from typing import get_args, get_type_hints

from xent_conformance.conventions import QUESTIONS, Conventions
from xent_conformance.requirements.ledger import since
from xent_conformance.requirements.registry import Level, Requirement
from xent_conformance.spec import SECTIONS

#: Longest line: text of more columns is hard to read.
WIDEST = 100
#: Lines that begin so are for copying, and never broken.
COMMANDS = ("xent ", "pytest ")
#: What breaking a requirement of each level comes to.
CONSEQUENCES = {
    Level.MUST: "Breaking it is a failure.",
    Level.SHOULD: "Breaking it is shown as weak, and fails no run.",
    Level.OBSERVED: "What a backend does is recorded, and not judged.",
}


def explanation(requirement: Requirement) -> str:
    """Everything about one requirement, in paragraphs under headings, as wide as the terminal."""
    identifier = requirement.id
    statement, *notes = (" ".join(part.split()) for part in (requirement.check.__doc__ or "").split("\n\n"))
    sections: dict[str, Iterable[str]] = {
        "": [f"{identifier} ({requirement.level}, since {since(identifier)}): {requirement.title}"],
        "Statement": [statement, *notes, CONSEQUENCES[requirement.level]],
        "Formula (numbers as in SPEC.md)": [f"{n} {semantics()[n]}" for n in SECTIONS.get(requirement.family, ())],
        "Applies to": _scope(requirement),
        "Why: where implementations got it wrong, or differ": requirement.references,
        "Reproduce": [
            f"xent run BACKEND --only {identifier}",
            f"pytest --pyargs xent_conformance.requirements --xent-backend BACKEND --xent-only {identifier}",
            f"The check is {requirement.check.__name__} in {inspect.getsourcefile(requirement.check)}.",
        ],
        "Declare otherwise": _declarations(requirement),
    }
    return "\n\n".join("\n".join(_section(title, texts)) for title, texts in sections.items() if texts)


def _section(title: str, texts: Iterable[str]) -> Iterator[str]:
    indent = "  " if title else ""
    if title:
        yield title
    width = min(WIDEST, shutil.get_terminal_size().columns)
    for text in texts:
        if text.startswith(COMMANDS):
            yield indent + text
            continue
        yield textwrap.fill(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _scope(requirement: Requirement) -> list[str]:
    scope = [f"Backends that claim {need.name}." for need in requirement.needs] or ["Every backend."]
    if requirement.once:
        scope.append("It is judged once, not for each dtype.")
    if requirement.opt_in:
        scope.append("It is judged with --profile scale, or where it is named with --only.")
    return scope


def _declarations(requirement: Requirement) -> list[str]:
    hints = get_type_hints(Conventions)
    texts = [
        f"Conventions({name}=...): {QUESTIONS[name]} One of {', '.join(get_args(hints[name]))};"
        f" {getattr(Conventions(), name)} by default."
        for name in conventions_in(requirement)
    ]
    if texts:
        texts.append("A choice that is not the default should have the URL of its documentation.")
    if requirement.needs:
        texts.append("What a backend does not claim is not judged: see xent_conformance.interface.Capabilities.")
    return [
        *texts,
        "The allowed error follows from Capabilities(precision=...); exact answers follow all declared conventions.",
        "A failure that stays can be listed as a known deviation: `xent deviations BACKEND` drafts the entry.",
    ]


@cache
def semantics() -> dict[str, str]:
    """The numbered paragraphs of the specification that are written by hand, by their number."""
    text = files("xent_conformance").joinpath("semantics.md").read_text("utf-8")
    paragraphs = (re.fullmatch(r"(\d+\.\d+) (.+)", part.strip(), re.DOTALL) for part in text.split("\n\n"))
    return {found[1]: " ".join(found[2].split()) for found in paragraphs if found}


def conventions_in(requirement: Requirement) -> list[str]:
    """The conventions that decide what a requirement expects.

    Those that its check or one of its needs reads, and the one that it is named after.
    """
    functions = [requirement.check, *(need.met_by for need in requirement.needs)]
    names: set[str] = set()
    for function in functions:
        names |= _names(function, set())
    named = requirement.id.partition(".")[2].replace("-", "_")
    return [name for name in QUESTIONS if name in names or named.startswith(name)]


def _names(function: object, seen: set[object]) -> set[str]:
    """All names that a function uses, and the functions of its own package that it calls."""
    if not isinstance(function, FunctionType) or function in seen:
        return set()
    seen.add(function)
    names = set(_names_in(function.__code__))
    package = function.__module__.rpartition(".")[0]
    for name in list(names):
        called = function.__globals__.get(name)
        if getattr(called, "__module__", "").rpartition(".")[0] == package:
            names |= _names(called, seen)
    return names


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)
