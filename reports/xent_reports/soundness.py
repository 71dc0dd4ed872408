"""Whether a record that parses also has the parts the report reads, so that a damaged one is refused by name.

:func:`xent_conformance.record.read` checks the lines; this checks what is in them, without a JSON Schema library.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from xent_conformance.record import Record, RecordError, Status
from xent_reports.shapes import Number, OddError, Scalar, Shape, has

HEADER: Shape = {
    **dict.fromkeys(("suite", "started", "profile", "python", "platform"), str),
    "seed": int,
    "libraries": dict,
    "backends": list,
    "requirements": list,
}
BACKEND: Shape = {"name": str, "device": str, "versions": dict, "capabilities": dict, "conventions": dict}
BACKEND_OPTIONAL: Shape = {"documentation": dict, "forms": list, "spec": str, "unavailable": str}
REQUIREMENT: Shape = {"id": str, "title": str, "level": str, "statement": str, "family": str, "references": list}
VERDICT: Shape = {"device": str, "examples": int, "exercised": int}
VERDICT_OPTIONAL: Shape = {
    "ratio": Number,
    "bins": list,
    "reason": str,
    "observed": str,
    "failure": dict,
    "deviations": list,
    "seconds": Number,
}
BIN: Shape = {"classes": int, "count": int, "ratio": Number, "ulp": Number}
FAILURE: Shape = {"quantity": str, "message": str, "problem": dict}
FAILURE_OPTIONAL: Shape = {
    "index": list,
    "expected": Scalar,
    "got": Scalar,
    "bound": Number,
    "ratio": Number,
    "found": dict,
    "text": str,
    "reproducer": str,
    "command": str,
}
PROBLEM: Shape = {"logits": dict, "target": dict, "reduction": str}
PROBLEM_OPTIONAL: Shape = {"weight": dict, "cotangent": dict, "ignore_index": int, "label_smoothing": Number}
ARRAY: Shape = {"dtype": str, "shape": list}
ARRAY_OPTIONAL: Shape = {"values": list, "recipe": str, "strides": list}
DEVIATION: Shape = {"reason": str, "issue": str}
DEVIATION_OPTIONAL: Shape = {"versions": str, "witness": dict}
FOOTER: Shape = {"exit": int, "verdicts": int, "counts": dict}
FOOTER_OPTIONAL: Shape = {"seconds": Number, "error": str}
MERGED: Shape = {
    **dict.fromkeys(("name", "started", "profile"), str),
    "seed": int,
    "verdicts": int,
    "truncated": bool,
}
MERGED_OPTIONAL: Shape = {"exit": int, "seconds": Number, "error": str, "copies": list}
SPEED: Shape = {"backend": str, "quantity": str, "dtype": str, "rows": int, "classes": int, "median": Number}
SPEED_OPTIONAL: Shape = {"iqr": Number, "rounds": int}
ANY: Shape = {}


def checked(record: Record) -> Record:
    """The record; raises RecordError, naming file and place, where something the report reads is missing or odd."""
    try:
        _check(record)
    except OddError as error:
        raise RecordError(f"{record.path}: damaged: {error}") from error
    return record


def _check(record: Record) -> None:
    has(record.header, "the header", HEADER, {"speed": list, "merged": list, "conventions": dict})
    for place, backend in enumerate(record.header["backends"]):
        has(backend, f"backends[{place}] of the header", BACKEND, BACKEND_OPTIONAL)
    for place, requirement in enumerate(record.header["requirements"]):
        has(requirement, f"requirements[{place}] of the header", REQUIREMENT, ANY)
    for place, run in enumerate(record.header.get("merged") or []):
        has(run, f"merged[{place}] of the header", MERGED, MERGED_OPTIONAL)
    for place, row in enumerate(record.header.get("speed") or []):
        has(row, f"speed[{place}] of the header", SPEED, SPEED_OPTIONAL)
    backends = {b["name"] for b in record.header["backends"]}
    requirements = {r["id"] for r in record.header["requirements"]}
    seen: set[tuple[Any, ...]] = set()
    for verdict in record.verdicts:
        key = tuple(verdict.get(k) for k in ("requirement", "backend", "dtype", "device"))
        try:
            _verdict(verdict)
            _belongs(verdict, backends, requirements)
            _is_new(key, seen)
        except OddError as error:
            raise OddError(f"the verdict on {', '.join(map(repr, key[:3]))}: {error}") from error
    if record.footer is not None:
        _footer(record.footer, record.verdicts)


def _belongs(verdict: dict[str, Any], backends: set[str], requirements: set[str]) -> None:
    if verdict["backend"] not in backends or verdict["requirement"] not in requirements:
        raise OddError("the header does not list what it is about")


def _is_new(key: tuple[Any, ...], seen: set[tuple[Any, ...]]) -> None:
    if key in seen:
        raise OddError("it is there twice")
    seen.add(key)


def _verdict(verdict: dict[str, Any]) -> None:
    has(verdict, "it", VERDICT, VERDICT_OPTIONAL)
    for entry in verdict.get("bins") or []:
        has(entry, "a bin", BIN, ANY)
    if verdict.get("failure"):
        _failure(verdict["failure"], "its failure")
    for deviation in verdict.get("deviations") or []:
        has(deviation, "a deviation", DEVIATION, DEVIATION_OPTIONAL)
        if deviation.get("witness"):
            _failure(deviation["witness"], "a witness")


def _failure(failure: dict[str, Any], where: str) -> None:
    has(failure, where, FAILURE, FAILURE_OPTIONAL)
    problem = failure["problem"]
    has(problem, f"the problem of {where}", PROBLEM, PROBLEM_OPTIONAL)
    for name in ("logits", "target", "weight", "cotangent"):
        if problem.get(name) is not None:
            _array(problem[name], f"{name} of {where}")
    if not all(type(i) is int for i in failure.get("index") or []):
        raise OddError(f"the index of {where} is not one")


def _array(array: dict[str, Any], where: str) -> None:
    has(array, where, ARRAY, ARRAY_OPTIONAL)
    if not all(type(n) is int and n >= 0 for n in array["shape"]):
        raise OddError(f"the shape of {where} is not one")
    values = array.get("values")
    if values is not None and len(values) != math.prod(array["shape"]):
        raise OddError(f"{where} has {len(values)} values for the shape {array['shape']}")
    if any(isinstance(v, list | dict) for v in values or []):
        raise OddError(f"{where} has values that are not numbers")


def _footer(footer: dict[str, Any], verdicts: list[dict[str, Any]]) -> None:
    has(footer, "the footer", FOOTER, FOOTER_OPTIONAL)
    if footer["verdicts"] != len(verdicts):
        raise OddError(f"its footer counts {footer['verdicts']} verdicts, there are {len(verdicts)}")
    found = Counter(v["status"] for v in verdicts)
    for status in Status:
        if footer["counts"].get(status, 0) != found[status]:
            counted = footer["counts"].get(status, 0)
            raise OddError(f"its footer counts {counted} of {status}, there are {found[status]}")
