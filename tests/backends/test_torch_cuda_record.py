"""The failures of torch on an H200, replayed without a GPU: each is a listed deviation or explained here.

The arithmetic of the CUDA kernels, written down from their sources in ``cuda_arithmetic``, gives the recorded results
on the recorded problems; what the backend ``torch-cuda`` declares is judged against it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'xent-conformance[torch]'")

from backends import cuda_arithmetic  # noqa: E402 - importorskip comes first
from xent_backends import torch_backend  # noqa: E402
from xent_conformance.formats import dtype_of  # noqa: E402
from xent_conformance.judging.judge import findings, judge, trials  # noqa: E402
from xent_conformance.judging.profiles import Settings  # noqa: E402
from xent_conformance.judging.subject import Subject  # noqa: E402
from xent_conformance.judging.trial import Trial  # noqa: E402
from xent_conformance.precision import Precision  # noqa: E402
from xent_conformance.problem import Problem  # noqa: E402
from xent_conformance.records.lines import ArrayLine, Failure, ProblemLine, VerdictLine  # noqa: E402
from xent_conformance.records.record import read  # noqa: E402
from xent_conformance.records.status import UNEXPECTED, Status  # noqa: E402
from xent_conformance.requirements.registry import load  # noqa: E402
from xent_conformance.verdicts import deviations  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RECORD = read(ROOT / "reports" / "published" / "torch-cuda-h200.record.jsonl")
LISTED = deviations.read(ROOT / "backends" / "xent_backends" / "deviations" / "torch-cuda.toml")
VERSION = RECORD.header.backends[0].versions["torch"]
FAILED = [(v, f) for v in RECORD.verdicts if v.status in {*UNEXPECTED, Status.WEAK} for f in v.failures]
#: Failures that are no deviation: in float16 the sum of the smoothed losses, which is stored before it is scaled,
#: overflows. The declaration of 0.1.0, sums over the batch in float32, was wrong.
OVERFLOWS = {"accuracy.every-row-count", "ignore_index.content-is-irrelevant-to-loss", "reduction.sum-of-rows"}
#: A fault of the bounds of 0.1.0, which forgot that a share stored in float16 may be subnormal.
UNDERFLOWS = {"label_smoothing.every-amount"}
#: The precision declared in 0.1.0.
PROVISIONAL = Precision(log="approximate")


class CudaArithmetic(torch_backend.TorchBackend):
    """torch with the losses and log_softmax of the CUDA kernels."""

    def log_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        """That of cuda/SoftMax.cu."""
        return cuda_arithmetic.log_softmax(logits)

    def nll_loss(self, log_probs: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
        """That of cuda/Loss.cu and cuda/NLLLoss2d.cu."""
        return cuda_arithmetic.nll_loss(log_probs, target, **options)


def subject_of(dtype: str, precision: Precision | None = None) -> Subject:
    """The arithmetic of the kernels under the claims of the backend, or with another precision."""
    claims = torch_backend.CUDA
    if precision is not None:
        claims = replace(claims, precision=precision)
    return Subject.of(CudaArithmetic("torch-cuda", claims, "cpu", cuda_arithmetic.cross_entropy, "", ""), dtype)


def array_of(line: ArrayLine | None) -> Any:
    """A recorded array."""
    if line is None:
        return None
    assert line.values is not None
    return np.array(line.values, dtype=np.float64).astype(dtype_of(line.dtype)).reshape(line.shape)


def problem_of(line: ProblemLine) -> Problem:
    """A recorded problem, in C order."""
    arrays = {name: array_of(getattr(line, name)) for name in ("logits", "target", "weight", "cotangent")}
    options = {name: getattr(line, name) for name in ("ignore_index", "reduction", "label_smoothing", "sentinel")}
    return Problem(**arrays, **options)


def failing(requirement: str, subject: Subject, problem: Problem) -> bool:
    """Whether a requirement fails on exactly this problem."""
    return any(finding.failed for finding in findings(load()[requirement], Trial(subject, problem)))


def result(failure: Failure, trial: Trial) -> Any:
    """What the kernels' arithmetic gives where the device gave ``failure.got``."""
    index = tuple(failure.index or ())
    if failure.quantity == "grad_logits":
        return trial.gradients().logits[index]
    if failure.quantity == "nll_loss(log_softmax)":
        return trial.loss(trial.nll_call)[index]
    return trial.loss()[index]


