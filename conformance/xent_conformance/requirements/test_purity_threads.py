"""Concurrent and successive calls, which must not affect each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from xent_conformance.calling.calls import Invocation
from xent_conformance.calling.guarded import laid_out_like
from xent_conformance.judging.findings import Declined, Finding, Held, NotReadAnew, NotRepeatable, NotThreadSafe
from xent_conformance.judging.subject import CHECKS_LABELS, CROSS_ENTROPY, DETERMINISM, FUNCTION, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import AnyArray, Problem, array_of
from xent_conformance.requirements.checks import calls_of
from xent_conformance.requirements.functions import function_call, functions_of
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import (
    FREE_SHAPES,
    chosen_rows,
    in_reduction,
    problem_of,
    relabelled,
    reordered_rows,
)
from xent_conformance.strategies.levels import BATCHED
from xent_conformance.strategies.situations import BETWEEN
from xent_conformance.strategies.sources import listed
from xent_conformance.strategies.streams import Stream

#: Calls that each thread makes, and that it makes of large ones; and fewer, and the least, where calls are slow.
ROUNDS, ROUNDS_OF_LARGE, FEW_ROUNDS, FEWEST_ROUNDS = 12, 20, 4, 2
#: Classes of a row that takes as long as one of fewer.
SHORT_ROW = 64
#: Rows and classes of large calls.
LARGE = 64, 1000
#: Those of a slow callable have one in so many of the rows that a call may have, but not fewer than FEWEST_ROWS.
SHARE, FEWEST_ROWS = 100, 4

BESIDE = Stream("calls beside each other", only={"shape": BATCHED}, budget=0.05, in_a_row=True)
OVERWRITTEN = Stream("arguments overwritten", only={"shape": BATCHED}, budget=0.05, in_a_row=True)
AFTER = Stream("calls after each other", only={"shape": BATCHED}, budget=0.06, in_a_row=True)


@listed("large calls beside each other", in_a_row=True)
def large_calls(subject: Subject) -> Iterator[Problem]:
    """A large plain problem; that of a slow callable has fewer rows."""
    claims = subject.capabilities
    rows, classes = LARGE[0], min(LARGE[1], claims.max_classes or LARGE[1])
    if claims.max_rows is not None:
        rows = subject.claimed_rows(min(rows, max(FEWEST_ROWS, claims.max_rows // SHARE)))
    logits = (np.arange(rows * classes) * 11 % 37 / 8 - 2).reshape(rows, classes)
    yield problem_of(subject, logits, np.arange(rows) * 337 % classes, claims.reductions[0])


def _variants(subject: Subject, problem: Problem) -> list[Problem]:
    """Problems of one shape with other numbers in them; those with halved logits are means, by different divisors."""
    flat = array_of(np.clip(problem.logits.astype(np.float64) / 2, -1e4, 1e4), problem.dtype)
    backwards = np.arange(problem.rows)[::-1]
    halved = problem.with_(logits=flat)
    # For a compiled callable, another reduction would be another compilation.
    claims = subject.capabilities
    if "mean" in claims.reductions and not (claims.static_shapes or claims.compile_seconds):
        halved = in_reduction(halved, "mean")
    others = reordered_rows(halved, backwards)
    return [problem, reordered_rows(problem, backwards), _with_ignored_rows(halved), others]


def _with_ignored_rows(problem: Problem) -> Problem:
    """The problem with every other row ignored, if its labels can say so."""
    sentinel = problem.ignored_label
    if sentinel is None:
        return problem
    fewer = relabelled(problem, np.where(np.arange(problem.rows) % 2, sentinel, problem.labels()))
    return fewer if fewer.ignored()[1::2].all() else problem


@requirement(
    "purity.threads",
    "calls from several threads",
    source=BESIDE,
    needs=[FUNCTION, DETERMINISM],
    references=["https://github.com/pytorch/pytorch/issues/12670"],
)
def test_calls_from_several_threads_give_what_they_give_alone(trial: Trial) -> Iterator[Finding]:
    """Calls of one shape from four threads at once give bitwise the same loss and gradient as each call alone; so do
    calls of softmax, log_softmax and nll_loss where there is no cross_entropy.
    """
    yield from _beside_each_other(trial, calls_of, ROUNDS)


@requirement(
    "purity.threads-large",
    "large calls from several threads",
    source=large_calls,
    needs=[FUNCTION, DETERMINISM],
    references=["https://github.com/pytorch/pytorch/issues/12670"],
)
def test_large_calls_from_several_threads_give_what_they_give_alone(trial: Trial) -> Iterator[Finding]:
    """Calls with 64 rows of 1000 classes from four threads at once give bitwise the same loss, gradient, softmax and
    log_softmax as each call alone: they take long enough to overlap, where a library lets other threads run meanwhile.
    """
    yield from _beside_each_other(trial, _of_all_functions, ROUNDS_OF_LARGE)


def _of_all_functions(trial: Trial) -> list[Invocation]:
    """The calls for the loss and the gradient, and of the functions of the logits."""
    made = calls_of(trial)
    beside = (function_call(trial, name) for name in functions_of(trial.subject))
    return [*made, *beside] if CROSS_ENTROPY.met_by(trial.subject) else made


def _beside_each_other(
    trial: Trial, calls_on: Callable[[Trial], list[Invocation]], rounds: int
) -> Iterator[NotThreadSafe | Held]:
    """Each kind of call, on four problems of one shape, each in a thread of its own."""
    caller, returned = trial.subject.caller, False
    variants = [calls_on(trial.related(problem)) for problem in _variants(trial.subject, trial.problem)]
    # Gradients first. Without one to prepare, the loss may take another path, with memory of its own.
    for calls in reversed(list(zip(*variants, strict=True))):
        alone = [caller.perform(call) for call in calls]
        for number, several in enumerate(caller.together(calls, _rounds(trial, len(calls), rounds))):
            for outcome in several:
                # The wrong call comes first.
                order = (calls[number], *calls[:number], *calls[number + 1 :])
                different = NotThreadSafe.seen(order, alone[number], outcome)
                if different is not None:
                    yield different
                    return
        returned |= not all(outcome.trouble for outcome in alone)
    if returned:
        yield Held(quantity="threads")


def _rounds(trial: Trial, threads: int, most: int) -> int:
    """How many calls each thread makes: those of all threads have no more rows than the largest call may have.

    The calls of a slow callable have so few rows that the largest takes about a second. Long rows count as several.
    """
    claims, problem = trial.subject.capabilities, trial.problem
    # A call that starts its operations one by one takes milliseconds in Python, in which others wait.
    most, rows = FEW_ROUNDS if claims.compiles_operations else most, claims.max_rows
    if rows is None:
        return most
    size = max(problem.rows, problem.logits.size // SHORT_ROW, 1)
    return min(most, max(FEWEST_ROUNDS, rows // (threads * size)))


@requirement(
    "purity.no-state",
    "a call leaves nothing behind for the next",
    source=AFTER,
    needs=[FUNCTION, DETERMINISM],
    references=["https://github.com/pytorch/pytorch/issues/12670"],
)
def test_a_call_leaves_nothing_behind_for_the_next(trial: Trial) -> Iterator[Finding]:
    """A call that is repeated gives bitwise the same after calls of another shape and reduction, in turn with one of
    twice as many rows, after one with an empty batch, and right after one that is rejected; so does one of softmax,
    log_softmax or nll_loss where there is no cross_entropy.
    """
    for call in calls_of(trial)[-1:]:
        yield from _after_others(trial, call)


def _after_others(trial: Trial, call: Invocation) -> Iterator[Finding]:
    caller = trial.subject.caller
    first = caller.perform(call)
    if first.trouble:
        return
    for problems in _other_calls(trial):
        within = [problem for problem in problems if trial.subject.takes_rows(problem.rows)]
        others = [other for problem in within for other in calls_of(trial.related(problem))[-1:]]
        for other in others:
            caller.perform(other)
        different = NotRepeatable.seen((call, *others), first, caller.perform(call))
        if different is not None:
            yield different
            return
    twice = _twice(trial.problem)
    if FREE_SHAPES.met_by(trial.subject) and trial.subject.takes(twice):
        longer = calls_of(trial.related(twice))[-1]
        before = caller.perform(longer)
        for again, between, earlier in ((call, longer, first), (longer, call, before)):
            different = NotRepeatable.seen((again, between), earlier, caller.perform(again))
            if different is not None:
                yield different
                return
    yield Held(quantity="second call")


@requirement(
    "purity.arguments-read-anew",
    "arguments that were changed in place",
    source=OVERWRITTEN,
    needs=[FUNCTION, DETERMINISM],
    references=["https://github.com/tensorflow/tensorflow/pull/56218", "https://github.com/NVIDIA/apex/pull/132"],
)
def test_arguments_are_read_anew(trial: Trial) -> Iterator[Finding]:
    """If all arrays or one of them are overwritten in place after a call, loss and gradients of a later call with them
    are bitwise the same as with new arrays of the same content and memory layout.
    """
    caller, arrays, numbers = trial.subject.caller, trial.problem.arrays(), _other_numbers(trial.problem)
    for changed in [arrays.keys(), *({name} for name in arrays)]:
        # In another layout sums may be rounded otherwise. What is not changed is copied: scripts define an array once.
        values = {name: numbers[name] if name in changed else array.copy() for name, array in arrays.items()}
        new = {name: laid_out_like(array, values[name]) for name, array in arrays.items()}
        other = trial.related(trial.problem.with_(**new))
        for before, call in zip(calls_of(trial), calls_of(other), strict=True):
            if not changed & call.arrays.keys():
                continue
            again = caller.rewritten(before, call)
            if again is None:
                yield Declined(quantity="loss", reason="has arrays that cannot be assigned to")
                return
            fresh = other.outcome(call)
            if fresh.trouble is None:
                yield NotReadAnew.seen((call, before), fresh, again) or Held(quantity="call with changed arguments")


def _other_numbers(problem: Problem) -> dict[str, AnyArray]:
    """For every array one of the same shape and dtype with other numbers."""
    changed = reordered_rows(problem, np.arange(problem.rows)[::-1])
    halved = array_of(np.clip(changed.logits.astype(np.float64) / 2, -1e4, 1e4), problem.dtype)
    weight = None if problem.weight is None else np.ascontiguousarray(problem.weight[::-1])
    return changed.with_(logits=halved, weight=weight).arrays()


def _other_calls(trial: Trial) -> Iterator[list[Problem]]:
    """Plain calls in every reduction; then one without rows, and each that is rejected, alone."""
    subject, (logits, labels) = trial.subject, BETWEEN
    reductions = subject.capabilities.reductions
    yield [problem_of(subject, logits, labels, reduction) for reduction in reductions]
    if not CROSS_ENTROPY.met_by(subject):
        return
    if FREE_SHAPES.met_by(subject):
        yield [problem_of(subject, np.zeros((0, 3)), np.zeros(0, dtype=np.int64), reductions[0])]
        yield [problem_of(subject, logits, labels[:1], reductions[0])]
    if CHECKS_LABELS.met_by(subject):
        yield [problem_of(subject, logits, (labels[0], 7), reductions[-1])]


def _twice(problem: Problem) -> Problem:
    """Each row twice, the second time in reverse order."""
    every = np.arange(problem.rows)
    return chosen_rows(problem, np.concatenate([every, every[::-1]]))
