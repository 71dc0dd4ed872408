"""Mixed precision: class weights and probability targets in another dtype than the logits."""

from __future__ import annotations

from collections.abc import Iterator

from xent_conformance.calling.calls import backward, forward
from xent_conformance.conventions import loss_dtype
from xent_conformance.formats import FLOATING, HALVES
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, Need, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.checks import form_finding, gradient_findings, loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.operand_dtypes import MIXED_DTYPES


def _takes_others(subject: Subject) -> bool:
    claims = subject.capabilities
    weights = claims.weight_dtypes if claims.weight else ()
    shares = claims.probability_dtypes if claims.probability_targets else ()
    return bool({*weights, *shares} - {subject.dtype})


MIXED = Need("class weights or probability targets in another dtype than the logits", _takes_others)


def promoted(one: str, other: str) -> str:
    """The dtype that holds the numbers of both: the wider one, or float32 for the two half formats."""
    if {one, other} == {*HALVES}:
        return "float32"
    return max(one, other, key=FLOATING.index)


def _dtypes_of_the_loss(trial: Trial) -> tuple[str, ...]:
    """The dtypes that the loss may have."""
    allowed = [trial.problem.dtype, loss_dtype(trial.subject.conventions.output_dtype, trial.problem.dtype)]
    for operand in trial.problem.mixed_dtypes().values():
        allowed += [promoted(dtype, operand) for dtype in allowed]
    return tuple(dict.fromkeys(allowed))


@requirement(
    "dtypes.mixed",
    "weights and probabilities in another dtype",
    source=MIXED_DTYPES,
    needs=[MIXED],
    references=[
        "https://github.com/NVIDIA/apex/issues/837",
        "https://github.com/Lightning-AI/pytorch-lightning/issues/2468",
        "https://github.com/pytorch/xla/pull/7992",
    ],
)
def test_operands_of_another_dtype_give_the_loss(trial: Trial) -> Iterator[Finding]:
    """Class weights and probability targets of every dtype that is claimed beside that of the logits give the correct
    loss. It has the dtype of the logits, one to which that and theirs are promoted, or the declared one.
    """
    if not trial.problem.mixed_dtypes():
        return
    yield form_finding(trial, forward(trial.problem), "loss", _dtypes_of_the_loss(trial))
    yield loss_finding(trial)


@requirement(
    "dtypes.mixed-gradient",
    "weights and probabilities in another dtype: the gradient",
    source=MIXED_DTYPES,
    needs=[MIXED, GRADIENT],
)
def test_operands_of_another_dtype_give_the_gradient(trial: Trial) -> Iterator[Finding]:
    """With class weights and probability targets of another dtype the gradients are correct: that of the logits has the
    dtype of the logits, that of the targets, if there is one, the dtype of the targets.
    """
    problem, call = trial.problem, backward(trial.problem)
    if not problem.mixed_dtypes():
        return
    yield form_finding(trial, call, "grad_logits", (problem.dtype,))
    if problem.has_probabilities and "grad_target" in trial.outcome(call).arrays:
        yield form_finding(trial, call, "grad_target", (problem.target.dtype.name,))
    yield from gradient_findings(trial)
