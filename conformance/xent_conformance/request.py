"""The request of a run: each option is declared once, for the command line and for pytest.

This module imports nothing heavy, because the pytest plugin is loaded in every pytest run of its environment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xent_conformance.isolation import CALL_SECONDS

if TYPE_CHECKING:
    from xent_conformance.loading.imported import Narrowing

#: Largest timeout of a call, in seconds: eleven days.
LONGEST = 10**6


def _option(default: Any, description: str, **words: Any) -> Any:
    """A field that is an option; ``words`` are arguments of ``add_argument``, and ``flag`` if not the field's name."""
    return field(default=default, metadata={"help": description, **words})


@dataclass(frozen=True)
class Request:
    """What a user requests, as plain values; ``resume`` is the record of a run to be finished.

    Raises UsageError for an unknown profile, dtype, requirement, convention, claim or precision, for a timeout out of
    range, and for options of callables where no backend is a callable.
    """

    backends: tuple[str, ...]
    profile: str = _option(
        "default",
        "how much is judged: quick, default, thorough, or scale, which judges only problems of gigabytes"
        " (default: default)",
        metavar="PROFILE",
    )
    seed: int = _option(
        0, "seed of the problems: the same seed gives the same verdicts (default: 0)", type=int, metavar="N"
    )
    only: tuple[str, ...] = _option(
        (),
        "judge only these requirements: ids, families or patterns such as 'gradients.*' (default: all)",
        action="append",
        metavar="ID,ID",
    )
    dtypes: tuple[str, ...] = _option(
        (),
        "judge only these dtypes of logits: float16, bfloat16, float32, float64 (default: all claimed dtypes)",
        action="append",
        metavar="D,D",
    )
    device: str = _option("cpu", "for callables: the device to compute on (default: cpu)", metavar="DEVICE")
    gradient: bool = _option(True, "for callables: claim no gradients", flag="no-gradient", action="store_false")
    convention: tuple[str, ...] = _option(
        (),
        "for callables: a convention to judge it by, such as all_ignored_loss=zero; repeatable"
        " (`xent explain 'conventions.*'` names them)",
        action="append",
        metavar="NAME=VALUE",
    )
    claim: tuple[str, ...] = _option(
        (),
        "for callables: what it supports or does not, such as no-weight or max-classes=1000; repeatable"
        " (the names are those of xent_conformance.interface.Capabilities)",
        action="append",
        metavar="CLAIM",
    )
    precision: tuple[str, ...] = _option(
        (),
        "for callables: the arithmetic it promises, such as internals=native or form=B; repeatable"
        " (the names are those of xent_conformance.interface.Precision)",
        action="append",
        metavar="NAME=VALUE",
    )
    in_process: bool = _option(
        False,
        "run the backend in this process, for a debugger or print; a crash then ends the run",
        action="store_true",
    )
    timeout: float = _option(
        CALL_SECONDS, f"limit for one call, in seconds (default: {CALL_SECONDS:g})", type=float, metavar="SECONDS"
    )
    resume: Path | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        from xent_conformance.formats import FLOATING
        from xent_conformance.loading.declared import claims_in, conventions_in, precision_in
        from xent_conformance.loading.errors import UsageError
        from xent_conformance.loading.loader import may_be_callable
        from xent_conformance.requirements.registry import load
        from xent_conformance.selection import selected
        from xent_conformance.suggestions import instead, quoted

        if not 0 < self.timeout <= LONGEST:
            raise UsageError(f"a timeout is a number of seconds above 0 and up to {LONGEST:,}, not {self.timeout}")
        check_profile(self.profile)
        if unknown := [d for d in self.dtypes if d not in FLOATING]:
            raise UsageError(f"unknown dtypes {quoted(unknown)}; {instead(unknown[0], FLOATING)}")
        selected(self.only, load().values())
        if self.for_callables and not any(map(may_be_callable, self.backends)):
            raise UsageError(self.no_callable)
        try:
            conventions_in(self.convention)
            claims_in(self.claim)
            precision_in(self.precision)
        except ValueError as error:
            raise UsageError(str(error)) from error

    @property
    def for_callables(self) -> list[str]:
        """The given options that are only about callables."""
        given = {
            "--device": self.device != "cpu",
            "--no-gradient": not self.gradient,
            "--convention": self.convention,
            "--claim": self.claim,
            "--precision": self.precision,
        }
        return [option for option, value in given.items() if value]

    @property
    def no_callable(self) -> str:
        """The message for these options if no backend is a callable."""
        named = self.for_callables
        about = "is only for callables" if len(named) == 1 else "are only for callables"
        return f"{' and '.join(named)} {about} such as torch:package.function; no backend is one"

    @property
    def narrowing(self) -> Narrowing:
        """The options that are about callables."""
        from xent_conformance.loading.imported import Narrowing

        return Narrowing(self.dtypes or None, self.gradient, self.device, self.convention, self.claim, self.precision)

    @classmethod
    def of(cls, options: Any, backends: tuple[str, ...], prefix: str = "", **more: Any) -> Request:
        """The request of parsed options; an option that was not given has the default of its field."""
        values = {option.name: getattr(options, f"{prefix}{option.name}") for option in fields(cls) if option.metadata}
        given: dict[str, Any] = {
            n: names_in(*v) if isinstance(v, list) else v for n, v in values.items() if v is not None
        }
        return cls(backends, **given | more)


def add_options(add: Callable[..., Any], prefix: str = "") -> None:
    """Declare all options to a parser through its ``add_argument`` or ``addoption``; ``prefix`` is "xent_" or none."""
    for option in fields(Request):
        if option.metadata:
            words = dict(option.metadata)
            flag = f"--{prefix}{words.pop('flag', option.name)}".replace("_", "-")
            add(flag, dest=f"{prefix}{option.name}", default=None, **words)


def check_profile(name: str) -> None:
    """Raise UsageError for an unknown profile."""
    from xent_conformance.judging.profiles import PROFILES
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.suggestions import instead

    if name not in PROFILES:
        raise UsageError(f"unknown profile {name!r}; {instead(name, PROFILES)}")


def names_in(*texts: str) -> tuple[str, ...]:
    """The names in comma-separated texts, each once; the texts themselves if they contain no name."""
    names = (name for text in texts for part in text.split(",") if (name := part.strip()))
    return tuple(dict.fromkeys(names)) or texts
