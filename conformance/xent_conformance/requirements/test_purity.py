"""Purity: a call does not change its inputs or its process, and returns the same when repeated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from xent_conformance.calling.calls import Invocation, forward
from xent_conformance.judging.findings import (
    Finding,
    Held,
    InputChanged,
    NotRepeatable,
    ResultChanged,
    ResultIsInput,
    StrayWrite,
    SurroundingsChanged,
)
from xent_conformance.judging.smoke import plain_problems
from xent_conformance.judging.stray_reads import stray_read
from xent_conformance.judging.subject import DETERMINISM, EXACT_INPUTS, FUNCTION, SEES_MEMORY_BESIDE, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem, same_bits
from xent_conformance.requirements.checks import calls_of, loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import problem_of
from xent_conformance.strategies.sources import listed
from xent_conformance.strategies.streams import Stream

#: For requirements that make further calls; side effects are judged on every problem of the joint stream.
PURITY = Stream("purity", budget=0.1, in_a_row=True)


@requirement(
    "purity.inputs-unchanged",
    "inputs unchanged after forward and backward",
    needs=[FUNCTION, EXACT_INPUTS],
    references=[
        "https://github.com/NVIDIA/Megatron-LM/pull/1594",
        "https://github.com/linkedin/Liger-Kernel/pull/1251",
        "https://github.com/modelscope/ms-swift/issues/10129",
    ],
)
def test_inputs_are_unchanged(trial: Trial) -> Iterator[Finding]:
    """Logits, target, weight and cotangent have the same bytes after the loss and after its gradient. Where there is no
    cross_entropy, the same holds for softmax, log_softmax and nll_loss.
    """
    for call in calls_of(trial):
        outcome = trial.outcome(call)
        if outcome.trouble is None:
            changed = InputChanged(calls=(call,), names=outcome.changed)
            yield changed if outcome.changed else Held(quantity="inputs")


@requirement(
    "purity.repeatable",
    "the same call gives the same loss",
    source=PURITY,
    needs=[FUNCTION, DETERMINISM],
    references=["https://github.com/pytorch/pytorch/issues/12670"],
)
def test_the_same_call_gives_the_same_loss(trial: Trial) -> Iterator[Finding]:
    """A second call with the same inputs gives bitwise the same loss, and so does a third one right after it; so do
    softmax, log_softmax and nll_loss where there is no cross_entropy.
    """
    for call in calls_of(trial)[:1]:
        yield from _repeated(trial, call)


def _repeated(trial: Trial, call: Invocation) -> Iterator[Finding]:
    first = trial.outcome(call)
    if first.trouble is not None:
        return
    # Other calls lie between the first and the second: a state that alternates with each call shows only in the third.
    for _ in ("second", "third"):
        different = NotRepeatable.seen((call,), first, trial.subject.caller.perform(call))
        if different is not None:
            yield different
            return
    yield Held(quantity="second call")


def _other_numbers(problem: Problem) -> Problem:
    """A call of the same shape with other numbers."""
    x = problem.logits.astype(np.float64)
    moved = np.where(np.isfinite(x), np.clip(x, -4.0, 4.0) * -0.5 + 1.0, 0.0)
    return problem.with_(logits=moved.astype(problem.logits.dtype))


@requirement(
    "purity.results-are-independent",
    "a later call leaves earlier results alone",
    source=PURITY,
    needs=[FUNCTION],
)
def test_a_later_call_leaves_earlier_results_alone(trial: Trial) -> Iterator[Finding]:
    """A returned loss or gradient keeps its values when the function is called again with other numbers, and does not
    share memory with the inputs. Where there is no cross_entropy, the same holds for softmax, log_softmax and nll_loss.
    """
    others = calls_of(trial.related(_other_numbers(trial.problem)))
    for call, other in zip(calls_of(trial), others, strict=True):
        early, late = trial.subject.caller.read_twice(call, other)
        for key, before in early.arrays.items():
            after = late.arrays[key]
            if key in early.aliases and EXACT_INPUTS.met_by(trial.subject):
                yield ResultIsInput(quantity=key, calls=(call,))
            elif same_bits(after, before):
                yield Held(quantity=key)
            else:
                was, now = str(before.tolist())[:200], str(after.tolist())[:200]
                yield ResultChanged(quantity=key, calls=(call, other), before=was, after=now)


@listed("first call")
def _first(subject: Subject) -> Iterable[Problem]:
    """The problem of the first call in a process, with which the suite checks whether an adapter works at all."""
    return islice(plain_problems(subject.capabilities), 1)


def _same_call(one: Invocation, other: Invocation) -> bool:
    """Whether two calls of a loss have the same inputs and options."""
    alike = (one.method, one.inputs.keys(), one.options) == (other.method, other.inputs.keys(), other.options)
    pairs = [(array, other.inputs[name]) for name, array in one.inputs.items()] if alike else []
    return alike and all(a is not None and b is not None and same_bits(a, b) for a, b in pairs)


# Not reducible: another problem would be another call, which is no longer the first.
@requirement("purity.first-call", "the first call of a process is right", source=_first, once=True, reducible=False)
def test_the_first_call_of_a_process_is_right(trial: Trial) -> Iterator[Finding]:
    """The first call in a process gives a loss within its bound, like any other call."""
    problem, call, subject = trial.problem, forward(trial.problem), trial.subject
    # The trial of a callable made the first calls of its process; a new process does not repeat the trial.
    anew = subject.description.tried is not None and subject.executor.renewed()
    # If nothing has been called yet, as in a script, this call is the first.
    first = (None if anew else getattr(subject.executor, "first", None)) or (call, subject.caller.perform(call))
    if _same_call(first[0], call):
        yield loss_finding(trial.on(replace(subject, dtype=problem.dtype)).where(call, first[1]))


@requirement(
    "purity.memory-beside-the-inputs",
    "no writes outside the inputs",
    needs=[FUNCTION],
    references=["https://github.com/pytorch/pytorch/issues/194802"],
)
def test_nothing_is_written_beside_the_inputs(trial: Trial) -> Iterator[Finding]:
    """A call writes nothing before the first, after the last or between the elements of its inputs."""
    for call in calls_of(trial):
        outcome = trial.outcome(call)
        if outcome.strayed:
            yield StrayWrite(calls=(call,), names=outcome.strayed)
        elif outcome.trouble is None:
            yield Held(quantity="memory")


@requirement(
    "purity.nothing-read-beside-the-inputs",
    "no reads outside the inputs",
    needs=[FUNCTION, DETERMINISM, SEES_MEMORY_BESIDE],
)
def test_nothing_is_read_beside_the_inputs(trial: Trial) -> Iterator[Finding]:
    """A call gives bitwise the same results whatever the memory before, after and between the elements of its inputs
    contains: nan or the largest finite number, labels out of range or the label 0.
    """
    for call in calls_of(trial):
        if trial.outcome(call).trouble is None:
            yield stray_read(trial, call) or Held(quantity="memory")


@listed("plain calls", looks_back=True)
def _plain(subject: Subject) -> Iterable[Problem]:
    """One problem in every reduction, one with each option, and one that must be rejected."""
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
    """A call, with any option and even if it raises, does not change the working directory, environment variables,
    locale, warning filters, random state, default dtype, floating-point error state or standard streams of the process,
    nor an input of an earlier call that has returned.
    """
    for call in calls_of(trial):
        changed = trial.subject.caller.disturbed(call)
        yield SurroundingsChanged(calls=(call,), names=changed) if changed else Held(quantity="surroundings")
