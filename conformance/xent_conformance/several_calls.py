"""Scripts for failures that one result does not show: inputs written over, and calls that are not independent."""

from __future__ import annotations

import numpy as np

from xent_conformance.problem import AnyArray
from xent_conformance.script_call import Call
from xent_conformance.subject import Subject
from xent_conformance.vocabulary import assigned

#: Times that each of several threads makes its call before a script believes that they do not disturb each other.
ROUNDS = 1000


def overwritten(call: Call) -> list[str]:
    """Which inputs are not the same after the call."""
    names = [*call.arguments, *(["weight"] if "weight=weight" in call.options else [])]
    return [
        f"inputs = {{{', '.join(f'{n!r}: {n}' for n in names)}}}",
        f"before = {{name: {call.read('value')}.copy() for name, value in inputs.items()}}",
        call.text,
        f"after = {{name: {call.read('value')} for name, value in inputs.items()}}",
        "changed = [name for name in inputs if after[name].tobytes() != before[name].tobytes()]",
        "for name in changed: print(f'{name} was\\n{before[name]}\\nand is after the call\\n{after[name]}')",
        "print('WRONG' if changed else 'right')",
    ]


def repeated(call: Call, between: list[str]) -> list[str]:
    """The same call twice, with others between the two."""
    return [
        *_answer(call),
        f"first = answer({', '.join(call.arguments)})",
        *between,
        f"second = answer({', '.join(call.arguments)})",
        "print(f'first\\n{first}\\nsecond\\n{second}')",
        "print('right' if [a.tobytes() for a in first] == [a.tobytes() for a in second] else 'WRONG')",
    ]


def between_calls(call: Call, subject: Subject) -> list[str]:
    """Calls of another shape, in every reduction and without options."""
    dtype, lines = call.problem.logits.dtype, []
    backward = "cotangent" in call.arguments
    lines += assigned("other_logits", np.array([[30.0, -30.0], [1.0, 2.0]]).astype(dtype), call.parts)
    lines += assigned("other_target", np.array([1, 0]), call.parts)
    for reduction in subject.capabilities.reductions:
        if backward:
            values = np.array([1.0, -0.5] if reduction == "none" else 1.25)
            lines += assigned("other_cotangent", values.astype(dtype), call.parts)
        arguments = [f"other_{name}" for name in call.arguments]
        lines.append(f"{call.finding.call}({', '.join(arguments)}, reduction={reduction!r})")
    return lines


def threads(call: Call) -> list[str]:
    """Calls on four problems of one shape, each alone and then all at once."""
    lines = [*_answer(call), "import sys", "from concurrent.futures import ThreadPoolExecutor", "calls = []"]
    for flip in (False, True):
        for factor in (1.0, 0.5):
            for name in call.arguments:
                lines += assigned(name, _varied(call, name, factor, flip=flip), call.parts)
            lines.append(f"calls.append(({', '.join(call.arguments)}))")
    return [
        *lines,
        "alone = [answer(*arguments) for arguments in calls]",
        "def differs(number):",
        "    expected = [a.tobytes() for a in alone[number]]",
        f"    return any([a.tobytes() for a in answer(*calls[number])] != expected for _ in range({ROUNDS}))",
        "sys.setswitchinterval(1e-5)",
        "with ThreadPoolExecutor(4) as pool:",
        "    wrong = list(pool.map(differs, range(4)))",
        "print(f'{sum(wrong)} of 4 calls give something else beside the others than alone')",
        "print('WRONG' if any(wrong) else 'right')",
    ]


def _varied(call: Call, name: str, factor: float, *, flip: bool) -> AnyArray:
    """An input with its rows in the other order, and other numbers in the logits."""
    array: AnyArray = call.problem.arrays()[name]
    if name == "logits":
        clipped = np.clip(array.astype(np.float64) * factor, -1e4, 1e4) if factor != 1 else array.astype(np.float64)
        array = clipped.astype(array.dtype)
    return np.ascontiguousarray(array[::-1]) if flip and array.ndim else array


def _answer(call: Call) -> list[str]:
    """A function for all that the call gives."""
    result = f"np.array({call.read('value')})"
    return [
        f"def answer({', '.join(call.arguments)}):",
        f"    results = {call.text}",
        "    results = results if isinstance(results, tuple) else (results,)",
        f"    return [{result} for value in results if value is not None]",
    ]
