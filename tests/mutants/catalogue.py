"""The catalogue: every mutant with the bug it copies, where that was reported, and what must kill it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from xent_conformance.interface import Backend


@dataclass(frozen=True)
class Mutant:
    """A wrong backend. ``killed_by`` lists the requirements that must each fail on it, the main one first.

    ``bug`` is the id of the bug it copies, "" where it copies none; ``link`` is where that bug was reported. ``twin``
    makes the same backend without the wrong idea. ``untuned``: written from the design of a real kernel, before anybody
    looked whether the suite finds it; it declares no killers, and no generator was changed because of it.
    """

    name: str
    idea: str
    bug: str
    link: str
    killed_by: tuple[str, ...]
    backend: Callable[[], Backend]
    twin: Callable[[], Backend]
    untuned: bool = False


Kind = TypeVar("Kind", bound=type)

_REGISTERED: dict[str, Mutant] = {}


def mutant(
    *,
    killed_by: tuple[str, ...] = (),
    bug: str = "",
    link: str = "",
    dtypes: tuple[str, ...] = ("float32",),
    untuned: bool = False,
) -> Callable[[Kind], Kind]:
    """Register a subclass of a twin; its docstring is its idea. It claims ``dtypes`` only."""
    if untuned == bool(killed_by):
        raise ValueError("a mutant declares what kills it, or is untuned")

    def register(kind: Kind) -> Kind:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()
        if name in _REGISTERED:
            raise ValueError(f"two mutants with the name {name!r}")
        twin = next(base for base in kind.__mro__ if base.__name__.endswith("Twin"))
        idea = " ".join((kind.__doc__ or "").split())
        made, right = lambda: kind(name, dtypes), lambda: twin(f"twin-of-{name}", dtypes)
        _REGISTERED[name] = Mutant(name, idea, bug, link, killed_by, made, right, untuned)
        return kind

    return register


def all_mutants() -> list[Mutant]:
    """Every mutant by name, from all modules of this folder; those on torch only where torch is installed."""
    for module in sorted(path.stem for path in Path(__file__).parent.glob("*.py")):
        if not module.startswith(("_", "test_")) and (find_spec("torch") or not module.startswith("torch_")):
            import_module(f"mutants.{module}")
    return [_REGISTERED[name] for name in sorted(_REGISTERED)]
