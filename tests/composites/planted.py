"""Composites: mutants that change different steps of one twin, put together."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import combinations

from mutants.catalogue import Mutant, all_mutants
from mutants.numpy_twin import NumpyTwin
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.interface import Backend
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.description import describe
from xent_conformance.requirements.registry import load

DTYPE = "float32"


def candidates() -> dict[str, Mutant]:
    """Mutants of the NumPy twin that a run with the default profile sees, by name."""
    opt_in = {r.id for r in load().values() if r.opt_in}
    return {
        m.name: m
        for m in all_mutants()
        if type(m.twin()) is NumpyTwin
        and m.backend().capabilities.logits_dtypes == (DTYPE,)
        and not set(m.killed_by) <= opt_in
    }


def sampled(count: int, size: int, seed: int) -> list[tuple[Mutant, ...]]:
    """So many different sets of mutants, none of which changes what another one does."""
    mutants = candidates()
    rng = random.Random(seed)
    chosen: dict[tuple[str, ...], None] = {}
    while len(chosen) < count:
        names = tuple(sorted(rng.sample(sorted(mutants), size)))
        if all(_apart(mutants[a], mutants[b]) for a, b in combinations(names, 2)):
            chosen[names] = None
    return [tuple(mutants[name] for name in names) for names in chosen]


class Anew(LocalExecutor):
    """Calls a backend in this process; instead of a new process it is made anew, without what it remembers."""

    def __init__(self, make: Callable[[], Backend]) -> None:
        super().__init__(make())
        self._make = make

    def renewed(self) -> bool:
        self.backend = self._make()
        self.recent.clear()
        return True


def subject(*mutants: Mutant) -> Subject:
    """A backend with the faults of all, to be judged."""
    executor = Anew(mutants[0].backend if len(mutants) == 1 else lambda: together(mutants))
    return Subject(describe(executor.backend, None), executor, DTYPE)


def together(mutants: tuple[Mutant, ...], name: str = "") -> Backend:
    """A backend with the faults of all, named after them unless it is told otherwise."""
    kinds = tuple(type(mutant.backend()) for mutant in mutants) or (NumpyTwin,)
    name = name or "+".join(mutant.name for mutant in mutants)
    both: Backend = type("Composite", kinds, {})(name, (DTYPE,))
    return both


def _apart(one: Mutant, other: Mutant) -> bool:
    first, second = one.backend(), other.backend()
    same_claims = first.capabilities == second.capabilities
    return same_claims and not set(_changed(type(first))) & set(_changed(type(second)))


def _changed(kind: type) -> Iterator[str]:
    """Names of what a mutant's class has of its own."""
    for base in kind.__mro__[: kind.__mro__.index(NumpyTwin)]:
        yield from (name for name in vars(base) if not name.startswith("__") or name == "__init__")
