"""Side effects of a call: on its inputs, the memory around them, its process, and earlier results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xent_conformance.calling.late import LATE
from xent_conformance.calling.surroundings import LOOKS, SETTING, part_of
from xent_conformance.judging.findings.base import Finding, ScriptCall

#: What a finding shows of a result that is left out.
MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class OfNames(Finding):
    """A side effect on what ``names`` names: inputs, or parts of the state of the process."""

    names: tuple[str, ...]

    @property
    def signature(self) -> tuple[str, ...]:
        """The kind and the names."""
        return self.kind, *self.names


@dataclass(frozen=True, kw_only=True)
class InputChanged(OfNames):
    """Inputs that do not hold the same bytes after the call."""

    kind: ClassVar[str] = "input-changed"
    quantity: str = "inputs"

    @property
    def message(self) -> str:
        """Which inputs."""
        return f"{self.call} overwrote its {', '.join(self.names)}"

    def details(self) -> dict[str, Any]:
        """Which inputs."""
        return {"expected": "unchanged", "got": f"changed: {', '.join(self.names)}"}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The inputs before and after."""
        named = ", ".join(f"{name!r}: {name}" for name in calls[0].inputs)
        return _before_and_after(calls[0], f"{{{named}}}", self.call)


@dataclass(frozen=True, kw_only=True)
class StrayWrite(OfNames):
    """Something written before the first, after the last or between the elements of inputs."""

    kind: ClassVar[str] = "stray-write"
    quantity: str = "memory"

    @property
    def message(self) -> str:
        """Outside which inputs."""
        return f"{self.call} wrote outside the elements of its {', '.join(self.names)}"

    def details(self) -> dict[str, Any]:
        """Outside which inputs."""
        return {"expected": "nothing written", "got": f"wrote outside: {', '.join(self.names)}"}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The memory that the inputs lie in, before and after."""
        memories = "{name: value for name, value in globals().items() if name.endswith('_memory')}"
        return _before_and_after(calls[0], memories, self.call)


@dataclass(frozen=True, kw_only=True)
class StrayRead(OfNames):
    """A result that depends on the memory around its inputs.

    The first of ``calls`` has nan, or invalid labels, around the inputs ``names``, the second one ordinary numbers.
    ``poisoned`` is a number of the first result, ``otherwise`` the same number of the second; MISSING for no result.
    """

    kind: ClassVar[str] = "stray-read"
    poisoned: str
    otherwise: str

    @property
    def message(self) -> str:
        """Outside which inputs, and the effect."""
        inputs = ", ".join(self.names)
        return (
            f"{self.call} reads outside the elements of its {inputs}: {self.quantity} is {self.poisoned} or"
            f" {self.otherwise}, depending on that memory"
        )

    @property
    def likeness(self) -> tuple[object, ...]:
        """The call and the inputs, not the quantity: which result shows the read differs from problem to problem."""
        return self.call, *self.signature

    def details(self) -> dict[str, Any]:
        """Outside which inputs."""
        return {"expected": "nothing read", "got": f"read outside: {', '.join(self.names)}"}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The result with each content of the memory around the inputs."""
        if MISSING in (self.poisoned, self.otherwise):
            one, other = (call.named(self.quantity) for call in calls)
            return [
                *(call.assignment for call in calls),
                f"print(f'{self.quantity}: {{{one}}} and {{{other}}} of the same inputs')",
                f"wrong = ({one} is None) != ({other} is None)",
            ]
        results = [call.read(call.named(self.quantity)) for call in calls]
        return [
            *(call.assignment for call in calls),
            *(f"{name} = {result}" for name, result in zip(("one", "other"), results, strict=True)),
            f"print(f'{self.quantity}: {{one.tolist()}} and {{other.tolist()}} of the same inputs')",
            "wrong = not np.array_equal(one, other, equal_nan=True)",
        ]


def _before_and_after(call: ScriptCall, arrays: str, method: str) -> list[str]:
    return [
        f"arrays = {arrays}",
        f"before = {{name: {call.read('value')}.copy() for name, value in arrays.items()}}",
        "try:",
        f"    {call.text}",
        "except Exception as error:",
        f"    print('{method} raised', error)",
        f"after = {{name: {call.read('value')} for name, value in arrays.items()}}",
        "changed = [name for name in arrays if after[name].tobytes() != before[name].tobytes()]",
        "for name in changed:",
        "    print(f'{name} was\\n{before[name]}\\nand is after the call\\n{after[name]}')",
        "wrong = bool(changed)",
    ]


