"""Identities that hold for any softmax cross-entropy, checked on the backend's own functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from xent_conformance.calling.calls import backward, forward, primitive
from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import (
    CROSS_ENTROPY,
    EITHER_SOFTMAX,
    GRADIENT,
    LAYER,
    LOG_SOFTMAX,
    NLL_LOSS,
    SOFTMAX,
    Form,
    Subject,
)
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import Problem, array_of, same_bits
from xent_conformance.requirements.agreement import agree, gradient_of, gradients_agree, loss_of
from xent_conformance.requirements.checks import nll_finding
from xent_conformance.requirements.functions import has_softmax
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.broad import FORMS
from xent_conformance.strategies.sources import listed

#: The worked example of the post that prompted this suite; every printed number is accurate to half a unit of 1e-4.
WORKED_LOGITS = ((2.8883, 0.1760, 1.0774), (1.1216, -0.0562, 0.0660), (-1.3939, -0.0967, 0.5853))
WORKED_TARGET = (1, 2, 0)
WORKED_SOFTMAX = ((0.8131, 0.0540, 0.1329), (0.6039, 0.1860, 0.2102), (0.0841, 0.3076, 0.6083))
WORKED_LOG_SOFTMAX = ((-0.2069, -2.9192, -2.0178), (-0.5044, -1.6822, -1.5599), (-2.4762, -1.1790, -0.4970))
WORKED_LOSS = 2.3185
HALF_UNIT = 5e-5
#: The functions whose results are printed in it.
PRINTED = (CROSS_ENTROPY, SOFTMAX, LOG_SOFTMAX)


def _without_smoothing(problem: Problem) -> Iterable[Problem]:
    """nll_loss has no smoothing and no probability targets."""
    if not problem.has_probabilities:
        yield problem.with_(label_smoothing=0.0)


@requirement(
    "identities.ce-is-nll-of-log-softmax",
    "CE = NLL(LogSoftmax)",
    source=FORMS,
    needs=[CROSS_ENTROPY, LOG_SOFTMAX, NLL_LOSS],
    derive=_without_smoothing,
    references=["https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"],
)
def test_cross_entropy_is_nll_of_log_softmax(trial: Trial) -> Iterator[Finding]:
    """Cross-entropy equals the negative log-likelihood of log_softmax: both ways of the backend to compute it agree
    with each other and with the exact value.

    |NLL(LSM) - exact| <= B and |CE - NLL(LSM)| <= 2 B, with B the bound of the loss.
    """
    composed = loss_of(trial, trial.nll_call)
    yield nll_finding(trial)
    terms = tuple(replace(term, beside_exact=lambda: nll_finding(trial)) for term in composed.terms)
    yield agree(trial, "loss", loss_of(trial), replace(composed, terms=terms), "as nll_loss of log_softmax")


@requirement(
    "identities.softmax-rows-sum-to-one",
    "softmax rows sum to 1",
    needs=[SOFTMAX],
    references=["https://github.com/pytorch/pytorch/issues/147284"],
)
def test_softmax_rows_sum_to_one(trial: Trial) -> Iterator[Finding]:
    """The probabilities of a row sum to 1 within the sum of their bounds."""
    rows = has_softmax(trial.problem)
    sums = trial.primitive("softmax").sum(axis=1)[rows]
    bound = trial.bounds.softmax.sum(axis=1)[rows]
    yield trial.compare(
        "softmax row sum",
        sums,
        Exact(np.ones(sums.shape)),
        bound,
        call=primitive("softmax", trial.problem.logits),
        reading=f"{{}}.sum(axis=1)[{np.flatnonzero(rows).tolist()}]",
    )


@requirement("identities.probabilities-in-range", "softmax in [0, 1], log_softmax <= 0", needs=[EITHER_SOFTMAX])
def test_probabilities_are_in_range(trial: Trial) -> Iterator[Finding]:
    """No probability is below 0 or above 1 and no log-probability above 0, by more than the bound of its rounding."""
    rows, logits = has_softmax(trial.problem), trial.problem.logits
    reading = f"{{}}[{np.flatnonzero(rows).tolist()}]"
    if SOFTMAX.met_by(trial.subject):
        p, bound, call = trial.primitive("softmax")[rows], trial.bounds.softmax[rows], primitive("softmax", logits)
        yield trial.compare("softmax", p, Exact(np.clip(p, 0, 1)), bound, call=call, reading=reading)
    if LOG_SOFTMAX.met_by(trial.subject):
        log_p, bound = trial.primitive("log_softmax")[rows], trial.bounds.log_softmax[rows]
        call = primitive("log_softmax", logits)
        yield trial.compare("log_softmax", log_p, Exact(np.minimum(log_p, 0)), bound, call=call, reading=reading)


@requirement(
    "identities.function-is-layer",
    "function form = layer form",
    source=FORMS,
    needs=[LAYER],
    references=["https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"],
)
def test_function_form_is_layer_form(trial: Trial) -> Iterator[Finding]:
    """The function and the layer give the same loss within twice the bound."""
    layer = loss_of(trial, forward(trial.problem, "cross_entropy_layer"), strict=True)
    yield agree(trial, "loss", layer, loss_of(trial, strict=True), "from the function")


@requirement(
    "identities.function-gradient-is-layer-gradient",
    "gradient of the function = gradient of the layer",
    source=FORMS,
    needs=[LAYER, GRADIENT],
    references=["https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"],
)
def test_gradient_of_the_function_is_gradient_of_the_layer(trial: Trial) -> Iterator[Finding]:
    """Both forms can be differentiated, and their gradients agree within twice the bound."""
    layer = gradient_of(trial, backward(trial.problem, "cross_entropy_layer_vjp"), strict=True)
    yield gradients_agree(trial, layer, gradient_of(trial, strict=True), "from the function")


@listed("worked example")
def _worked_example(subject: Subject) -> Iterable[Problem]:
    logits = array_of(rounded(WORKED_LOGITS, subject.dtype), subject.dtype)
    reduction = "mean" if "mean" in subject.capabilities.reductions else subject.capabilities.reductions[0]
    sentinel = subject.capabilities.default_ignore_index
    yield Problem(logits, np.array(WORKED_TARGET, dtype=np.int64), reduction=reduction, sentinel=sentinel)


@requirement(
    "identities.worked-example",
    "worked example of the source post",
    source=_worked_example,
    needs=[Form("cross_entropy, softmax or log_softmax", lambda s: any(n.met_by(s) for n in PRINTED))],
    references=["https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"],
)
def test_worked_example(trial: Trial) -> Iterator[Finding]:
    """The printed 3x3 example is reproduced: softmax, log-softmax, and a loss of 2.3185, as far as the four decimals of
    its logits and results allow.

    Logits known to h = 5e-5, rounded to the dtype with error r, move a log-probability by at most 2 (h + r), a
    probability by at most that times p, and a result is printed to another h.
    """
    example = next(iter(_worked_example(trial.subject)))
    if not (same_bits(trial.problem.logits, example.logits) and np.array_equal(trial.problem.target, example.target)):
        # The printed results are only for these logits, not for a reduced problem.
        return
    fmt, bounds = trial.problem.format, trial.bounds
    moved = 2 * (HALF_UNIT + np.abs(rounded(WORKED_LOGITS, fmt.name) - np.array(WORKED_LOGITS)).max())
    # The printed loss is the mean of all three rows: a default sentinel that is a class excludes one.
    judged = CROSS_ENTROPY.met_by(trial.subject) and trial.problem.reduction == "mean"
    if judged and not trial.problem.ignored().any():
        bound = bounds.loss + moved + HALF_UNIT
        yield trial.compare("loss", trial.loss(), Exact(np.array(WORKED_LOSS)), bound)
    for need, printed, bound in (
        (SOFTMAX, WORKED_SOFTMAX, bounds.softmax + np.expm1(moved) + HALF_UNIT),
        (LOG_SOFTMAX, WORKED_LOG_SOFTMAX, bounds.log_softmax + moved + HALF_UNIT),
    ):
        if need.met_by(trial.subject):
            name, call = need.name, primitive(need.name, trial.problem.logits)
            yield trial.compare(name, trial.primitive(name), Exact(np.array(printed)), bound, call=call)
