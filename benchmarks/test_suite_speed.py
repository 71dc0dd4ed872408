"""What the suite itself costs. Quote ratios of one run; no test here asserts a time.

pytest benchmarks --benchmark-columns=median,rounds
"""

import subprocess
import sys

import pytest

import frozen_baseline
from xent_conformance.judging.judge import trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.loader import load
from xent_conformance.requirements.registry import grouped
from xent_conformance.requirements.registry import load as load_requirements
from xent_conformance.strategies.streams import Stream
from xent_conformance.verdicts.evaluation import evaluate

SETTINGS = Settings("default", 0)


@pytest.fixture(scope="module")
def subject():
    return Subject.of(load("numpy")[0], "float32")


def judge(subject):
    """Verdicts of the requirements that share streams, by stream."""
    groups = grouped(load_requirements().values())
    return {s: evaluate(subject, group, SETTINGS) for s, group in groups.items() if isinstance(s, Stream)}


@pytest.mark.benchmark(group="row-verdicts per second")
def test_this_suite(benchmark, subject):
    rows = 0
    for source, verdicts in benchmark.pedantic(judge, args=(subject,), rounds=1, warmup_rounds=0).items():
        judged = sum(bool(v.tally.examples) for v in verdicts.values())
        rows += judged * sum(trial.problem.rows for trial in trials(subject, source, SETTINGS))
    benchmark.extra_info["row_verdicts_per_second"] = rows / benchmark.stats.stats.min


@pytest.mark.benchmark(group="row-verdicts per second")
def test_frozen_baseline(benchmark, subject):
    rows = benchmark.pedantic(frozen_baseline.run, args=(subject.executor.backend,), rounds=1, warmup_rounds=0)
    benchmark.extra_info["row_verdicts_per_second"] = rows / benchmark.stats.stats.min


def python(*arguments):
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


@pytest.mark.benchmark(group="start-up")
def test_interpreter_alone(benchmark):
    benchmark.pedantic(python, args=("-c", "pass"), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="start-up")
def test_import_of_the_suite(benchmark):
    benchmark.pedantic(python, args=("-c", "import xent_conformance"), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="start-up")
def test_import_of_the_interface(benchmark):
    benchmark.pedantic(python, args=("-c", "import xent_conformance.interface"), rounds=7, warmup_rounds=1)


@pytest.fixture
def unrelated(tmp_path):
    (tmp_path / "test_unrelated.py").write_text("def test_nothing():\n    pass\n")
    return str(tmp_path)


@pytest.mark.benchmark(group="unrelated pytest run")
def test_without_the_plugin(benchmark, unrelated):
    benchmark.pedantic(python, args=("-m", "pytest", "-q", "-p", "no:xent", unrelated), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="unrelated pytest run")
def test_with_the_plugin(benchmark, unrelated):
    benchmark.pedantic(python, args=("-m", "pytest", "-q", unrelated), rounds=7, warmup_rounds=1)
