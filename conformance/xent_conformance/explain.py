"""The explanation of a requirement as text, from the registry, the semantics and the conventions."""

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

#: Most columns of a line; longer lines are hard to read.
WIDEST = 100
#: Lines that start with one of these are commands to copy, and are never wrapped.
COMMANDS = ("xent ", "pytest ")
#: What it means to break a requirement of each level.
CONSEQUENCES = {
    Level.MUST: "Breaking it is a failure.",
    Level.SHOULD: "Breaking it is shown as weak, and does not fail a run.",
    Level.OBSERVED: "The behaviour of a backend is recorded, not judged.",
}


def explanation(requirement: Requirement) -> str:
    """The explanation of one requirement, in paragraphs under headings, wrapped to the terminal's width."""
    identifier = requirement.id
    statement, *notes = (" ".join(part.split()) for part in (requirement.check.__doc__ or "").split("\n\n"))
    sections: dict[str, Iterable[str]] = {
        "": [f"{identifier} ({requirement.level}, since {since(identifier)}): {requirement.title}"],
        "Statement": [statement, *notes, CONSEQUENCES[requirement.level]],
        "Formula (numbers as in SPEC.md)": [f"{n} {semantics()[n]}" for n in SECTIONS.get(requirement.family, ())],
        "Applies to": _scope(requirement),
        "Why: implementations that got it wrong, or differ": requirement.references,
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
        scope.append("It is judged only with --profile scale, or if it is named with --only.")
    return scope


def _declarations(requirement: Requirement) -> list[str]:
    hints = get_type_hints(Conventions)
    texts = [
        f"Conventions({name}=...): {QUESTIONS[name]} One of {', '.join(get_args(hints[name]))};"
        f" {getattr(Conventions(), name)} by default."
        for name in conventions_in(requirement)
    ]
    if texts:
        texts.append("Give the URL of the documentation for any choice other than the default.")
    if requirement.needs:
        texts.append("A backend is judged only on what it claims: see xent_conformance.interface.Capabilities.")
    return [
        *texts,
        "The allowed error follows from Capabilities(precision=...), the exact answer from the declared conventions.",
        "A failure that will not be fixed can be listed as a known deviation: `xent deviations BACKEND` drafts it.",
    ]


@cache
def semantics() -> dict[str, str]:
    """The hand-written paragraphs of the specification, by their number."""
    text = files("xent_conformance").joinpath("semantics.md").read_text("utf-8")
    paragraphs = (re.fullmatch(r"(\d+\.\d+) (.+)", part.strip(), re.DOTALL) for part in text.split("\n\n"))
    return {match[1]: " ".join(match[2].split()) for match in paragraphs if match}


def conventions_in(requirement: Requirement) -> list[str]:
    """The conventions that a requirement's expected result depends on.

    These are the ones that its check or one of its needs reads, and the one that it is named after.
    """
    functions = [requirement.check, *(need.met_by for need in requirement.needs)]
    names: set[str] = set()
    for function in functions:
        names |= _names(function, set())
    named = requirement.id.partition(".")[2].replace("-", "_")
    return [name for name in QUESTIONS if name in names or named.startswith(name)]


def _names(function: object, seen: set[object]) -> set[str]:
    """All names that a function uses, including those used by functions of its own package that it calls."""
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
        elif isinstance(constant, str):
            # A convention may be named rather than read: its choice and its name in a message come from that.
            yield constant
