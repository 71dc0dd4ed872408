"""What the signature of a callable says of the options it takes.

A missing ``weight``, ``ignore_index``, ``label_smoothing`` or ``reduction`` parameter is an unclaimed capability, a
named one is a claim. One without a default is always passed, at its neutral value. What only ``**kwargs`` takes, or a
callable without a signature that Python can read, is claimed if a trial shows that it does something.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xent_backends.validation import DEFAULT_IGNORE_INDEX

OPTIONS = ("weight", "ignore_index", "reduction", "label_smoothing")


@dataclass(frozen=True)
class Signature:
    """The options a callable takes by keyword, and the sentinel it ignores by default.

    ``required`` are options without a default, at their neutral values; ``unnamed`` are those of the options that are
    taken without being named; ``only_reduction`` is what a callable without ``reduction`` computes.
    """

    options: frozenset[str]
    default_ignore_index: int | None
    required: tuple[tuple[str, Any], ...] = ()
    unnamed: frozenset[str] = frozenset()
    only_reduction: str = "mean"

    def without(self, *options: str) -> Signature:
        """The signature less some options."""
        return replace(self, options=self.options.difference(options))

    def computing(self, reduction: str) -> Signature:
        """The signature of a callable without ``reduction`` that computes this one."""
        return replace(self, only_reduction=reduction)

    def accepted(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options with those that must be given, and without the reduction that a callable has anyway."""
        given = {**dict(self.required), **options}
        if "reduction" not in self.options and given.get("reduction") == self.only_reduction:
            del given["reduction"]
        return given


#: What stands for an option that is not used, where it must be given.
NEUTRAL: dict[str, Any] = {"weight": None, "ignore_index": DEFAULT_IGNORE_INDEX, "label_smoothing": 0.0}


def signature_of(function: Callable[..., Any]) -> Signature:
    """The options that a callable takes, by its signature; of a module, by that of its ``forward``."""
    plain = function if inspect.isclass(function) else getattr(function, "forward", function)
    try:
        parameters = inspect.signature(plain).parameters
    except (TypeError, ValueError):
        return Signature(frozenset(OPTIONS), DEFAULT_IGNORE_INDEX, unnamed=frozenset(OPTIONS))
    by_keyword = {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    everything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    options = frozenset(OPTIONS if everything else (name for name in OPTIONS if name in by_keyword))
    missing = {name for name, parameter in by_keyword.items() if parameter.default is parameter.empty}
    required = tuple((name, value) for name, value in NEUTRAL.items() if name in missing)
    sentinel: Any = None
    if "ignore_index" in options:
        sentinel = by_keyword["ignore_index"].default if "ignore_index" in by_keyword else DEFAULT_IGNORE_INDEX
    # A sentinel that must be given is always given: ours.
    sentinel = dict(required).get("ignore_index", sentinel)
    default = sentinel if isinstance(sentinel, int) and not isinstance(sentinel, bool) else None
    return Signature(options, default, required, options.difference(by_keyword))
