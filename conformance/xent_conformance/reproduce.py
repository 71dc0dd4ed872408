"""Standalone scripts: one failing call in the backend's own vocabulary, without this suite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xent_conformance.formats import is_floating
from xent_conformance.interface import ReproducerParts
from xent_conformance.judge import Finding
from xent_conformance.loading import Loaded
from xent_conformance.problem import AnyArray, Problem
from xent_conformance.requirements.registry import Requirement
from xent_conformance.subject import Subject

#: What a script needs of this package where a file's adapter imports it and the suite is not installed.
STUB = """\
try:
    import xent_conformance.interface
except ImportError:  # the adapter needs these names only to describe itself
    import collections, sys, types
    stub = types.ModuleType("xent_conformance.interface")
    stub.__getattr__ = lambda name: type(name, (types.SimpleNamespace,), {})
    stub.Vjp = collections.namedtuple("Vjp", "loss grad_logits grad_target", defaults=[None])
    sys.modules["xent_conformance"] = types.ModuleType("xent_conformance")
    sys.modules["xent_conformance.interface"] = stub
    sys.modules["xent_conformance"].interface = stub
"""

#: Arrays of up to this many elements are written out.
FEW = 16
#: Names of the arguments of each form, and of its results.
ARGUMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cross_entropy": (("logits", "target"), ("loss",)),
    "cross_entropy_vjp": (("cotangent", "logits", "target"), ("loss", "grad_logits", "grad_target")),
    "cross_entropy_hvp": (("vector", "cotangent", "logits", "target"), ("product",)),
    "cross_entropy_layer": (("logits", "target"), ("loss",)),
    "cross_entropy_layer_vjp": (("cotangent", "logits", "target"), ("loss", "grad_logits", "grad_target")),
    "softmax": (("logits",), ("softmax",)),
    "log_softmax": (("logits",), ("log_softmax",)),
    "nll_loss": (("log_probs", "target"), ("loss",)),
}


def script(requirement: Requirement, subject: Subject, problem: Problem, finding: Finding, loaded: Loaded) -> str:
    """A script that makes the call of a finding and prints what it gives beside what it should."""
    parts = parts_of(subject, loaded)
    lines = [f"# {requirement.id} on {subject.name}: {requirement.title}", f"# {_one_line(finding.message)}"]
    lines += ["import numpy as np", parts.setup.rstrip(), ""]
    needed = ["log_softmax", "nll_loss"] if finding.call == "nll_loss" else [finding.call]
    lines += [parts.calls[name].rstrip() + "\n" for name in needed if name in parts.calls]
    lines += _inputs(parts, problem, finding)
    lines += ["", *_call(parts, problem, finding), *_verdict(finding)]
    return "\n".join(lines) + "\n"


def parts_of(subject: Subject, loaded: Loaded) -> ReproducerParts:
    """The backend's own vocabulary, or its methods on NumPy arrays."""
    if subject.has("reproducer"):
        parts: ReproducerParts = subject.backend.reproducer()  # type: ignore[attr-defined]
        return parts
    bridged = subject.has("array bridge")
    calls = {
        name: f"def {name}(*args, **options):\n    return backend.{name}(*args, **options)"
        for name in ARGUMENTS
        if hasattr(subject.backend, name)
    }
    array = "{array}.astype({numpy_dtype})"
    return ReproducerParts(
        setup=_import_of(loaded),
        array=f"backend.asarray({array})" if bridged else array,
        result="np.asarray(backend.asnumpy({value}), dtype=np.float64)"
        if bridged
        else "np.asarray({value}, np.float64)",
        calls=calls,
    )


def _import_of(loaded: Loaded) -> str:
    kind, place, attribute = loaded.origin
    if kind != "file":
        return (
            f"from {place} import {attribute} as backend\nif not hasattr(backend, 'capabilities'): backend = backend()"
        )
    with open(place, encoding="utf-8") as file:  # noqa: PTH123
        stub = STUB if "xent_conformance" in file.read() else ""
    return (
        f"import runpy, ml_dtypes\n{stub}"
        f"backend = runpy.run_path({place!r})[{attribute!r}]\n"
        "if not hasattr(backend, 'capabilities'): backend = backend()"
    )


def _inputs(parts: ReproducerParts, problem: Problem, finding: Finding) -> list[str]:
    """Assignments of the arrays that the call takes."""
    arguments = set(ARGUMENTS[finding.call][0])
    if finding.call == "nll_loss":
        arguments |= {"logits"}
    arrays = {k: v for k, v in {**problem.arrays(), **finding.inputs}.items() if k in arguments}
    if problem.weight is not None and finding.call not in ("softmax", "log_softmax"):
        arrays["weight"] = problem.weight
    lines: list[str] = []
    for name, array in arrays.items():
        expression = array_expression(array, name, lines)
        numpy_dtype = f"ml_dtypes.{array.dtype.name}" if array.dtype.name == "bfloat16" else f"np.{_numpy(array)}"
        made = parts.array.format(array=expression, dtype=array.dtype.name, numpy_dtype=numpy_dtype)
        lines.append(f"{name} = {made}")
    if finding.call == "nll_loss":
        lines.append("log_probs = log_softmax(logits)")
    return lines


def _numpy(array: AnyArray) -> str:
    return "bool_" if array.dtype.name == "bool" else array.dtype.name


