"""Problems as plain data, without loss of precision: for records and deviation files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from xent_conformance.formats import dtype_of, is_floating
from xent_conformance.problem import EXTRAS, AnyArray, Problem

#: Most values that are written out if there is a recipe to give instead: about 64 kB of text.
MOST_VALUES = 8000
#: Most values that are written out without a recipe, to limit the length of a record's lines.
MOST_WITHOUT_RECIPE = 160_000
#: Largest array that a deviation's witness may have.
LARGEST_LITERAL = 1 << 20
LARGEST_LABEL = 1 << 63
#: Largest stride of a deviation's witness, in elements.
LARGEST_STRIDE = 8


def to_data(problem: Problem, recipe: str | None = None) -> dict[str, Any]:
    """A problem as JSON data; of an array that is too long, ``recipe`` instead of the values."""
    arrays = {name: _array_data(array, recipe) for name, array in problem.arrays().items()}
    return {
        "logits": arrays["logits"],
        "target": arrays["target"],
        "weight": arrays.get("weight"),
        "cotangent": arrays.get("cotangent"),
        "ignore_index": problem.ignore_index,
        "reduction": problem.reduction,
        "label_smoothing": problem.label_smoothing,
        "sentinel": problem.sentinel,
        **problem.extras,
    }


def from_data(data: Mapping[str, Any]) -> Problem:
    """The inverse of ``to_data``, strides and all; raises ValueError where a recipe stands for values."""
    given: dict[str, Any] = {name: data[name] for name in ("ignore_index", "reduction", "label_smoothing", "sentinel")}
    given.update((name, data.get(name, neutral)) for name, neutral in EXTRAS.items())
    for name in ("logits", "target", "weight", "cotangent"):
        given[name] = None if data[name] is None else _array_of(data[name])
    return Problem(**given)


def from_literals(data: Mapping[str, Any], dtype: str, sentinel: int | None) -> Problem:
    """A problem from the nested lists of a deviation file, with logits of the given dtype.

    That is the one that is judged, unless ``logits_dtype`` names one that must be rejected. Targets of integers are
    class indices, int64 unless ``target_dtype`` names another dtype; targets of floats are probabilities, which have
    the dtype of the logits unless it does, and so has the weight unless ``weight_dtype`` does. A large array of one
    value, or of equal rows, is written ``{ shape = [1, 65520], value = 0.0 }``, rows of logits that share memory
    ``{ shape = [2, 2], value = [1.0, 0.0], strides = [0, 1] }``; with ``except = [[0, 97, 200.0]]`` the element
    [0, 97] is 200. Raises ValueError or TypeError for data that does not describe a problem.
    """
    known = {"logits", "target", "weight", "cotangent", "ignore_index", "reduction", "label_smoothing"}
    known |= {"logits_dtype", "target_dtype", "weight_dtype", *EXTRAS}
    if extra := set(data) - known:
        raise ValueError(f"unknown keys {sorted(extra)}")
    target = _literal_array(data["target"])

    def floats(name: str, kind: str = dtype) -> AnyArray | None:
        if name not in data:
            return None
        with np.errstate(over="ignore", invalid="ignore"):  # values too large for the dtype become infinite
            made = _literal_array(data[name]).astype(np.float64).astype(dtype_of(kind))
        strides = _literal_strides(data[name], made.ndim)
        return made if strides is None else _laid_out(made, strides)

    logits = floats("logits", data.get("logits_dtype", dtype))
    if logits is None:
        raise ValueError("no logits")
    reduction, ignore_index = data.get("reduction", "mean"), data.get("ignore_index")
    if not isinstance(reduction, str):
        raise TypeError("reduction must be a string")
    if ignore_index is not None and (type(ignore_index) is not int or abs(ignore_index) >= LARGEST_LABEL):
        raise TypeError("ignore_index must be a 64-bit integer")
    rows = logits.shape[:1] + logits.shape[2:] if logits.ndim > 1 else ()
    ones = np.ones(rows if reduction == "none" else ()).astype(dtype_of(dtype))
    return Problem(
        logits=logits,
        target=target.astype(dtype_of(data.get("target_dtype", dtype if target.dtype.kind == "f" else "int64"))),
        weight=floats("weight", data.get("weight_dtype", dtype)),
        cotangent=floats("cotangent") if "cotangent" in data else ones,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=float(data.get("label_smoothing", 0.0)),
        sentinel=sentinel,
        **{name: float(data[name]) for name in EXTRAS if name in data},
    )


def _literal_array(value: Any) -> AnyArray:
    """An array of numbers from nested lists, or from a shape and one value, or one row of values."""
    if isinstance(value, Mapping):
        if set(value) - {"strides", "except"} != {"shape", "value"}:
            raise ValueError(f"expected {{ shape, value }} and perhaps strides or except, not {sorted(value)}")
        made = np.full(_literal_shape(value["shape"]), value["value"])
        others = dict(_literal_exceptions(value.get("except", []), made.shape))
        value = made.astype(np.result_type(made, *others.values()))
        for place, other in others.items():
            value[place] = other
    array = np.asarray(value)
    if array.dtype.kind not in "bif":
        raise TypeError(f"not an array of 64-bit numbers: {array.dtype}")
    return array


def _literal_exceptions(entries: Any, shape: tuple[int, ...]) -> Iterable[tuple[tuple[int, ...], Any]]:
    """The index and the value of each element that is not as the others."""
    for entry in entries if isinstance(entries, list) else [entries]:
        numbers = isinstance(entry, list) and all(type(number) in {int, float} for number in entry)
        if not numbers or len(entry) != len(shape) + 1:
            raise TypeError("except must be a list of lists, each an index of every axis and then a number")
        *place, value = entry
        if not all(type(i) is int and 0 <= i < length for i, length in zip(place, shape, strict=True)):
            raise ValueError(f"except: no element {place} in an array of shape {list(shape)}")
        yield tuple(place), value


def _literal_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n <= LARGEST_LITERAL for n in shape):
        raise TypeError(f"shape must be a list of integers from 0 to {LARGEST_LITERAL}")
    if math.prod(shape) > LARGEST_LITERAL:
        raise ValueError(f"more than {LARGEST_LITERAL} elements")
    return tuple(shape)


def _literal_strides(value: Any, axes: int) -> tuple[int, ...] | None:
    """Strides in elements, zero where memory is shared; None: in C order."""
    if not isinstance(value, Mapping) or "strides" not in value:
        return None
    steps = value["strides"]
    known = range(LARGEST_STRIDE + 1)
    if not isinstance(steps, list) or len(steps) != axes or not all(type(n) is int and n in known for n in steps):
        raise TypeError(f"strides must be a list of integers from 0 to {LARGEST_STRIDE}, one for each axis")
    return tuple(steps)


def _array_data(array: AnyArray, recipe: str | None) -> dict[str, Any]:
    data: dict[str, Any] = {"dtype": array.dtype.name, "shape": list(array.shape)}
    if not array.flags.c_contiguous:
        data["strides"] = [s // array.itemsize for s in array.strides]
    if (array.size > MOST_VALUES and recipe is not None) or array.size > MOST_WITHOUT_RECIPE:
        data["recipe"] = recipe or "too many values to write out"
    elif array.dtype.kind == "c":
        data["values"] = [str(v) for v in array.reshape(-1).tolist()]
    else:
        wide = array.astype(np.float64) if is_floating(array.dtype) else array
        data["values"] = wide.reshape(-1).tolist()
    return data


def _array_of(data: Mapping[str, Any]) -> AnyArray:
    if data.get("values") is None:
        raise ValueError("its values are not written out")
    dtype, shape, strides = dtype_of(data["dtype"]), tuple(data["shape"]), data.get("strides")
    values = map(complex, data["values"]) if dtype.kind == "c" else data["values"]
    kind = np.float64 if is_floating(dtype) else dtype
    array = np.array(list(values), dtype=kind).astype(dtype).reshape(shape)
    return array if strides is None else _laid_out(array, strides)


def _laid_out(array: AnyArray, strides: Sequence[int]) -> AnyArray:
    """An array with the same elements and these strides, in elements; where several share a place, the last one's."""
    if not array.size:
        return array
    steps = [(length - 1) * step for length, step in zip(array.shape, strides, strict=True)]
    before, after = -sum(min(step, 0) for step in steps), sum(max(step, 0) for step in steps)
    memory = np.zeros(before + after + 1, array.dtype)
    sizes = [step * array.itemsize for step in strides]
    view = np.lib.stride_tricks.as_strided(memory[before:], array.shape, sizes)
    view[...] = array
    return view
