"""Loss, log_softmax and softmax compared with the exact answer, also for logits far from zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.profiles import foremost_of
from xent_conformance.judging.subject import EITHER_SOFTMAX, GRADIENT, HALF, LOG_SOFTMAX, SOFTMAX, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem, array_of
from xent_conformance.requirements import references
from xent_conformance.requirements.checks import as_in_float32, gradient_finding, loss_finding
from xent_conformance.requirements.functions import function_finding
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.sweeps import thinned
from xent_conformance.requirements.tiers import tiers, tightest
from xent_conformance.requirements.twins import claims_rank, in_portions, problem_of, row_shape_of
from xent_conformance.strategies.broad import SIZES
from xent_conformance.strategies.sources import listed


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
    "accuracy.any-size",
    "loss at sizes of every magnitude",
    source=SIZES,
    references=[*references.CLASS_COUNTS, *references.ROW_COUNTS],
)
def test_loss_is_within_its_bound_at_any_size(trial: Trial) -> Iterator[Finding]:
    """With up to 65536 rows, or up to 151936 classes, whether their number is at the edge of a block or not, the loss
    is within its bound, in every reduction, rank and memory layout and with all options combined.
    """
    yield loss_finding(trial)


@requirement(
    "accuracy.loss-in-float32",
    "loss as accurate as float32 arithmetic",
    level=Level.SHOULD,
    references=["https://github.com/google-deepmind/optax/issues/1020"],
)
def test_loss_is_as_accurate_as_float32_arithmetic(trial: Trial) -> Iterator[Finding]:
    """The loss is as accurate as that of float32 or wider arithmetic with one rounding at the end, whatever precision
    is declared.
    """
    yield from as_in_float32(trial, loss_finding)


@requirement(
    "accuracy.any-size-in-float32",
    "loss at any size as accurate as float32 arithmetic",
    level=Level.SHOULD,
    source=SIZES,
    needs=[HALF],
    references=["https://github.com/google-deepmind/optax/issues/1020"],
)
def test_loss_is_as_accurate_as_float32_arithmetic_at_any_size(trial: Trial) -> Iterator[Finding]:
    """With up to 65536 rows, or up to 151936 classes, the loss of 16-bit logits is as accurate as that of float32 or
    wider arithmetic with one rounding at the end: sums of thousands of rows in 16 bits lose most of their digits.
    """
    yield from as_in_float32(trial, loss_finding)


@requirement(
    "accuracy.log-softmax",
    "log_softmax within its bound",
    needs=[LOG_SOFTMAX],
    references=["https://github.com/pytorch/pytorch/issues/38839", "https://github.com/ml-explore/mlx/pull/4188"],
)
def test_log_softmax_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """Every element of log_softmax differs from the exact value by no more than the declared precision explains."""
    yield function_finding(trial, "log_softmax")


@requirement(
    "accuracy.softmax",
    "softmax within its bound",
    needs=[SOFTMAX],
    references=["https://github.com/pytorch/executorch/pull/20090"],
)
def test_softmax_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """Every probability differs from the exact value by no more than the declared precision explains."""
    yield function_finding(trial, "softmax")


#: Shapes of logits with just more elements, rows or classes than 16 bits count, and with many rows of many classes.
LARGE_SHAPES = (
    *((2, 65537), (65537, 2), (257, 256), (2, 3, 16384)),
    *((33, 513), (40, 1000), (65, 700), (130, 520), (100, 1500), (600, 530), (9000, 10), (4100, 20), (1030, 70)),
    *((70, 600, 2), (3, 520, 7, 6)),
)
#: Of these, a backend that compiles each shape is judged on one in so many, which depend on the dtype: those from the
#: first on are of the dtype that is judged most.
STATIC_STEP = 5


@listed("softmax past 16 bits")
def large_logits(subject: Subject) -> Iterable[Problem]:
    """Logits of many rows, many classes, or both: for a backend that compiles each shape, of a few shapes."""
    claims = subject.capabilities
    place = claims.logits_dtypes.index
    first = (place(subject.dtype) - place(foremost_of(claims.logits_dtypes))) % STATIC_STEP
    static = LARGE_SHAPES[first::STATIC_STEP]
    for shape in static if claims.static_shapes else thinned(subject, LARGE_SHAPES):
        if claims_rank(subject, shape) and subject.takes_classes(shape[1]):
            logits = np.random.default_rng(shape[0]).normal(size=shape)
            yield problem_of(subject, logits, np.zeros(row_shape_of(shape), np.int64), claims.reductions[0])


@requirement(
    "accuracy.softmax-any-size",
    "softmax and log_softmax of many logits",
    source=large_logits,
    needs=[EITHER_SOFTMAX],
    references=references.ROW_COUNTS,
)
def test_softmax_is_within_its_bound_at_any_size(trial: Trial) -> Iterator[Finding]:
    """With more than 65536 logits, rows or classes, and with many rows of many classes, every element of log_softmax
    and of softmax is within its bound.
    """
    for name, function in (("log_softmax", LOG_SOFTMAX), ("softmax", SOFTMAX)):
        if function.met_by(trial.subject):
            yield function_finding(trial, name)


@requirement("accuracy.tightest-tier", "tightest precision tier met", level=Level.OBSERVED, observe=tightest)
def test_tightest_tier(trial: Trial) -> Iterator[Finding]:
    """The report names the tightest tier of precision that every loss meets, and by how much the next one is missed."""
    for name, precision in tiers(trial.subject.dtype).items():
        yield loss_finding(trial, precision, name)


@listed("large gaps")
def large_gaps(subject: Subject) -> Iterable[Problem]:
    """Gaps between target and the others from 1 to the end of the format, each alone in its row."""
    largest = array_of(0.0, subject.dtype).dtype
    gaps = [1.0, 10.0, 16.0, 20.0, 30.0, 50.0, 90.0, 104.0, 200.0, 750.0, 1e3, 3e3, 1e4, 3e4]
    if largest.name != "float16":
        gaps += [1e5, 1e8, 1e20, 1e30]
    far = np.array(gaps)
    rows = np.zeros((len(far), 3))
    labels = np.arange(len(far)) % 3
    rows[np.arange(len(far)), (labels + 1) % 3] = far
    reductions = subject.capabilities.reductions
    if "none" in reductions:
        for some in in_portions(subject, len(far)):
            yield problem_of(subject, rows[some], labels[some])
            yield problem_of(subject, (rows - far[:, None])[some], labels[some])
    else:
        for row in range(len(far)):
            yield problem_of(subject, rows[[row]], labels[[row]], reductions[0])


@requirement(
    "accuracy.large-gaps",
    "the loss grows with the gap without limit",
    source=large_gaps,
    references=[*references.LARGE_LOGITS, "https://github.com/NVIDIA/Megatron-LM/pull/5522"],
)
def test_the_loss_grows_with_the_gap_without_end(trial: Trial) -> Iterator[Finding]:
    """The loss of an unlikely class is its distance from the likeliest, however large: probabilities have no lower
    limit, the loss is finite within the format's range, and the gradient is p - q.
    """
    yield loss_finding(trial)
    if GRADIENT.met_by(trial.subject):
        yield gradient_finding(trial)


@listed("large offsets")
def large_offsets(subject: Subject) -> Iterable[Problem]:
    """The same small differences at larger and larger common offsets, as far as the format can represent them."""
    fmt = array_of(0.0, subject.dtype).dtype.name
    highest = {"float16": 10, "bfloat16": 7}.get(fmt, 23)
    reductions = subject.capabilities.reductions
    for number, exponent in enumerate(range(2, highest + 1)):
        offset = 2.0**exponent * (-1) ** number
        reduction = reductions[number % len(reductions)]
        yield problem_of(subject, offset + np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 0.0]]), np.array([1, 2]), reduction)


@requirement(
    "accuracy.large-offsets",
    "a large common offset costs no accuracy beyond its bound",
    source=large_offsets,
    references=[
        "https://github.com/ml-explore/mlx/pull/4188",
        "https://github.com/pytorch/pytorch/issues/11752",
        "https://github.com/pytorch/pytorch/issues/38839",
    ],
)
def test_a_large_common_offset_costs_no_accuracy(trial: Trial) -> Iterator[Finding]:
    """Logits far from zero with small differences give the loss of these differences, within the bound of the declared
    precision.
    """
    yield loss_finding(trial)