#: The same for libraries that a script may have imported.
LIBRARIES = {"torch": ("torch.get_default_dtype()", "torch.get_rng_state().tolist()", "torch.is_grad_enabled()")}
#: How often a script makes a call before it checks whether inputs are written to later, and seconds that it waits.
OFTEN, LATER = 5, 0.5


@dataclass(frozen=True, kw_only=True)
class SurroundingsChanged(OfNames):
    """State of the process that a call has changed."""

    kind: ClassVar[str] = "surroundings-changed"
    quantity: str = "surroundings"

    @property
    def signature(self) -> tuple[str, ...]:
        """The kind and the parts: of variables, a call may set others than an earlier one."""
        return self.kind, *map(part_of, self.names)

    @property
    def message(self) -> str:
        """Which parts."""
        return f"{self.call} changed the {', '.join(self.names)} of its process"

    def details(self) -> dict[str, Any]:
        """Which parts."""
        return {"expected": "unchanged", "got": f"changed: {', '.join(self.names)}"}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The process before and after, on a stream of its own."""
        late = [name.removesuffix(LATE) for name in self.names if name.endswith(LATE)]
        parts = {part_of(name) for name in self.names}
        looks = {name: look for name, look in LOOKS.items() if name in parts}
        for name in late:
            # The input may belong to an earlier call, whose variables end with a number.
            arrays = f"for name, value in sorted(globals().items()) if name.rstrip('_0123456789') == {name!r}"
            looks[name + LATE] = f"[{calls[0].read('value')}.tobytes() {arrays}]"
        lines = [SETTING, "import time", "out = os.fdopen(os.dup(1), 'w')", "looks = {"]
        lines += [f"    {name!r}: lambda: ({look})," for name, look in looks.items()]
        lines.append("}")
        for library, seen in LIBRARIES.items():
            listed = ", ".join(f"{look!r}: lambda: {look}" for look in seen)
            lines.append(f"if {library!r} in globals(): looks |= {{{listed}}}")
        return [
            *lines,
            "def seen():",
            "    found = {}",
            "    for name, look in looks.items():",
            "        try: found[name] = look()",
            "        except OSError as error: found[name] = repr(error)",
            "    return found",
            "before = seen()",
            f"for _ in range({OFTEN if late else 1}):",
            "    try:",
            f"        {calls[0].text}",
            "    except Exception as error:",
            f"        print('{self.call} raised', error)",
            *([f"time.sleep({LATER})"] if late else []),
            "after = seen()",
            "sys.stdout = out",
            "changed = [name for name in looks if after[name] != before[name]]",
            "print('changed:', changed)",
            "wrong = bool(changed)",
        ]


@dataclass(frozen=True, kw_only=True)
class ResultIsInput(Finding):
    """A result that is in the memory of an input."""

    kind: ClassVar[str] = "result-changed"

    @property
    def message(self) -> str:
        """Which result."""
        return f"{self.quantity} shares the memory of an input: changing one changes the other"

    def details(self) -> dict[str, Any]:
        """Where it lies."""
        return {"expected": "memory of its own", "got": "a view of an input"}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The result, before and after its inputs are overwritten."""
        call = calls[0]
        return [
            call.assignment,
            f"before = {call.read(call.named(self.quantity))}.copy()",
            f"for value in ({', '.join(call.inputs)},):",
            "    value[...] = value + 1",
            f"after = {call.read(call.named(self.quantity))}",
            f"print(f'{self.quantity} was\\n{{before}}\\nand is after its inputs were changed\\n{{after}}')",
            "wrong = before.tobytes() != after.tobytes()",
        ]


@dataclass(frozen=True, kw_only=True)
class ResultChanged(Finding):
    """A result that a later call, the second of ``calls``, has changed."""

    kind: ClassVar[str] = "result-changed"
    before: str
    after: str

    @property
    def message(self) -> str:
        """What it was and is."""
        return f"{self.quantity} was {self.before} and is {self.after} after another call"

    def details(self) -> dict[str, Any]:
        """What it was and is."""
        return {"expected": self.before, "got": self.after}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The result, before and after the later call."""
        call, later = calls
        return [
            call.assignment,
            f"before = {call.read(call.named(self.quantity))}.copy()",
            later.text,
            f"after = {call.read(call.named(self.quantity))}",
            f"print(f'{self.quantity} was\\n{{before}}\\nand is after another call\\n{{after}}')",
            "wrong = before.tobytes() != after.tobytes()",
        ]
