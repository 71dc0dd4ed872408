"""Calls that did not come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xent_conformance.judging.findings.base import Finding, ScriptCall


@dataclass(frozen=True, kw_only=True)
class Lost(Finding):
    """A call that ended its process, or never ended. ``fate`` is CRASH or TIMEOUT, ``how`` follows the call's name."""

    kind: ClassVar[str] = "lost"
    fate: str
    how: str

    @property
    def message(self) -> str:
        """Which call, and how it ended."""
        return f"{self.call} {self.how}"

    @property
    def signature(self) -> tuple[str, ...]:
        """A crash is not a hang."""
        return self.kind, self.fate

    def details(self) -> dict[str, Any]:
        """How it ended."""
        return {"got": self.how}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The call alone, which the script makes in a process of its own and whose output it reads."""
        return [
            "try:",
            f"    {calls[0].text}",
            "except BaseException as error:",
            "    print('raised', error)",
            "print('came back', flush=True)",
        ]
