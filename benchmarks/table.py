"""The table of what judging costs, as Markdown: each figure as a ratio to another one of the same run.

    python benchmarks/table.py                      all parts
    python benchmarks/table.py --only rows,sizes    some parts
    python benchmarks/table.py --profiles quick     runs and scaling with the quick profile alone

Processor seconds are those of the command and of all processes that it starts, user and system. They change less than
the time on a clock where others use the machine too; only the scaling by cores needs an idle one.
"""

import argparse
import ctypes
import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np

import frozen_baseline
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.loader import load
from xent_conformance.oracle import Answer
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import grouped
from xent_conformance.requirements.registry import load as load_requirements
from xent_conformance.strategies.streams import Stream
from xent_conformance.verdicts.evaluation import evaluate

#: Backends whose runs are measured, where they are installed.
BACKENDS = ("numpy", "torch", "jax")
#: The requirements of the loss and of the gradient whose cost by size is measured.
JUDGED = ("accuracy.loss", "gradients.logits")
#: Powers of two of the sizes, and the length of the other axis.
POWERS, OTHER = (10, 12, 14, 16, 18, 20), 4
_PR_SET_CHILD_SUBREAPER = 36


def row_verdicts(_):
    """Row-verdicts in a processor second: rows judged, summed over requirements, beside the frozen baseline."""
    subject, settings = Subject.of(load("numpy")[0], "float32"), Settings("default", 0)
    start = time.process_time()
    frozen = frozen_baseline.run(subject.executor.backend) / (time.process_time() - start)
    rows, spent = 0, 0.0
    for source, group in grouped(load_requirements().values()).items():
        if not isinstance(source, Stream):
            continue
        start = time.process_time()
        verdicts = evaluate(subject, group, settings)
        spent += time.process_time() - start
        judged = sum(bool(v.tally.examples) for v in verdicts.values())
        rows += judged * sum(trial.problem.rows for trial in trials(subject, source, settings))
    yield "## Row-verdicts\n"
    yield "| | row-verdicts a processor second | times the frozen baseline |"
    yield "|---|--:|--:|"
    yield f"| frozen baseline | {frozen:,.0f} | 1 |"
    yield f"| streams of the default profile, numpy, float32 | {rows / spent:,.0f} | {rows / spent / frozen:.1f} |"


def spent(*arguments):
    """Processor seconds and seconds of a command with all processes that it starts, and its exit code."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    code = subprocess.run([sys.executable, *arguments], capture_output=True, check=False).returncode
    seconds = time.perf_counter() - start
    # Processes that outlive the command are children of this one now: see ``adopt``.
    with suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds, code


def adopt():
    """Become the parent of processes whose own parent ends, so that their processor time counts; only on Linux."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def run_of(backend, profile, workers, *more):
    with tempfile.TemporaryDirectory() as folder:
        command = ("-m", "xent_conformance", "run", backend, "--profile", profile, "-n", str(workers), *more)
        processor, seconds, code = spent(*command, "--output", str(Path(folder) / "report"))
    if code not in (0, 1):
        raise SystemExit(f"xent run {backend} --profile {profile} ended with exit code {code}")
    return processor, seconds


def runs(profiles):
    """Processor seconds of whole runs, and as a multiple of those that importing the backend takes."""
    yield "## Whole runs, all dtypes, `-n 1`\n"
    yield "| backend | profile | processor seconds | seconds | times its import |"
    yield "|---|---|--:|--:|--:|"
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is None:
            continue
        imported = min(spent("-c", f"import numpy, {backend}")[0] for _ in range(3))
        for profile in profiles:
            processor, seconds = run_of(backend, profile, 1)
            yield f"| {backend} | {profile} | {processor:.1f} | {seconds:.1f} | {processor / imported:.0f} |"


def scaling(profiles):
    """Seconds of a run of numpy by number of cores and processes, with the longest profile.

    It needs an idle machine, and Linux, where a process can be kept to some of the cores.
    """
    cores = sorted(os.sched_getaffinity(0))
    yield f"## `xent run numpy --profile {profiles[-1]}` by number of cores and processes\n"
    yield "| cores | `-n` | seconds | times faster than one core | processor seconds, times those of one core |"
    yield "|--:|--:|--:|--:|--:|"
    first = None
    for number, workers in ((1, 1), (2, 1), (2, 2), (4, 4), (8, 8)):
        if number > len(cores):
            break
        # Processes that are started from here have the same cores.
        os.sched_setaffinity(0, cores[:number])
        processor, seconds = run_of("numpy", profiles[-1], workers)
        first = first or (processor, seconds)
        yield f"| {number} | {workers} | {seconds:.1f} | {first[1] / seconds:.2f} | {processor / first[0]:.2f} |"
    os.sched_setaffinity(0, cores)


def large_problem(rows, classes):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((rows, classes), dtype=np.float32)
    return Problem(logits, rng.integers(0, classes, rows), reduction="sum", cotangent=np.array(1.0, np.float32))


def traced(action):
    """Most bytes that an action has allocated at the same time."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def sizes(_):
    """The cost of judging one loss and one gradient, and the memory of their exact answers, as N or C grows."""
    subject = Subject.of(load("numpy")[0], "float32")
    requirements = [load_requirements()[identifier] for identifier in JUDGED]

    def judged(problem):
        trial = Trial(subject, problem)
        for requirement in requirements:
            for _ in judge(requirement, trial):
                pass

    def answered(problem):
        answer = Answer(problem, subject.conventions)
        return answer.loss, answer.grad_logits

    yield f"## Judging {' and '.join(f'`{name}`' for name in JUDGED)} by size, float32\n"
    yield "| N | C | seconds | nanoseconds an element | memory of judging, times the logits | of the exact answers |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for shape in [(2**p, OTHER) for p in POWERS] + [(OTHER, 2**p) for p in POWERS]:
        problem = large_problem(*shape)
        times = []
        for _ in range(3):
            start = time.process_time()
            judged(problem)
            times.append(time.process_time() - start)
        each = min(times) / problem.logits.size
        memory, exact = (traced(lambda a=act, p=problem: a(p)) / problem.logits.nbytes for act in (judged, answered))
        yield f"| {shape[0]} | {shape[1]} | {min(times):.4f} | {each * 1e9:.0f} | {memory:.1f} | {exact:.1f} |"


PARTS = {"rows": row_verdicts, "runs": runs, "scaling": scaling, "sizes": sizes}


def main():
    parser = argparse.ArgumentParser(description="Measure what judging costs, and print the table as Markdown.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, by default all: {','.join(PARTS)}")
    parser.add_argument("--profiles", default="quick,default", help="of runs and scaling (default: quick,default)")
    options = parser.parse_args()
    adopt()
    for name in options.only.split(","):
        for line in PARTS[name](options.profiles.split(",")):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
