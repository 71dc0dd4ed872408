"""Medians from the JSON file of pytest-benchmark, as the ``speed`` entries of a record's header.

``benchmarks/test_backend_speed.py`` states in each benchmark's ``extra_info`` what was timed; other benchmarks are
skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import asdict

from xent_conformance.records.lines import Count, Name, Timing
from xent_conformance.records.plain import from_data
from xent_conformance.records.record import RecordError, brief
from xent_reports.files import json_object

Seconds = Annotated[float, Meta(ge=0)]


class Stats(msgspec.Struct):
    """The times of a benchmark."""

    median: Seconds
    iqr: Seconds


class Timed(msgspec.Struct):
    """The measurement of one of this repository's benchmarks."""

    backend: Name
    quantity: Name
    dtype: Name
    rows: Count
    classes: Count


class Benchmark(msgspec.Struct):
    """An entry of the file."""

    stats: dict[str, Any]
    extra_info: dict[str, Any] = {}


class BenchmarkFile(msgspec.Struct):
    """The file that pytest-benchmark writes."""

    benchmarks: list[Benchmark]


def speed(path: Path) -> list[Timing]:
    """The entries of a file; raises RecordError, naming it, where it is damaged or has no benchmark of a backend."""
    content = json_object(path)
    try:
        listed = from_data(content, BenchmarkFile).benchmarks
        ours = [
            (from_data(b.extra_info, Timed), from_data(b.stats, Stats)) for b in listed if "backend" in b.extra_info
        ]
    except ValueError as error:
        raise RecordError(f"{path}: not a result of pytest-benchmark: {brief(error)}") from error
    if not ours:
        command = "pytest benchmarks/test_backend_speed.py --benchmark-json=FILE"
        raise RecordError(f"{path}: no benchmark of a backend; `{command}` has them")
    return [Timing(**asdict(what), **asdict(times)) for what, times in ours]