def named(case: tuple[VerdictLine, Failure]) -> str:
    """Requirement and dtype of a failure."""
    return f"{case[0].requirement}-{case[0].dtype}"


@pytest.mark.parametrize("case", FAILED, ids=named)
def test_the_arithmetic_of_the_kernels_gives_what_the_device_gave(case: tuple[VerdictLine, Failure]) -> None:
    verdict, failure = case
    subject, problem = subject_of(verdict.dtype), problem_of(failure.problem)
    if failure.index is not None:
        np.testing.assert_equal(result(failure, Trial(subject, problem)), failure.got)
        return
    (finding,) = (f for f in findings(load()[verdict.requirement], Trial(subject, problem)) if f.failed)
    got = str(failure.got).removeprefix("returned ").removeprefix("raised ")
    assert got in finding.message


@pytest.mark.parametrize("case", FAILED, ids=named)
def test_every_recorded_failure_is_listed_or_explained(case: tuple[VerdictLine, Failure]) -> None:
    """A listed one still fails under what is declared, on a problem of its entry; an explained one no longer does."""
    verdict, failure = case
    subject, problem = subject_of(verdict.dtype), problem_of(failure.problem)
    entries = [e for e in LISTED if e.concerns(verdict.requirement, verdict.dtype, VERSION) and e.excuses(problem)]
    explained = verdict.dtype == "float16" and verdict.requirement in OVERFLOWS | UNDERFLOWS
    assert len(entries) == (0 if explained else 1)
    assert failing(verdict.requirement, subject, problem) is not explained


@pytest.mark.parametrize("requirement", sorted(OVERFLOWS))
def test_sums_over_the_batch_in_float32_would_not_have_overflowed(requirement: str) -> None:
    """What explains the overflows is the declared sum over the batch and nothing else."""
    ((_, failure),) = (case for case in FAILED if case[0].requirement == requirement and case[0].dtype == "float16")
    assert failing(requirement, subject_of("float16", PROVISIONAL), problem_of(failure.problem))
    assert not failing(
        requirement, subject_of("float16", replace(PROVISIONAL, batch_sum="native")), problem_of(failure.problem)
    )


def test_subnormal_shares_are_within_the_bounds_whatever_is_declared() -> None:
    (problem,) = (problem_of(f.problem) for v, f in FAILED if v.requirement in UNDERFLOWS)
    assert not failing(*UNDERFLOWS, subject_of("float16", PROVISIONAL), problem)


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: f"{entry.requirements[0]}-{'-'.join(entry.where)}")
def test_every_entry_is_about_failures_of_the_record(entry: deviations.Deviation) -> None:
    """Each of its requirements failed on the device in each of its dtypes, and fails on its witness."""
    for requirement in entry.requirements:
        dtypes = {v.dtype for v, _ in FAILED if v.requirement == requirement}
        assert dtypes
        assert set(entry.dtypes) <= dtypes
        for dtype in entry.dtypes or dtypes:
            assert failing(requirement, subject_of(dtype), entry.witness_for(dtype, -100))


def test_as_many_problems_fail_as_failed_on_the_device_and_all_are_listed() -> None:
    """The record shows one failing problem of each verdict and counts all.

    Labels of every dtype are drawn by a stream since then: how many of its problems fail there only a device can say.
    """
    requirement = "invalid_calls.smoothing-out-of-range"
    ((verdict, failure),) = (c for c in FAILED if c[0].requirement == requirement and c[0].dtype == "float32")
    subject, entries = subject_of("float32"), [e for e in LISTED if requirement in e.requirements]
    judged = [
        (trial.problem, any(f.failed for f in found))
        for drawn in trials(subject, load()[requirement].source, Settings())
        for trial, found in judge(load()[requirement], drawn)
    ]
    failed = [problem for problem, fails in judged if fails]
    assert failure.found is not None
    assert (len(failed), len(judged)) == (failure.found.failing_examples, verdict.examples)
    assert all(any(entry.excuses(problem) for entry in entries) for problem in failed)
    assert all(any(entry.excuses(problem) for problem in failed) for entry in entries)
