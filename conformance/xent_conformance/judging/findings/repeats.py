"""Calls that return different results when repeated: one after the other, or concurrently in threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from xent_conformance.calling.calls import Invocation, Outcome, as_float64, differing
from xent_conformance.judging.findings.base import Finding, ScriptCall, told_apart
from xent_conformance.problem import F64Array, same_bits

#: How often a script repeats a call before it reports it as repeatable.
AGAIN = 100
#: How often each thread of a script makes its call before the script reports it as thread-safe.
ROUNDS = 1000


#: Most numbers that a message shows.
SHOWN = 3
#: The quantity of two outcomes of which only one has results.
OUTCOME = "outcome"


def _some(values: F64Array, others: F64Array) -> str:
    """Some numbers, with as many digits as tell them apart from the others, if there are as many."""
    pairs = zip(values[:SHOWN].tolist(), (others if values.shape == others.shape else values).tolist(), strict=False)
    shown = [told_apart(value, other)[0] for value, other in pairs]
    return ", ".join([*shown, "…"] if len(values) > SHOWN else shown)


@dataclass(frozen=True, kw_only=True)
class Repeated(Finding):
    """A result that differs bitwise when repeated, or is there only once.

    ``got`` and ``expected`` show some of the differing numbers. If it is there only once, or if only one of the calls
    has results, they are phrases that follow the name of the call, and not ``numbers``.
    """

    kind: ClassVar[str] = "not-repeatable"
    got: str
    expected: str
    numbers: bool = True

    @classmethod
    def seen(cls, calls: tuple[Invocation, ...], first: Outcome, again: Outcome) -> Self | None:
        """The finding for two outcomes of the first of ``calls``; None if they are bitwise the same."""
        name = differing(first, again)
        if name is None:
            return None
        if name == OUTCOME:
            return cls(quantity=name, calls=calls, got=again.shown, expected=first.shown, numbers=False)
        if name not in first.arrays or name not in again.arrays:
            got, expected = (f"returned {'a' if name in o.arrays else 'no'} {name}" for o in (again, first))
            return cls(quantity=name, calls=calls, got=got, expected=expected, numbers=False)
        one, two = (as_float64(outcome.arrays[name]).reshape(-1) for outcome in (again, first))
        if one.shape == two.shape:
            other = one.view(np.int64) != two.view(np.int64)
            one, two = one[other], two[other]
        return cls(quantity=name, calls=calls, got=_some(one, two), expected=_some(two, one))

    @property
    def signature(self) -> tuple[str, ...]:
        """The kind of repetition."""
        return self.kind, type(self).__name__

    def details(self) -> dict[str, Any]:
        """Both results."""
        return {"expected": self.expected, "got": self.got}


@dataclass(frozen=True, kw_only=True)
class NotRepeatable(Repeated):
    """The first of ``calls`` returns something else after the others, or when it is simply repeated."""

    @property
    def message(self) -> str:
        """Both results."""
        others = len(self.calls) - 1
        between = "when it is called again" if not others else f"after {others} other call{'s' * (others > 1)}"
        if not self.numbers:
            return f"{self.call} {self.got} {between}, and first {self.expected}"
        return f"{self.call} returns a different {self.quantity} {between}: {self.got}, first {self.expected}"

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The call repeated, with the others in between."""
        lines = [*_answer("answer", calls[0]), "first = answer()", f"for _ in range({AGAIN}):"]
        for other in calls[1:]:
            lines += ["    try:", f"        {other.text}", "    except Exception:", "        pass"]
        return [
            *lines,
            "    second = answer()",
            f"    wrong = {_bits('first')} != {_bits('second')}",
            "    if wrong:",
            "        break",
            "print(f'first\\n{first}\\nlater\\n{second}')",
        ]


@dataclass(frozen=True, kw_only=True)
class NotReadAnew(Repeated):
    """The first of ``calls`` returns something else with the arrays of the second, overwritten, than with new ones."""

    @property
    def message(self) -> str:
        """The results with overwritten and with new arrays."""
        got = f"{self.quantity} of {self.call} is {self.got}" if self.numbers else f"{self.call} {self.got}"
        return (
            f"{got} with arrays that were overwritten after another call, but {self.expected} with new arrays of the"
            " same content"
        )

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The call with new arrays, and after another call with the arrays of that one, overwritten."""
        call, before = calls
        lines = [*_answer("answer", call), *_answer("answer_before", before), "expected = answer()", "answer_before()"]
        # Libraries count the writes to an array, so that only what differs is written.
        held, wanted = (one.invocation.arrays.values() for one in (before, call))
        pairs = zip(before.inputs, call.inputs, held, wanted, strict=True)
        lines += [f"{old}[...] = {new}" for old, new, left, right in pairs if not same_bits(left, right)]
        return [
            *lines,
            "got = answer_before()",
            f"wrong = {_bits('got')} != {_bits('expected')}",
            "print(f'with arrays changed in place\\n{got}\\nwith new arrays of the same content\\n{expected}')",
        ]


@dataclass(frozen=True, kw_only=True)
class NotThreadSafe(Repeated):
    """The first of ``calls`` returns something else while the others run in other threads."""

    @property
    def message(self) -> str:
        """The results of the call in threads and alone."""
        threads = f"while {len(self.calls) - 1} others run in other threads"
        if not self.numbers:
            return f"{self.call} {self.got} {threads}, and alone {self.expected}"
        return f"{self.call} returns a different {self.quantity} {threads}: {self.got}, alone {self.expected}"

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """Each call alone, and then all at once."""
        lines = ["import sys", "from concurrent.futures import ThreadPoolExecutor"]
        for number, call in enumerate(calls):
            lines += _answer(f"answer_{number}", call)
        return [
            *lines,
            f"answers = [{', '.join(f'answer_{number}' for number in range(len(calls)))}]",
            f"alone = [{_bits('answer()')} for answer in answers]",
            "def differs(number):",
            "    answer, expected = answers[number], alone[number]",
            f"    return any({_bits('answer()')} != expected for _ in range({ROUNDS}))",
            "sys.setswitchinterval(1e-6)",
            "with ThreadPoolExecutor(len(answers)) as pool:",
            "    different = list(pool.map(differs, range(len(answers))))",
            "print(f'{sum(different)} of {len(answers)} calls return something else in threads than alone')",
            "wrong = any(different)",
        ]


def _bits(results: str) -> str:
    """The expression for shapes and bytes of results, which are equal only for bitwise equal results."""
    return f"[(a.shape, a.tobytes()) for a in {results}]"


def _answer(name: str, call: ScriptCall) -> list[str]:
    """Lines that define a function which returns all results of a call."""
    return [
        f"def {name}():",
        f"    results = {call.text}",
        "    results = results if isinstance(results, tuple) else (results,)",
        f"    return [np.array({call.read('value')}) for value in results if value is not None]",
    ]
