"""Sources of problems. Requirements with the same source are judged together, on the same trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from xent_conformance.problem import Problem

if TYPE_CHECKING:
    from xent_conformance.judging.subject import Subject

SOURCES: dict[str, Source] = {}


@dataclass(frozen=True, eq=False)
class Source:
    """A source of problems: a stream of recipes or a fixed list.

    ``name`` is unique and groups requirements, for judging processes and in the kill matrix; a second source of the
    same name raises ValueError. ``foreign_labels``: the labels have dtypes that a backend does not claim, and are
    passed unchanged. ``in_a_row``: the calls on one problem are consecutive, without calls on other problems between
    them. ``looks_back``: its requirements examine the effects of earlier calls, so all other groups of the run come
    first. ``rejected``: its calls are to be rejected, before anything is compiled.
    """

    name: str
    _: KW_ONLY
    foreign_labels: bool = False
    in_a_row: bool = False
    looks_back: bool = False
    rejected: bool = False

    def __post_init__(self) -> None:
        """Register the source under its name."""
        taken = SOURCES.setdefault(self.name, self)
        if taken is not self and taken.definition() != self.definition():
            raise ValueError(f"two sources with the name {self.name!r}")

    def definition(self) -> object:
        """Equal for sources that are the same, even if their module is loaded twice."""
        return {k: v for k, v in vars(self).items() if k != "listing"}


Listing = Callable[["Subject"], Iterable[Problem]]


@dataclass(frozen=True, eq=False)
class Listed(Source):
    """A fixed list of problems for a subject, in an order that does not change.

    ``least``: how many of them a profile that takes a share takes at least; None for the profile's own number.
    """

    _: KW_ONLY
    listing: Listing
    least: int | None = None

    def __call__(self, subject: Subject) -> Iterable[Problem]:
        """The problems."""
        return self.listing(subject)

    def definition(self) -> object:
        """As for any source, and the function that lists the problems."""
        return super().definition(), self.listing.__module__, self.listing.__qualname__


def listed(name: str, **more: Any) -> Callable[[Listing], Listed]:
    """Turn a function that lists problems into a source; ``more`` are its further attributes.

    >>> @listed("one row of zeros")
    ... def zeros(subject):
    ...     yield Problem(np.zeros((1, 3), subject.dtype), np.array([0]))
    """
    return lambda listing: Listed(name, **more, listing=listing)
