"""What a page costs, beside starting an interpreter. Quote ratios of one run; no test here asserts a time.

pytest benchmarks/test_report_speed.py --benchmark-columns=median,rounds
"""

import subprocess
import sys
from pathlib import Path

import pytest

from xent_conformance.records.record import read
from xent_reports import html
from xent_reports.causes import causes
from xent_reports.model import run_of

PUBLISHED = Path(__file__).parents[1] / "reports" / "published" / "record.jsonl"


@pytest.mark.benchmark(group="page")
def test_page_of_the_published_record(benchmark):
    record = read(PUBLISHED)

    def page():
        run = run_of(record)
        html.page(run, causes(run))

    benchmark.pedantic(page, rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="page")
def test_interpreter_alone(benchmark):
    benchmark.pedantic(subprocess.run, args=([sys.executable, "-c", "pass"],), rounds=7, warmup_rounds=1)
