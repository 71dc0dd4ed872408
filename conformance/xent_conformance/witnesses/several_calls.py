"""Scripts for failures that one result does not show: inputs written over, and calls that are not independent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xent_conformance.problem import AnyArray
from xent_conformance.strategies.situations import BETWEEN
from xent_conformance.witnesses.script_call import Call
from xent_conformance.witnesses.vocabulary import assigned

#: Times that each of several threads makes its call before a script believes that they do not disturb each other.
ROUNDS = 1000
#: Times that it makes a call again before it believes that the call is repeatable.
AGAIN = 100


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


def repeated(call: Call) -> list[str]:
    """The same call again, after others where the requirement makes such, until it gives something else."""
    arguments = ", ".join(call.arguments)
    return [
        *_answer(call),
        *_others(call),
        f"first = answer({arguments})",
        f"for turn in range({AGAIN}):",
        *_calls_of_others(call),
        f"    second = answer({arguments})",
        *_differing("first", "second"),
    ]


def second_backward(call: Call) -> list[str]:
    """Backward once, and twice through one graph."""
    once = replace(call, finding=replace(call.finding, variation=()))
    return [
        f"for _ in range({AGAIN}):",
        f"    {once.assignment}",
        f"    first = [{call.read(call.wanted)}.copy()]",
        f"    {call.assignment}",
        f"    second = [{call.read(call.wanted)}]",
        *_differing("first", "second"),
    ]


def results_kept(call: Call) -> list[str]:
    """What was returned, before and after a call on other logits of the same shape."""
    logits = call.problem.logits
    moved = np.arange(logits.size).reshape(logits.shape) % 3
    other = np.where(np.isfinite(logits.astype(np.float64)), moved, 0.0).astype(logits.dtype)
    again = replace(call, arguments=tuple("other_logits" if a == "logits" else a for a in call.arguments))
    return [
        *assigned("other_logits", other, call.parts),
        call.assignment,
        f"before = {call.read(call.wanted)}.copy()",
        again.text,
        f"after = {call.read(call.wanted)}",
        f"print(f'{call.wanted} was\\n{{before}}\\nand is after another call\\n{{after}}')",
        "print('right' if after.tobytes() == before.tobytes() else 'WRONG')",
    ]


def _differing(first: str, second: str) -> list[str]:
    """The end of a loop that is left where two lists of arrays are not the same."""
    return [
        f"    same = [a.tobytes() for a in {first}] == [a.tobytes() for a in {second}]",
        "    if not same: break",
        f"print(f'first\\n{{{first}}}\\nsecond\\n{{{second}}}')",
        "print('right' if same else 'WRONG')",
    ]


def _others(call: Call) -> list[str]:
    """Arrays of another shape."""
    if not call.beside:
        return []
    dtype = call.problem.logits.dtype
    logits, labels = BETWEEN
    lines = assigned("other_logits", np.array(logits).astype(dtype), call.parts)
    lines += assigned("other_target", np.array(labels), call.parts)
    lines += assigned("cotangent_of_none", np.array([1.0, -0.5]).astype(dtype), call.parts)
    return ["import contextlib", *lines, *assigned("cotangent_of_one", np.array(1.25).astype(dtype), call.parts)]


def _calls_of_others(call: Call) -> list[str]:
    """In turn calls on them in every reduction, without options, and one that is rejected and one on no rows."""
    if not call.beside:
        return []

    def text(reduction: str, logits: str = "", target: str = "") -> str:
        cotangent = f"cotangent_of_none{logits}, " if reduction == "none" else "cotangent_of_one, "
        first = cotangent if "cotangent" in call.arguments else ""
        arguments = f"{first}other_logits{logits}, other_target{target}, reduction={reduction!r}"
        return f"{call.finding.call}({arguments})"

    found = ["    if turn % 2:", *(f"        {text(reduction)}" for reduction in call.beside), "    else:"]
    for rows, labels in (("", "[:1]"), ("[:0]", "[:0]")):
        found.append(f"        with contextlib.suppress(Exception): {text(call.beside[0], rows, labels)}")
    return found


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
        "sys.setswitchinterval(1e-6)",
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


def beside(call: Call) -> list[str]:
    """The memory that inputs with strides of their own lie in, before and after the call."""
    return [
        "memories = {name: value for name, value in globals().items() if name.endswith('_memory')}",
        f"before = {{name: {call.read('value')}.copy() for name, value in memories.items()}}",
        call.text,
        f"after = {{name: {call.read('value')} for name, value in memories.items()}}",
        "changed = [name for name in memories if after[name].tobytes() != before[name].tobytes()]",
        "for name in changed: print(f'{name} was\\n{before[name]}\\nand is after the call\\n{after[name]}')",
        "print('WRONG' if changed else 'right')",
    ]


def left_changed(call: Call) -> list[str]:
    """What the whole process can see, before and after the call."""
    looks = ["os.getcwd()", "np.geterr()", "list(warnings.filters)", "random.getstate()", "repr(np.random.get_state())"]
    looks += ["locale.setlocale(locale.LC_ALL)", "dict(os.environ)", "sys.getrecursionlimit()"]
    if "torch" in call.parts.setup:
        looks += ["torch.get_default_dtype()", "torch.get_rng_state().tolist()", "torch.is_grad_enabled()"]
    return [
        "import contextlib, locale, os, random, sys, warnings",
        f"def look(): return [{', '.join(looks)}]",
        "before = look()",
        f"with contextlib.suppress(Exception): {call.text}",
        f"changed = [name for name, a, b in zip({[x.split('(')[0] for x in looks]!r}, before, look()) if a != b]",
        "print('changed:', changed)",
        "print('WRONG' if changed else 'right')",
    ]
