"""Values of loss, log_softmax and softmax against the exact answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xent_conformance.bounds.error_model import ErrorModel
from xent_conformance.calling.calls import primitive
from xent_conformance.formats import format_named
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import PRIMITIVES
from xent_conformance.judging.trial import Trial
from xent_conformance.precision import RECOMMENDED, TIERS, Precision
from xent_conformance.requirements.checks import loss_finding
from xent_conformance.requirements.registry import Level, requirement


@requirement(
    "accuracy.loss",
    "loss within its bound",
    references=[
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html",
        "https://github.com/pytorch/pytorch/issues/11752",
        "https://github.com/Oneflow-Inc/oneflow/issues/3137",
        "https://github.com/tracel-ai/burn/issues/5568",
    ],
)
def test_loss_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The loss differs from the exact value by no more than the rounding of the declared precision explains, for class
    indices and probabilities, every reduction, weights, ignored rows and smoothing in any combination.
    """
    yield loss_finding(trial)


@requirement(
    "accuracy.loss-in-float32",
    "loss as accurate as float32 arithmetic",
    level=Level.SHOULD,
    references=["https://github.com/google-deepmind/optax/issues/1020"],
)
def test_loss_is_as_accurate_as_float32_arithmetic(trial: Trial) -> Iterator[Finding]:
    """The loss is as accurate as arithmetic in float32 or wider makes it, with one rounding at the end, whatever the
    precision that is declared.
    """
    if not loss_finding(trial).failed:  # else it is no matter of float32
        yield loss_finding(trial, RECOMMENDED)


@requirement(
    "accuracy.log-softmax",
    "log_softmax within its bound",
    needs=[PRIMITIVES],
    references=["https://github.com/pytorch/pytorch/issues/38839", "https://github.com/ml-explore/mlx/pull/4188"],
)
def test_log_softmax_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """Every element of log_softmax differs from the exact value by no more than the declared precision explains."""
    exact, bound = trial.answer.log_softmax, trial.bounds.log_softmax
    if trial.problem.ignored().any():
        return
    observed = trial.primitive("log_softmax")
    yield trial.compare("log_softmax", observed, exact, bound, call=primitive("log_softmax", trial.problem.logits))


@requirement(
    "accuracy.softmax",
    "softmax within its bound",
    needs=[PRIMITIVES],
    references=["https://github.com/pytorch/executorch/pull/20090"],
)
def test_softmax_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """Every probability differs from the exact value by no more than the declared precision explains."""
    if trial.problem.ignored().any():
        return
    exact, bound = trial.answer.softmax, trial.bounds.softmax
    call = primitive("softmax", trial.problem.logits)
    yield trial.compare("softmax", trial.primitive("softmax"), exact, bound, call=call)


def _tiers(dtype: str) -> dict[str, Precision]:
    """Tiers that differ for a dtype: for float32 and float64 most coincide."""
    found: dict[str, Precision] = {}
    models: list[dict[str, object]] = []
    for name, precision in TIERS.items():
        model = vars(ErrorModel(format_named(dtype), precision))
        if model not in models:
            models.append(model)
            found[name] = precision
    return found


def _tightest(worst: Iterable[Finding]) -> str:
    """The first tier that every example met, and by how much the one before it was missed."""
    missed = ""
    for finding in worst:
        if not finding.failed:
            return f"{finding.quantity} (largest ratio {finding.ratio:.2g})" + (
                f"; not met: {missed}" if missed else ""
            )
        missed = f"{finding.quantity} ({finding.ratio:.3g} times its bound)"
    return f"none; not met: {missed}"


@requirement("accuracy.tightest-tier", "tightest precision tier met", level=Level.OBSERVED, observe=_tightest)
def test_tightest_tier(trial: Trial) -> Iterator[Finding]:
    """The report names the tightest tier of precision that every loss met, and how far the next one was missed."""
    for name, precision in _tiers(trial.subject.dtype).items():
        yield loss_finding(trial, precision, name)
