"""Calls that did not return: their process ended, or they hung."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xent_conformance.calling.calls import LostError
from xent_conformance.judging.findings.base import Finding, ScriptCall
from xent_conformance.records.lines import LOST

#: How often each thread makes its call in a script.
ROUNDS = 100
#: Exit code of a script's process in which all calls have returned; no other way of ending has it.
CAME_BACK = 42


@dataclass(frozen=True, kw_only=True)
class Lost(Finding):
    """Calls that ended their process or never returned. ``fate`` is CRASH or TIMEOUT, ``how`` follows the call's name.

    They were made one after the other, or each in a thread of its own if ``threads``.
    """

    kind: ClassVar[str] = LOST
    fate: str
    how: str
    threads: bool = False

    @classmethod
    def of(cls, lost: LostError) -> Lost:
        """The finding for an exception of a caller."""
        fate, how = lost.outcome.fate or "", lost.outcome.trouble or ""
        quantity = lost.calls[0].results[0]
        return cls(quantity=quantity, calls=lost.calls, fate=fate, how=how, threads=lost.threads)

    @property
    def message(self) -> str:
        """Which call, and how it ended; of calls in threads, that others ran beside it."""
        beside = f" while {len(self.calls) - 1} others ran in other threads" if self.threads else ""
        return f"{self.call} {self.how}{beside}"

    @property
    def signature(self) -> tuple[str, ...]:
        """Crashes, hangs, and either of them in threads are different faults."""
        return self.kind, self.fate, "threads" if self.threads else ""

    def details(self) -> dict[str, Any]:
        """How it ended."""
        return {"got": self.how}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The calls, in a process that the script starts for them; see ``CAME_BACK``."""
        if not self.threads:
            lines = []
            for call in calls:
                lines += ["try:", f"    {call.text}", "except BaseException as error:", "    print('raised', error)"]
            return [*lines, f"raise SystemExit({CAME_BACK})"]
        made = ", ".join(f"lambda: {call.text}" for call in calls)
        return [
            "from concurrent.futures import ThreadPoolExecutor",
            f"calls = [{made}]",
            f"with ThreadPoolExecutor({len(calls)}) as pool:",
            f"    list(pool.map(lambda call: [call() for _ in range({ROUNDS})], calls))",
            f"raise SystemExit({CAME_BACK})",
        ]
