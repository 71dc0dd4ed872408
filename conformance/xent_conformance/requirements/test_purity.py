"""Purity: a call leaves its inputs alone and answers the same again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calling.calls import Outcome, backward, forward
from xent_conformance.judging.judge import Finding, broken, held
from xent_conformance.judging.subject import DETERMINISM, EXACT_INPUTS, GRADIENT, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem, same_bits
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import problem_of
from xent_conformance.strategies.streams import Stream

#: For what takes calls of its own; what a call leaves behind is seen on every problem of the joint stream.
PURITY = Stream("purity", budget=0.1)


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
    in_a_row=True,
    references=["https://github.com/pytorch/pytorch/issues/12670"],
)
def test_the_same_call_gives_the_same_loss(trial: Trial) -> Iterator[Finding]:
    """A second call with the same inputs gives bitwise the same loss, and so does the one right after it."""
    first = trial.outcome("cross_entropy", trial.problem)
    if first.trouble is not None:
        return
    # Other calls lie between the first and the second: what goes to and fro with each call shows in the third alone.
    for name in ("second", "third"):
        again = trial.subject.caller.cross_entropy(trial.problem)
        if again.trouble is not None:
            yield broken("second call", f"the {name} call {again.trouble}", got=again.trouble)
            return
        one, two = first.arrays["loss"], again.arrays["loss"]
        if not same_bits(one, two):
            message = f"the {name} call gives {two.tolist()}, the first {one.tolist()}"
            yield broken("second call", message, got=str(two.tolist()), expected=str(one.tolist()))
            return
    yield held("second call")


def _other_numbers(problem: Problem) -> Problem:
    """A call of the same shape with other numbers."""
    x = problem.logits.astype(np.float64)
    moved = np.where(np.isfinite(x), np.clip(x, -4.0, 4.0) * -0.5 + 1.0, 0.0)
    return problem.with_(logits=moved.astype(problem.logits.dtype))


@requirement("purity.results-are-independent", "a later call leaves earlier results alone", source=PURITY)
def test_a_later_call_leaves_earlier_results_alone(trial: Trial) -> Iterator[Finding]:
    """A loss and a gradient, once returned, keep their values when the function is called again with other numbers,
    and lie in no memory of the inputs.
    """
    problem, other = trial.problem, _other_numbers(trial.problem)
    methods = [forward] if not GRADIENT.met_by(trial.subject) else [forward, backward]
    for call in methods:
        early, late = trial.subject.caller.kept(call(problem), call(other))
        name = call(problem).method
        for key, kept in early.arrays.items():
            array = late.arrays[key]
            if key in early.aliases and EXACT_INPUTS.met_by(trial.subject):
                message = f"{key} lies in the memory of an input: whoever changes one changes both"
                yield broken(key, message, call=name, got="a view of an input", expected="memory of its own")
            elif same_bits(array, kept):
                yield held(key, call=name)
            else:
                got, before = str(array.tolist())[:200], str(kept.tolist())[:200]
                message = f"{key} was {before} and is {got} after another call"
                yield broken(key, message, call=name, got=got, expected=before)


@requirement(
    "purity.memory-beside-the-inputs",
    "nothing written beside the inputs",
    references=["https://github.com/pytorch/pytorch/issues/194802"],
)
def test_nothing_is_written_beside_the_inputs(trial: Trial) -> Iterator[Finding]:
    """A call writes nothing before the first, after the last or between the elements of its inputs."""
    calls = {"cross_entropy": "cross_entropy"}
    if GRADIENT.met_by(trial.subject):
        calls["vjp"] = "cross_entropy_vjp"
    for method, call in calls.items():
        outcome = trial.outcome(method, trial.problem)
        if outcome.strayed:
            got = f"wrote beside: {', '.join(outcome.strayed)}"
            message = f"{call} wrote outside the elements of its {', '.join(outcome.strayed)}"
            yield broken("memory", message, call=call, got=got, expected="nothing written")
        elif outcome.trouble is None:
            yield held("memory", call=call)


def _plain(subject: Subject) -> Iterable[Problem]:
    """One problem in every reduction, one with each option, and one that must be rejected on the way."""
    logits, claims = np.array([[1.0, 0.0, 3.0], [2.0, 1.0, 0.0]]), subject.capabilities
    labels, first = np.array([2, 0]), claims.reductions[0]
    for reduction in claims.reductions:
        yield problem_of(subject, logits, labels, reduction)
    if claims.weight:
        yield problem_of(subject, logits, labels, first, weight=[1.5, 0.5, 2.0])
    if claims.label_smoothing:
        yield problem_of(subject, logits, labels, first, label_smoothing=0.1)
    if claims.probability_targets:
        yield problem_of(subject, logits, np.full(logits.shape, 0.25), first)
    if claims.default_ignore_index is not None:
        yield problem_of(subject, logits, np.array([claims.default_ignore_index, 0]), first)
    yield problem_of(subject, logits, np.array([2, 0, 1]), first)


@requirement("purity.surroundings", "a call leaves the process as it was", source=_plain)
def test_a_call_leaves_the_process_as_it_was(trial: Trial) -> Iterator[Finding]:
    """A call, with any option and also where it raises, changes no working directory, environment variable, locale,
    warning filter, random state, default dtype, floating-point error state or standard stream of the process, and no
    input of a call before it that has returned.
    """
    methods = [forward] if not GRADIENT.met_by(trial.subject) else [forward, backward]
    for call in methods:
        invocation = call(trial.problem)
        changed = trial.subject.caller.disturbed(invocation)
        if changed:
            got = f"changed: {', '.join(changed)}"
            message = f"{invocation.method} changed the {', '.join(changed)} of its process"
            yield broken("surroundings", message, call=invocation.method, got=got, expected="unchanged")
        else:
            yield held("surroundings", call=invocation.method)
