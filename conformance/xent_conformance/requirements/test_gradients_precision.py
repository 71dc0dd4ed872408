"""Accuracy of gradients compared with float32 arithmetic and the tiers of precision, and their sign."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calling.calls import backward
from xent_conformance.judging.findings import Finding, Held, WrongConvention
from xent_conformance.judging.subject import GRADIENT, HALF
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.checks import as_in_float32, gradient_finding
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.tiers import tiers, tightest
from xent_conformance.strategies.broad import CONFIDENT, SIZES

_LOST = [
    "https://github.com/linkedin/Liger-Kernel/issues/1329",
    "https://github.com/NVIDIA/TransformerEngine/pull/3193",
]


@requirement(
    "gradients.in-float32",
    "gradient as accurate as float32 arithmetic",
    level=Level.SHOULD,
    source=CONFIDENT,
    needs=[GRADIENT],
    references=_LOST,
)
def test_gradient_is_as_accurate_as_float32_arithmetic(trial: Trial) -> Iterator[Finding]:
    """For class indices the gradient of the logits is as accurate as that of float32 or wider arithmetic with one
    rounding at the end, from log-probabilities that may be stored in the format, whatever precision is declared:
    rounding a probability to a 16-bit format before the target is subtracted loses the gradient of a confident row.
    """
    yield from as_in_float32(trial, gradient_finding)


@requirement(
    "gradients.any-size-in-float32",
    "gradient at any size as accurate as float32 arithmetic",
    level=Level.SHOULD,
    source=SIZES,
    needs=[GRADIENT, HALF],
    references=_LOST,
)
def test_gradient_is_as_accurate_as_float32_arithmetic_at_any_size(trial: Trial) -> Iterator[Finding]:
    """With up to 65536 rows, or up to 151936 classes, the gradient of 16-bit logits is as accurate as that of float32
    or wider arithmetic with one rounding at the end, from log-probabilities that may be stored in the format.
    """
    yield from as_in_float32(trial, gradient_finding)


@requirement(
    "gradients.tightest-tier",
    "tightest precision tier of gradients",
    level=Level.OBSERVED,
    source=CONFIDENT,
    needs=[GRADIENT],
    observe=tightest,
    references=_LOST,
)
def test_tightest_tier_of_gradients(trial: Trial) -> Iterator[Finding]:
    """The report names the tightest tier of precision that every gradient of logits meets, and by how much the next one
    is missed.
    """
    for name, precision in tiers(trial.subject.dtype).items():
        yield gradient_finding(trial, precision, name)


@requirement(
    "gradients.sign",
    "no gradient of the wrong sign",
    source=CONFIDENT,
    needs=[GRADIENT],
    references=_LOST,
)
def test_no_gradient_has_the_wrong_sign(trial: Trial) -> Iterator[Finding]:
    """For class indices without smoothing, the gradient of a class that is not the target is its probability times the
    row's weight and cotangent: it never has the opposite sign, however small it is and whatever precision is declared.
    """
    problem = trial.problem
    if problem.has_probabilities or problem.label_smoothing:
        return
    # exp and its sum are never negative, and a product with the factors of the row has their sign.
    others = np.arange(problem.classes) != problem.labels()[:, None]
    others &= np.isfinite(trial.bounds.grad_logits) & ~problem.ignored()[:, None]
    factors = np.asarray(trial.answer.scale).astype(float) * np.asarray(trial.answer.form.q).astype(float).sum(axis=1)
    if not (others & (factors != 0)[:, None]).any():
        return
    gradient = trial.gradients().logits
    wrong = others & (gradient * np.sign(factors)[:, None] < 0)
    if not wrong.any():
        yield Held(quantity="grad_logits")
        return
    row, column = (int(i) for i in np.argwhere(wrong)[0])
    yield WrongConvention(
        quantity="grad_logits",
        calls=(backward(problem),),
        index=(row, column),
        expected="zero or less" if factors[row] < 0 else "zero or more",
        got=f"{float(gradient[row, column]):.9g}",
        because=f"class {column} is not the target of row {row}",
    )
