"""Results of the wrong form: not an array, missing, or of the wrong shape or dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xent_conformance.judging.findings.base import Finding, ScriptCall


@dataclass(frozen=True, kw_only=True)
class WrongForm(Finding):
    """A result of the wrong shape or dtype; ``got`` and ``expected`` are the shape, or dtype and shape, as text."""

    kind: ClassVar[str] = "wrong-form"
    got: str
    expected: str

    @property
    def message(self) -> str:
        """Which result, and its form."""
        return f"{self.call} returned {self.quantity} as {self.got}, expected {self.expected}"

    def details(self) -> dict[str, Any]:
        """Both forms."""
        return {"expected": self.expected, "got": self.got}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The form of the result."""
        result = calls[0].named(self.quantity)
        shape = f"str(tuple({result}.shape))"
        dtype = f"str({result}.dtype).removeprefix('torch.') + ' ' + "
        return [
            calls[0].assignment,
            f"got = {shape}" if self.expected.startswith("(") else f"got = {dtype}{shape}",
            f"print(f'{self.quantity}: got {{got}}, expected {self.expected}')",
            f"wrong = got != {self.expected!r}",
        ]


@dataclass(frozen=True, kw_only=True)
class NoResult(Finding):
    """A call that returned something else than arrays; ``how`` follows the name of the call."""

    kind: ClassVar[str] = "wrong-form"
    how: str

    @property
    def message(self) -> str:
        """What was returned."""
        return f"{self.call} {self.how}"

    def details(self) -> dict[str, Any]:
        """What was returned."""
        return {"got": self.how}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """What each part of the result is."""
        names = calls[0].invocation.results
        lines = [f"results = {calls[0].text}"]
        if len(names) > 1:
            parts = f"isinstance(results, tuple) and len(results) == {len(names)}"
            lines.append(f"parts = list(results) if {parts} else [None]")
            optional = [i for i, name in enumerate(names) if name in OPTIONAL]
            lines.append(f"parts = [part for i, part in enumerate(parts) if part is not None or i not in {optional}]")
        else:
            lines.append("parts = [results]")
        inputs = self.calls[0].inputs.values()
        most = 1 + sum(math.prod(max(n, 1) for n in array.shape) for array in inputs if array is not None)
        return [
            *lines,
            "def form(part):",
            "    if issubclass(type(part), np.ndarray):",
            "        plain = type(part) is np.ndarray",
            "    elif issubclass(type(part), np.generic):",
            "        plain = type(part) is part.dtype.type",
            "    else:",
            "        try:",
            "            plain = hasattr(part, 'dtype') and hasattr(part, 'shape')",
            "        except BaseException:",
            "            plain = False",
            "    if not plain or 'float' not in str(part.dtype) or not getattr(part.dtype, 'isnative', True):",
            "        return object.__repr__(part) + ' ' + (part.dtype.str if type(part) is np.ndarray else '')",
            f"    return RIGHT if np.prod(part.shape) <= {most} else str(tuple(part.shape))",
            "RIGHT = 'array of floating-point numbers'",
            "forms = [form(part) for part in parts]",
            "print(f'got {forms}, expected {RIGHT}')",
            "wrong = any(form != RIGHT for form in forms)",
        ]


#: Results that a call may leave out.
OPTIONAL = ("grad_target", "grad_bias")


@dataclass(frozen=True, kw_only=True)
class Missing(Finding):
    """A result that a call leaves out; ``there`` names a call that returns it, if there is one."""

    kind: ClassVar[str] = "missing"
    there: str = ""

    @property
    def message(self) -> str:
        """Which result."""
        though = f", though it does for {self.there}" if self.there else ""
        return f"{self.call} returned no {self.quantity}{though}"

    def details(self) -> dict[str, Any]:
        """An array was expected."""
        return {"expected": f"an array for {self.quantity}", "got": "none"}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """Whether each of the calls returns the result."""
        result = calls[0].named(self.quantity)
        lines = [calls[0].assignment, f"wrong = {result} is None", f"print('{self.quantity} is', {result})"]
        if len(calls) > 1:
            other = calls[1].named(self.quantity)
            lines += [calls[1].assignment, f"print('{self.quantity} of the other call is', {other})"]
            lines.append(f"wrong = wrong and {other} is not None")
        return lines
