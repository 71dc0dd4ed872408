"""What a mutant and its twin have in common: claims, functions and results."""

from __future__ import annotations

from dataclasses import fields, replace
from inspect import getattr_static
from operator import attrgetter
from types import CodeType, FunctionType
from typing import Any

from xent_conformance.calling.calls import Outcome
from xent_conformance.interface import Backend, Surroundings
from xent_conformance.loading.description import describe
from xent_conformance.problem import same_bits

#: Attributes that every class body defines, besides its methods.
PLAIN = frozenset(
    {"__module__", "__qualname__", "__doc__", "__firstlineno__", "__static_attributes__", "__annotations__"}
)


def comparable(backend: Backend, twin: Backend) -> bool:
    """Whether the findings of a check depend only on the results, not on which of the two backends returned them."""
    one, two = (replace(describe(b), name="", methods=()) for b in (backend, twin))
    return one == two and one.reproducer is None and isinstance(backend, Surroundings) == isinstance(twin, Surroundings)


def replaced(backend: Backend, twin: Backend) -> frozenset[CodeType] | None:
    """The twin's functions that a mutant's class replaces; None if it differs from the twin in anything else."""
    mro = type(backend).__mro__
    if type(twin) not in mro:
        return None
    own, theirs = vars(backend), vars(twin)
    if any(own.get(name) != value for name, value in theirs.items() if name != "name"):
        return None
    functions = set()
    for kind in mro[: mro.index(type(twin))]:
        for name in vars(kind).keys() - PLAIN - {"__init__"}:
            function = getattr_static(type(twin), name, None)
            if name.startswith("__") or not isinstance(function, FunctionType | None):
                return None
            if function is not None:
                functions.add(function.__code__)
    return frozenset(functions)


def same(one: Any, two: Any) -> bool:
    """Whether two results of an executor are bitwise the same."""
    if isinstance(one, Outcome) and isinstance(two, Outcome):
        first, second = one.arrays, two.arrays
        if len(first) != len(second) or not all(n in second and same_bits(a, second[n]) for n, a in first.items()):
            return False
        return _beside(one) == _beside(two)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)


#: The fields of an outcome other than its arrays.
_beside = attrgetter(*(f.name for f in fields(Outcome) if f.name != "arrays"))
