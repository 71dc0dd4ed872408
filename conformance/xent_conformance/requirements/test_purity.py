"""Purity: a call leaves its inputs alone and answers the same again."""

from __future__ import annotations

from collections.abc import Iterator

from xent_conformance.calls import Outcome, same_bits
from xent_conformance.judge import Finding, broken, held
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.streams import Stream
from xent_conformance.subject import DETERMINISM, EXACT_INPUTS, GRADIENT
from xent_conformance.trial import Trial

PURITY = Stream("purity", budget=0.25)


def _changed(outcome: Outcome, call: str) -> Iterator[Finding]:
    if outcome.trouble is not None:
        return
    if outcome.changed:
        names = ", ".join(outcome.changed)
        yield broken(
            "inputs", f"{call} overwrote its {names}", call=call, got=f"changed: {names}", expected="unchanged"
        )
    else:
        yield held("inputs", call=call)


@requirement(
    "purity.inputs-unchanged",
    "inputs unchanged after forward and backward",
    source=PURITY,
    needs=[EXACT_INPUTS],
    references=[
        "https://github.com/NVIDIA/Megatron-LM/pull/1594",
        "https://github.com/linkedin/Liger-Kernel/pull/1251",
        "https://github.com/modelscope/ms-swift/issues/10129",
    ],
)
def test_inputs_are_unchanged(trial: Trial) -> Iterator[Finding]:
    """Logits, target, weight and cotangent hold the same bytes after the loss and after its gradient."""
    yield from _changed(trial.outcome("cross_entropy", trial.problem), "cross_entropy")
    if GRADIENT.met_by(trial.subject):
        yield from _changed(trial.outcome("vjp", trial.problem), "cross_entropy_vjp")


@requirement(
    "purity.repeatable",
    "the same call gives the same loss",
    source=PURITY,
    needs=[DETERMINISM],
    references=["https://github.com/pytorch/pytorch/issues/12670"],
)
def test_the_same_call_gives_the_same_loss(trial: Trial) -> Iterator[Finding]:
    """A second call with the same inputs gives bitwise the same loss."""
    first = trial.outcome("cross_entropy", trial.problem)
    second = trial.subject.caller.cross_entropy(trial.problem)
    if first.trouble is not None:
        return
    if second.trouble is not None:
        yield broken("second call", f"the second call {second.trouble}", got=second.trouble)
        return
    one, two = first.arrays["loss"], second.arrays["loss"]
    if same_bits(one, two):
        yield held("second call")
    else:
        message = f"the second call gives {two.tolist()}, the first {one.tolist()}"
        yield broken("second call", message, got=str(two.tolist()), expected=str(one.tolist()))
