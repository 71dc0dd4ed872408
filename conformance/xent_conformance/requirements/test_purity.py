"""Purity: a call leaves its inputs alone and answers the same again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calls import Outcome, same_bits
from xent_conformance.judge import Finding, broken, held
from xent_conformance.problem import Problem
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


def _other_numbers(problem: Problem) -> Problem:
    """A call of the same shape with other numbers."""
    x = problem.logits.astype(np.float64)
    moved = np.where(np.isfinite(x), np.clip(x, -4.0, 4.0) * -0.5 + 1.0, 0.0)
    return problem.with_(logits=moved.astype(problem.logits.dtype))


@requirement("purity.results-are-independent", "a later call leaves earlier results alone", source=PURITY)
def test_a_later_call_leaves_earlier_results_alone(trial: Trial) -> Iterator[Finding]:
    """A loss and a gradient, once returned, keep their values when the function is called again with other numbers."""
    other, caller = _other_numbers(trial.problem), trial.subject.caller
    methods = {"cross_entropy": caller.cross_entropy}
    if GRADIENT.met_by(trial.subject):
        methods["cross_entropy_vjp"] = caller.vjp
    for name, method in methods.items():
        outcome = method(trial.problem)
        before = {key: array.copy() for key, array in outcome.arrays.items()}
        method(other)
        for key, array in outcome.arrays.items():
            if same_bits(array, before[key]):
                yield held(key, call=name)
            else:
                got, kept = str(array.tolist())[:200], str(before[key].tolist())[:200]
                message = f"{key} was {kept} and is {got} after another call"
                yield broken(key, message, call=name, got=got, expected=kept)