def array_expression(array: AnyArray, name: str, lines: list[str]) -> str:
    """A NumPy expression for exact values, in float64 where they are floating-point numbers.

    A long array with few odd values is filled first and then changed, in statements appended to ``lines``.
    """
    base = "np.float64" if is_floating(array.dtype) else "np.complex128" if array.dtype.kind == "c" else "np.int64"
    values = np.asarray(array, dtype=eval(base, {"np": np}))  # noqa: S307 - one of three names above
    flat = values.reshape(-1)
    whole = f"np.array({_nested(values)}, dtype={base})"
    if not values.size:
        return f"np.zeros({values.shape}, dtype={base})"
    text = whole if values.size <= FEW else _filled(values, flat, name, base, lines) or whole
    return text if array.flags.c_contiguous else _strided(array, text, name, lines)


def _filled(values: AnyArray, flat: AnyArray, name: str, base: str, lines: list[str]) -> str | None:
    """The name of an array that ``lines`` fill with its commonest value and then change; None for too many changes."""
    distinct, counts = np.unique(flat, return_counts=True)
    common = distinct[counts.argmax()]
    odd = [i for i, v in enumerate(flat.tolist()) if not (v == common or (v != v and common != common))]  # noqa: PLR0124
    if len(odd) > values.size // 4:
        return None
    lines.append(f"{name}_values = np.full({values.shape}, {_literal(common)}, dtype={base})")
    for i in odd:
        place = ", ".join(str(int(k)) for k in np.unravel_index(i, values.shape))
        lines.append(f"{name}_values[{place}] = {_literal(flat[i])}")
    return f"{name}_values"


def _strided(array: AnyArray, text: str, name: str, lines: list[str]) -> str:
    """The same values behind the strides of the original array."""
    strides = tuple(s // array.itemsize for s in array.strides)
    if 0 in strides:
        return f"np.broadcast_to(({text}).reshape(-1)[:1].reshape({(1,) * array.ndim}), {array.shape})"
    order = tuple(int(i) for i in np.argsort([-abs(s) for s in strides], kind="stable"))
    dense = np.transpose(array, order)
    inverse = tuple(int(i) for i in np.argsort(order))
    if abs(dense.strides[-1]) == array.itemsize and order != tuple(range(array.ndim)):
        return f"np.ascontiguousarray(({text}).transpose{order}).transpose{inverse}"
    lines.append(f"{name}_memory = np.zeros({(*array.shape[:-1], 2 * array.shape[-1])}, dtype=({text}).dtype)")
    lines.append(f"{name}_memory[..., ::2] = {text}")
    return f"{name}_memory[..., ::2]"


def _nested(values: AnyArray) -> str:
    if values.ndim == 0:
        return _literal(values[()])
    return "[" + ", ".join(_nested(v) for v in values) + "]"


def _literal(value: Any) -> str:
    if isinstance(value, complex | np.complexfloating):
        return repr(complex(value))
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and not math.isfinite(number):
        return "np.nan" if math.isnan(number) else ("np.inf" if number > 0 else "-np.inf")
    return repr(number)


def _call(parts: ReproducerParts, problem: Problem, finding: Finding) -> list[str]:
    """The call, and ``got`` as the NumPy number or array that the finding is about."""
    arguments, results = ARGUMENTS[finding.call]
    options = "" if finding.call in ("softmax", "log_softmax") else _options(problem, finding)
    call = f"{finding.call}({', '.join([*arguments, *([options] if options else [])])})"
    wanted = next((r for r in results if finding.quantity.startswith(r)), None)
    wanted = wanted or ("grad_logits" if "gradient" in finding.quantity else results[0])
    if finding.expected == "an error":
        return [f"print('accepted:', {call})  # expected an error"]
    lines = [f"{', '.join(results)} = {call}" if len(results) > 1 else f"{results[0]} = {call}"]
    lines.append(f"got = {parts.result.format(value=wanted)}")
    if wanted != "loss" and problem.logits.ndim != 2:  # noqa: PLR2004
        lines.append(f"got = np.moveaxis(got, {problem.class_axis}, -1).reshape(-1, {problem.classes})")
    elif wanted == "loss" and problem.reduction == "none" and problem.logits.ndim != 2:  # noqa: PLR2004
        lines.append("got = got.reshape(-1)")
    return lines


def _options(problem: Problem, finding: Finding) -> str:
    options = {k: "weight" if k == "weight" else repr(v) for k, v in problem.options().items()}
    options |= {k: repr(v) for k, v in finding.variation}
    if finding.call == "nll_loss":
        options.pop("label_smoothing", None)
    return ", ".join(f"{k}={v}" for k, v in options.items())


def _verdict(finding: Finding) -> list[str]:
    if finding.expected == "an error":
        return []
    if not isinstance(finding.expected, float) or not isinstance(finding.got, float):
        return [f"print('got', got)  # expected {_one_line(str(finding.expected))}"]
    index = "" if not finding.index else repr(list(finding.index)).replace("[", "[").replace("]", "]")
    summed = ".sum(axis=1)" if "row sum" in finding.quantity else ""
    expected, bound = _literal(finding.expected), _literal(finding.bound or 0.0)
    lines = [f"got = float(got{summed}{index})", f"expected, bound = {expected}, {bound}"]
    lines.append("print(f'got {got!r}, expected {expected!r} within {bound:.3g}')")
    right = "np.isnan(got)" if math.isnan(finding.expected) else "got == expected or abs(got - expected) <= bound"
    return [*lines, f"print('right' if {right} else 'WRONG')"]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
