"""Standalone scripts: one failing call in the backend's own vocabulary, without this suite.

A script ends in ``WRONG`` where it shows the failure and in ``right`` where the backend has been repaired; a call that
must be rejected ends in ``accepted``, and one that fails by raising raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from xent_conformance.calling.calls import STRAYED
from xent_conformance.judging.judge import Finding
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem, array_of
from xent_conformance.requirements.registry import Requirement
from xent_conformance.witnesses import literals
from xent_conformance.witnesses.bare import needs_bands
from xent_conformance.witnesses.script_call import Call
from xent_conformance.witnesses.several_calls import (
    beside,
    left_changed,
    overwritten,
    repeated,
    results_kept,
    second_backward,
    threads,
)
from xent_conformance.witnesses.vocabulary import ARGUMENTS, loading_of, parts_of

#: What a call takes beside its arrays and options where its finding could not say so: it never came back.
VARIATIONS = {
    "gradients.second-backward": (("repeats", 2),),
    "gradients.inside-a-graph": (("upstream", "scaled"),),
}
#: What a script says of a value that is within its bound.
RIGHT = "right: unlike in the run, where calls before this one may have mattered"
#: A shape, or a dtype and a shape, as a finding names what was expected.
FORM = re.compile(r"(\w+ )?\([\d, ]*\)")


def script(requirement: Requirement, subject: Subject, problem: Problem, finding: Finding) -> str:
    """A script that makes the call of a finding and prints what it gives beside what it should."""
    parts, finding = parts_of(subject), _completed(requirement, problem, finding)
    others = subject.capabilities.reductions if requirement.id == "purity.no-state" else ()
    bands = needs_bands(requirement, subject, problem, finding)
    call = Call(problem, finding, parts, *ARGUMENTS[finding.call], others, bands)
    needed = ["log_softmax", "nll_loss"] if finding.call == "nll_loss" else [finding.call]
    lines = [f"# {requirement.id} on {subject.name}: {requirement.title}", f"# {_one_line(finding.message)}"]
    setup = parts.setup.rstrip()
    lines += [*([] if "import numpy as np" in setup.splitlines() else ["import numpy as np"]), setup, ""]
    lines += [*call.inputs, "", *filter(None, [loading_of(subject)])]
    lines += [parts.calls[name].rstrip() + "\n" for name in needed if name in parts.calls]
    lines += [*call.preparation, *_shown(requirement, call)]
    return "\n".join(lines) + "\n"


def _completed(requirement: Requirement, problem: Problem, finding: Finding) -> Finding:
    """The finding with what its call must have taken, where the call did not come back to say so."""
    variation, inputs = finding.variation, finding.inputs
    if not isinstance(finding.expected, float) and finding.call == "cross_entropy_vjp":
        variation = variation or VARIATIONS.get(requirement.id, ())
    if finding.call == "cross_entropy_hvp" and "vector" not in inputs:
        inputs = {"vector": array_of(np.ones(problem.logits.shape), problem.dtype)}
    return replace(finding, variation=variation, inputs=inputs)


def _shown(requirement: Requirement, call: Call) -> list[str]:
    """The call, and what is wrong with what it does."""
    finding = call.finding
    if finding.expected == "an error":
        return _rejection(call)
    got = finding.got if isinstance(finding.got, str) else ""
    special = SHOWN.get(requirement.id) or SHOWN.get(finding.quantity) or (beside if got.startswith(STRAYED) else None)
    if special is not None and finding.fate is None:
        return special(call)
    if got and (finding.fate is not None or got.startswith("raised ")):
        return [f"{call.text}  # {_one_line(got)}", "print('right')"]
    if finding.expected is None:
        return _no_array(call)
    if isinstance(finding.expected, float):
        return _number(call, finding.expected)
    return (_form if FORM.fullmatch(finding.expected) else _convention)(call, finding.expected)


def _rejection(call: Call) -> list[str]:
    return [
        "try:",
        f"    print('accepted:', {call.text}, 'expected an error')",
        "except Exception as error:",
        "    print('right: rejected with', type(error).__name__)",
    ]


def _message(call: Call) -> list[str]:
    name = str(call.finding.expected).removeprefix("a message with ")
    return [
        "try:",
        f"    print('accepted:', {call.text}, 'expected an error')",
        "except Exception as error:",
        f"    print(f'{{error}}\\nexpected {call.finding.expected}')",
        f"    print('right' if {name!r} in str(error) else 'WRONG')",
    ]


#: Requirements, and quantities, that need something else than one number to be shown.
SHOWN: Mapping[str, Callable[[Call], list[str]]] = {
    "purity.results-are-independent": results_kept,
    "message": _message,
    "inputs": overwritten,
    "memory": beside,
    "surroundings": left_changed,
    "second call": repeated,
    "second gradient": second_backward,
    "threads": threads,
}


def _form(call: Call, expected: str) -> list[str]:
    shape = f"tuple({call.wanted}.shape)"
    dtype = f"str({call.wanted}.dtype).removeprefix('torch.')"
    got = f"str({shape})" if expected.startswith("(") else f"{dtype} + ' ' + str({shape})"
    lines = [call.assignment, f"got = {got}", f"print(f'{call.wanted}: got {{got}}, expected {expected}')"]
    return [*lines, f"print('right' if got == {expected!r} else 'WRONG')"]


def _no_array(call: Call) -> list[str]:
    """A result that is missing, of another number of parts, or no array of floating-point numbers."""
    lines = [f"results = {call.text}", f"# {_one_line(call.finding.message)}"]
    if len(call.results) > 1:
        parts = f"isinstance(results, tuple) and len(results) == {len(call.results)}"
        lines.append(f"got = results[{call.results.index(call.wanted)}] if {parts} else None")
    else:
        lines.append("got = results")
    lines.append("kind = str(getattr(got, 'dtype', type(got).__name__ + ', which has no dtype'))")
    lines.append(f"print(f'{call.wanted}: got {{got!r}} of {{kind}}, expected an array of floating-point numbers')")
    return [*lines, "print('right' if hasattr(got, 'dtype') and 'float' in kind else 'WRONG')"]


def _values(call: Call) -> list[str]:
    """The call, and its result by row as ``got``."""
    lines, logits = [call.assignment, f"got = {call.read(call.wanted)}"], call.problem.logits
    if call.wanted == "loss":
        flat = call.problem.reduction == "none" and logits.ndim != 2  # noqa: PLR2004 - has its own axes
        return [*lines, "got = got.reshape(-1)"] if flat else lines
    if logits.ndim != 2:  # noqa: PLR2004
        rows = f"np.moveaxis(got, {call.problem.class_axis}, -1).reshape(-1, {call.problem.classes})"
        lines.append(f"got = {rows}")
    return lines


def _convention(call: Call, expected: str) -> list[str]:
    """A value that must be zero, or must not be a number, by convention."""
    finding, problem = call.finding, call.problem
    lines = _values(call)
    if finding.index:
        lines.append(f"got = got[{finding.index[0]}]")
    elif finding.quantity == "invalid label" and problem.reduction == "none":
        outside = (problem.labels() < 0) | (problem.labels() >= problem.classes)
        lines.append(f"got = got[{np.flatnonzero(outside & ~problem.ignored()).tolist()}]")
    right = "(got == 0).all()" if expected == "zero" else "(~np.isfinite(got)).any()"
    if finding.quantity == "invalid label":
        right = "np.isnan(got).all()"
    return [*lines, f"print('got', got.tolist(), 'expected {expected}')", f"print('right' if {right} else 'WRONG')"]


def _number(call: Call, value: float) -> list[str]:
    finding = call.finding
    expected, bound = literals.number(value), literals.number(finding.bound or 0.0)
    index = repr(list(finding.index)) if finding.index else ""
    summed = ".sum(axis=1)" if "row sum" in finding.quantity else ""
    lines = [*_values(call), f"got = float(got{summed}{index})"]
    if math.isfinite(value):
        lines.append(f"expected, bound = {expected}, {bound}")
        lines.append("print(f'got {got!r}, expected {expected!r} within {bound:.3g}')")
        right = "got == expected or abs(got - expected) <= bound"
    else:
        lines.append(f"print(f'got {{got!r}}, expected {value}')")
        right = "np.isnan(got)" if math.isnan(value) else f"got == {expected}"
    return [*lines, f"print({RIGHT!r} if {right} else 'WRONG')"]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
