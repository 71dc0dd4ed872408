"""Options that losses of language models take: a divisor, the z-loss, a scale and a cap of the logits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from typing import Any

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import (
    DIVISOR,
    EXTRA_NEEDS,
    GRADIENT,
    IGNORING,
    LOGIT_SCALE,
    NON_FINITE_LOGITS,
    SOFTCAP,
    TOGETHER,
    Z_LOSS,
    Need,
    Subject,
)
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import gradient_findings, loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import problem_of
from xent_conformance.strategies.language_models import LANGUAGE_MODELS
from xent_conformance.strategies.sources import listed

ANY = Need(
    "one of divisor, lse_square_scale, logit_scale and softcap",
    lambda s: any(need.met_by(s) for need in EXTRA_NEEDS.values()),
)
#: Those that compute with the logits.
OF_LOGITS = (Z_LOSS, LOGIT_SCALE, SOFTCAP)
ANY_OF_LOGITS = Need(
    "one of lse_square_scale, logit_scale and softcap", lambda s: any(need.met_by(s) for need in OF_LOGITS)
)
#: A value of each option with a large effect, none a power of two.
VALUES = {"divisor": 7.0, "lse_square_scale": 0.3, "logit_scale": 1.3, "softcap": 2.5}
_LIGER = "https://github.com/linkedin/Liger-Kernel/blob/main/src/liger_kernel/ops/cross_entropy.py"


def _findings(trial: Trial) -> Iterator[Finding]:
    """Loss and gradients beside the exact ones."""
    yield loss_finding(trial)
    if GRADIENT.met_by(trial.subject):
        yield from gradient_findings(trial)


def _alone(trial: Trial, need: Need) -> Iterator[Finding]:
    """Those of a call with one of the four options, so that what is wrong with another one is not its failure."""
    if [*trial.problem.extras] == [need.claim]:
        yield from _findings(trial)


@requirement(
    "language_model.divisor",
    "a mean by the caller's divisor",
    source=LANGUAGE_MODELS,
    needs=[DIVISOR],
    references=[
        "https://github.com/huggingface/transformers/pull/34191",
        "https://github.com/linkedin/Liger-Kernel/issues/802",
    ],
)
def test_the_mean_divides_by_the_divisor_of_the_caller(trial: Trial) -> Iterator[Finding]:
    """With a divisor the mean is the sum of the losses over that number, whatever rows are ignored and whatever they
    weigh, and so is its gradient: 0 where every row is ignored.
    """
    yield from _alone(trial, DIVISOR)


@requirement(
    "language_model.z-loss",
    "z-loss within its bound",
    source=LANGUAGE_MODELS,
    needs=[Z_LOSS],
    references=["https://github.com/linkedin/Liger-Kernel/pull/239", _LIGER],
)
def test_the_z_loss_adds_the_square_of_logsumexp(trial: Trial) -> Iterator[Finding]:
    """lse_square_scale s adds s logsumexp(x)^2 to the loss of every row that is not ignored, without its class weight,
    and 2 s logsumexp(x) p to its gradient, in every reduction and for every kind of target.
    """
    yield from _alone(trial, Z_LOSS)


@requirement(
    "language_model.logit-scale",
    "scaled logits within their bound",
    source=LANGUAGE_MODELS,
    needs=[LOGIT_SCALE],
    references=["https://github.com/unslothai/unsloth/pull/11277"],
)
def test_logit_scale_multiplies_the_logits_and_their_gradient(trial: Trial) -> Iterator[Finding]:
    """logit_scale s gives the loss of the logits s x, and s times the gradient of those."""
    yield from _alone(trial, LOGIT_SCALE)


@requirement(
    "language_model.softcap",
    "capped logits within their bound",
    source=LANGUAGE_MODELS,
    needs=[SOFTCAP],
    references=[
        "https://github.com/unslothai/unsloth/pull/10616",
        "https://github.com/unslothai/unsloth-zoo/pull/593",
        "https://github.com/apple/ml-cross-entropy/issues/48",
    ],
)
def test_softcap_bounds_the_logits_smoothly(trial: Trial) -> Iterator[Finding]:
    """Softcap c gives the loss of the logits c tanh(x / c), and 1 - tanh(x / c)^2 times the gradient of those; an
    infinite logit is c or -c.
    """
    yield from _alone(trial, SOFTCAP)


@requirement(
    "language_model.options-together",
    "several options of language models in one call",
    source=LANGUAGE_MODELS,
    needs=[TOGETHER],
    references=[_LIGER, "https://github.com/huggingface/trl/pull/5691"],
)
def test_options_of_language_models_work_together(trial: Trial) -> Iterator[Finding]:
    """Logits are scaled, then capped; the z-loss is that of these logits, and the divisor divides it too."""
    if len(trial.problem.extras) > 1:
        yield from _findings(trial)


@listed("language models, every combination")
def every_combination(subject: Subject) -> Iterator[Problem]:
    """Every set of the claimed options in every reduction, with ignored rows, smoothing and weights in turn."""
    claims = subject.capabilities
    names = [name for name, need in EXTRA_NEEDS.items() if need.met_by(subject)]
    sets = [*chain.from_iterable(combinations(names, count) for count in range(1, len(names) + 1))]
    for number, chosen in enumerate(sets):
        for place, reduction in enumerate(claims.reductions):
            options: dict[str, Any] = {
                name: VALUES[name] for name in chosen if name != "divisor" or reduction == "mean"
            }
            if not options:
                continue
            labels = np.array([0, 2, 1, 3])
            if claims.default_ignore_index is not None:
                labels[1] = claims.default_ignore_index
            if claims.label_smoothing and (number + place) % 2:
                options["label_smoothing"] = min(0.2, claims.max_label_smoothing)
            if claims.weight and (number + place) % 3 == 0:
                options["weight"] = [1.5, 0.5, 2.0, 0.75]
            problem = problem_of(subject, LOGITS, labels, reduction, **options)
            if subject.takes(problem):
                yield problem


#: Rows in and far beyond the range in which the cap of ``VALUES`` is nearly linear.
LOGITS = ((1.0, -2.0, 0.5, 3.0), (0.0, 4.0, -1.0, 2.0), (-6.0, 1.0, 9.0, 2.0), (0.25, 0.0, -0.75, 0.5))


@requirement(
    "language_model.every-combination",
    "every set of options of language models",
    source=every_combination,
    needs=[ANY],
    references=[_LIGER],
)
def test_every_set_of_options_gives_its_loss_and_gradient(trial: Trial) -> Iterator[Finding]:
    """Loss and gradients are within their bounds for every set of divisor, lse_square_scale, logit_scale and softcap in
    every reduction, with ignored rows, smoothing and weights.
    """
    if trial.problem.extras:
        yield from _findings(trial)


@listed("language models, ignored rows")
def ignored_rows(subject: Subject) -> Iterator[Problem]:
    """Rows that are ignored and hold nan or infinities, beside two that count, with each claimed option."""
    claims = subject.capabilities
    sentinel, passed = claims.default_ignore_index, {}
    if sentinel is None:
        sentinel, passed = -100, {"ignore_index": -100}
    rows, labels = [LOGITS[0], *CONTENTS, LOGITS[1]], np.array([2, *(sentinel for _ in CONTENTS), 0])
    for need in OF_LOGITS:
        for reduction in claims.reductions if need.met_by(subject) else ():
            yield problem_of(subject, rows, labels, reduction, **{need.claim: VALUES[need.claim]}, **passed)


#: What ignored rows may hold.
CONTENTS = ((np.nan,) * 4, (np.inf, 0.0, 1.0, 2.0), (-np.inf,) * 4, (0.0, -np.inf, np.nan, np.inf))


@requirement(
    "language_model.ignored-rows",
    "what ignored rows hold, with options of language models",
    source=ignored_rows,
    needs=[ANY_OF_LOGITS, IGNORING, NON_FINITE_LOGITS],
    references=["https://github.com/linkedin/Liger-Kernel/pull/239"],
)
def test_ignored_rows_add_nothing_whatever_they_hold(trial: Trial) -> Iterator[Finding]:
    """Ignored rows that hold nan or infinities add nothing to the loss, not even a z-loss, and their gradient is 0,
    with each of the options that compute with the logits.
    """
    if trial.problem.extras:
        yield from _findings(trial)
