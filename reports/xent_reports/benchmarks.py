"""Medians from the JSON file of pytest-benchmark, as the ``speed`` entries of a record's header.

``benchmarks/test_backend_speed.py`` says in each benchmark's ``extra_info`` what was timed; others are left out.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from xent_conformance.records.record import RecordError
from xent_reports.files import json_object
from xent_reports.shapes import Count, Name, OddError, Shape, has

WHAT: Shape = {"backend": Name, "quantity": Name, "dtype": Name, "rows": Count, "classes": Count}
STATS: Shape = {"median": (int, float), "iqr": (int, float)}


def speed(path: Path) -> list[dict[str, Any]]:
    """The entries of a file; raises RecordError, naming it, where it is damaged or has no benchmark of a backend."""
    content = json_object(path)
    try:
        has(content, "the file", {"benchmarks": list}, {})
        found = [_entry(b, place) for place, b in enumerate(content["benchmarks"]) if _is_ours(b)]
    except OddError as error:
        raise RecordError(f"{path}: not a result of pytest-benchmark: {error}") from error
    if not found:
        command = "pytest benchmarks/test_backend_speed.py --benchmark-json=FILE"
        raise RecordError(f"{path}: no benchmark of a backend; `{command}` has them")
    return found


def _is_ours(benchmark: Any) -> bool:
    """Whether a benchmark says what it timed, or is too odd to tell."""
    extra = benchmark.get("extra_info") or {} if isinstance(benchmark, dict) else None
    return not isinstance(extra, dict) or "backend" in extra


def _entry(benchmark: Any, place: int) -> dict[str, Any]:
    where = f"benchmarks[{place}]"
    has(benchmark, where, {"extra_info": dict, "stats": dict}, {})
    what, stats = benchmark["extra_info"], benchmark["stats"]
    has(what, f"extra_info of {where}", WHAT, {})
    has(stats, f"stats of {where}", STATS, {})
    if not all(math.isfinite(stats[key]) and stats[key] >= 0 for key in STATS):
        raise OddError(f"the times of {where} are not times")
    return {key: what[key] for key in WHAT} | {key: stats[key] for key in STATS}
