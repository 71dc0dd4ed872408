"""Whether a record that parses also has the parts the report reads, so that a damaged one is refused by name.

:func:`xent_conformance.records.record.read` checks the lines; this checks what is in them, without a JSON Schema
library.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from xent_conformance.records.record import Record, RecordError, Status
from xent_reports.shapes import Count, Name, Number, OddError, Scalar, Shape, at_most, has
from xent_reports.visible import abridged

#: Backends, requirements and dtypes span the matrix; fields and backends span the tables of claims.
MAX_BACKENDS, MAX_REQUIREMENTS, MAX_DTYPES, MAX_FIELDS = 64, 1000, 16, 200
MAX_VERDICTS = 100_000
#: Entries of one verdict: class counts in powers of two, listed deviations, axes of an array.
MAX_BINS, MAX_DEVIATIONS, MAX_AXES = 64, 100, 64
LEVELS = ("MUST", "SHOULD", "OBSERVED")

HEADER: Shape = {
    "suite": Name,
    **dict.fromkeys(("started", "profile", "python", "platform"), str),
    "seed": int,
    "libraries": dict,
    "backends": list,
    "requirements": list,
}
HEADER_OPTIONAL: Shape = {"command": str, "speed": list, "merged": list, "conventions": dict}
BACKEND: Shape = {"name": Name, "device": str, "versions": dict, "capabilities": dict, "conventions": dict}
BACKEND_OPTIONAL: Shape = {"documentation": dict, "forms": list, "spec": str, "unavailable": str, "broken": bool}
REQUIREMENT: Shape = {"id": Name, "title": str, "level": str, "statement": str, "family": Name, "references": list}
VERDICT: Shape = {"dtype": Name, "device": str, "examples": Count, "exercised": Count}
VERDICT_OPTIONAL: Shape = {
    "ratio": Number,
    "bins": list,
    "reason": str,
    "observed": str,
    "failure": dict,
    "deviations": list,
    "seconds": Number,
}
BIN: Shape = {"classes": Count, "count": Count, "ratio": Number, "ulp": Number}
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
ARRAY: Shape = {"dtype": Name, "shape": list}
ARRAY_OPTIONAL: Shape = {"values": list, "recipe": str, "strides": list}
DEVIATION: Shape = {"reason": str, "issue": str}
DEVIATION_OPTIONAL: Shape = {"versions": str, "witness": dict}
FOOTER: Shape = {"exit": int, "verdicts": Count, "counts": dict}
FOOTER_OPTIONAL: Shape = {"seconds": Number, "error": str}
MERGED: Shape = {
    **dict.fromkeys(("name", "started", "profile"), str),
    "seed": int,
    "verdicts": int,
    "truncated": bool,
}
MERGED_OPTIONAL: Shape = {"exit": int, "seconds": Number, "error": str, "copies": list}
SPEED: Shape = {"backend": Name, "quantity": Name, "dtype": Name, "rows": Count, "classes": Count, "median": Number}
SPEED_OPTIONAL: Shape = {"iqr": Number, "rounds": int}
ANY: Shape = {}


def checked(record: Record) -> Record:
    """The record; raises RecordError, naming file and line, where something the report reads is missing or odd."""
    place = 1
    try:
        _header(record.header)
        at_most(MAX_VERDICTS, record.verdicts, "the verdicts")
        at_most(MAX_DTYPES, {str(v.get("dtype")) for v in record.verdicts}, "the dtypes of the verdicts")
        listed = _Listed(record.header)
        for place, verdict in enumerate(record.verdicts, start=2):  # noqa: B007 - for the message
            _verdict(verdict)
            listed.check(verdict)
        place = len(record.verdicts) + 2
        if record.footer is not None:
            _footer(record.footer, record.verdicts)
    except OddError as error:
        raise RecordError(f"{record.path}:{place}: damaged: {error}") from error
    return record


def _header(header: dict[str, Any]) -> None:
    has(header, "the header", HEADER, HEADER_OPTIONAL)
    at_most(MAX_BACKENDS, header["backends"], "the backends of the header")
    at_most(MAX_REQUIREMENTS, header["requirements"], "the requirements of the header")
    for place, backend in enumerate(header["backends"]):
        where = f"backends[{place}] of the header"
        has(backend, where, BACKEND, BACKEND_OPTIONAL)
        for key in ("versions", "capabilities", "conventions"):
            at_most(MAX_FIELDS, backend[key], f"{key!r} of {where}")
    for place, requirement in enumerate(header["requirements"]):
        where = f"requirements[{place}] of the header"
        has(requirement, where, REQUIREMENT, ANY)
        _one_of(LEVELS, requirement["level"], f"'level' of {where}")
    for place, run in enumerate(header.get("merged") or []):
        has(run, f"merged[{place}] of the header", MERGED, MERGED_OPTIONAL)
    for place, row in enumerate(header.get("speed") or []):
        has(row, f"speed[{place}] of the header", SPEED, SPEED_OPTIONAL)
    for identity in ("backends", ("name", "device")), ("requirements", ("id",)):
        _are_distinct(header, *identity)


def _are_distinct(header: dict[str, Any], field: str, identity: tuple[str, ...]) -> None:
    names = [tuple(entry[k] for k in identity) for entry in header[field]]
    if len(set(names)) < len(names):
        raise OddError(f"the header lists one of its {field} twice")


def _one_of(known: Sequence[str], value: str, where: str) -> None:
    if value not in known:
        raise OddError(f"{where} is {abridged(repr(value))}, not one of {', '.join(known)}")


class _Listed:
    """What the header lists, and what verdicts were seen."""

    def __init__(self, header: dict[str, Any]) -> None:
        self.backends = {b["name"] for b in header["backends"]}
        self.requirements = {r["id"] for r in header["requirements"]}
        self.seen: set[tuple[str, ...]] = set()

    def check(self, verdict: dict[str, Any]) -> None:
        """The verdict is about what the header lists, and the first one about it."""
        key = tuple(verdict[k] for k in ("requirement", "backend", "dtype", "device"))
        told = f"the verdict on {', '.join(abridged(repr(part)) for part in key[:3])}"
        if verdict["backend"] not in self.backends or verdict["requirement"] not in self.requirements:
            raise OddError(f"{told}: the header does not list what it is about")
        if key in self.seen:
            raise OddError(f"{told}: it is there twice")
        self.seen.add(key)


def _verdict(verdict: dict[str, Any]) -> None:
    has(verdict, "the verdict", VERDICT, VERDICT_OPTIONAL)
    _one_of(LEVELS, verdict["level"], "'level' of the verdict")
    at_most(MAX_BINS, verdict.get("bins") or (), "the bins of the verdict")
    at_most(MAX_DEVIATIONS, verdict.get("deviations") or (), "the deviations of the verdict")
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
    at_most(MAX_AXES, failure.get("index") or (), f"the index of {where}")
    if not all(type(i) is int for i in failure.get("index") or []):
        raise OddError(f"the index of {where} is not one")


def _array(array: dict[str, Any], where: str) -> None:
    has(array, where, ARRAY, ARRAY_OPTIONAL)
    for key in ("shape", "strides"):
        at_most(MAX_AXES, array.get(key) or (), f"{key!r} of {where}")
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
