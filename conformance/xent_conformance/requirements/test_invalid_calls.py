"""Invalid calls: a label out of range never gives a plausible number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle

import numpy as np

from xent_conformance.calling.calls import TIMEOUT, Invocation, Outcome, backward, forward
from xent_conformance.judging.findings import Finding, Held, Lost, WrongConvention
from xent_conformance.judging.subject import CHECKS_LABELS, GRADIENT, OWN_PROCESS, Need, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import chosen, counted_classes, rejection_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import problem_of, relabelled
from xent_conformance.strategies.menu import SHAPES
from xent_conformance.strategies.sources import listed
from xent_conformance.strategies.streams import Stream

#: Index targets of moderate size in every reduction, rank and option; the invalid label is inserted afterwards.
LABELLED = Stream(
    "labelled",
    only={
        "shape": {k: v for k, v in SHAPES.items() if k != "many classes"},
        "target": {"random": ["random"], "extreme class": ["first", "last"]},
        "ignore": {"none": ["none"], "default": ["default"], "passed": ["outside"]},
        "regime": {"plain": ["normal", "grid"]},
        "weight": {"none": ["none"], "positive": ["random"]},
        "label_smoothing": {"off": [0.0], "on": [0.1]},
        "cotangent": {"plain": ["ones"]},
    },
    budget=0.15,
)

#: The smallest positive integer that float32 cannot represent.
PAST_FLOAT32 = 2**24 + 1


def _with_invalid_label(problem: Problem) -> Iterable[Problem]:
    """The problem with one label just or far outside the range, or next to the sentinel: first, in the middle, last."""
    if not problem.rows or problem.has_probabilities:
        return
    classes, sentinel, limits = problem.classes, problem.ignored_label, np.iinfo(problem.target.dtype.name)
    wrong = [-1, classes, classes + 1, 2**31, 2**40, -(2**40), -classes]
    wrong += [v for v in (sentinel - 1, sentinel + 1) if not 0 <= v < classes] if sentinel is not None else []
    for i, label in enumerate(v for v in wrong if v != sentinel and limits.min <= v <= limits.max):
        target = problem.target.copy()
        flat = target.reshape(-1)
        row = (0, problem.rows // 2, problem.rows - 1)[i % 3]
        flat[row] = label
        yield problem.with_(target=flat.reshape(target.shape))
    if problem.ignore_index is not None:
        # Next to a sentinel, and equal to it in float32.
        labels = np.where(problem.ignored(), PAST_FLOAT32 - 1, problem.labels())
        labels[-1] = PAST_FLOAT32
        yield relabelled(problem, labels, ignore_index=PAST_FLOAT32 - 1)


def _rejected(outcome: Outcome, label: int, classes: int, call: Invocation) -> Finding:
    """Whether a call with a wrong label raised an error."""
    return rejection_finding("invalid label", call, outcome, f"label {label} of {counted_classes(classes)}")


@requirement(
    "invalid_calls.labels-out-of-range",
    "labels out of range follow the convention",
    needs=[CHECKS_LABELS],
    source=LABELLED,
    derive=_with_invalid_label,
    references=[
        "https://github.com/pytorch/pytorch/issues/39769",
        "https://github.com/pytorch/pytorch/issues/49882",
        "https://github.com/tensorflow/tensorflow/issues/3739",
        "https://github.com/keras-team/keras/issues/23664",
    ],
)
def test_labels_out_of_range_follow_the_convention(trial: Trial) -> Iterator[Finding]:
    """A label outside [0, C) that is not ignore_index raises an error, or gives nan if that is the declared convention,
    and never a plausible number, in any reduction or rank.
    """
    problem = trial.problem
    labels = problem.labels()
    outside = (labels < 0) | (labels >= problem.classes)
    outside &= ~problem.ignored()
    if not outside.any():
        return
    wrong = int(labels[outside][0])
    if trial.subject.conventions.invalid_label == "error":
        for call in [forward(problem), *([backward(problem)] if GRADIENT.met_by(trial.subject) else [])]:
            yield _rejected(trial.outcome(call), wrong, problem.classes, call)
        return
    loss = trial.loss()
    poisoned = loss[outside] if problem.reduction == "none" else loss
    if np.isnan(poisoned).all():
        yield Held(quantity="invalid label")
    else:
        row = () if problem.reduction != "none" else (int(np.flatnonzero(outside & ~np.isnan(loss))[0]),)
        yield WrongConvention(
            quantity="loss",
            calls=(forward(problem),),
            index=row,
            expected="nan",
            got=str(loss[row].tolist()),
            because=f"it has label {wrong} of {counted_classes(problem.classes)}",
            convention=chosen(trial, "invalid_label"),
        )


ABORTS = Need("that invalid labels abort", lambda s: s.conventions.invalid_label == "abort")


@listed("labels that abort", rejected=True)
def _fatal(subject: Subject) -> Iterable[Problem]:
    """Only four problems and six calls, since each may cost a process, or the context of a device."""
    claims = subject.capabilities
    dtype = np.dtype("int64" if "int64" in claims.target_dtypes else claims.target_dtypes[0])
    held = np.iinfo(dtype)
    labels = [v for v in (-1, 3, 3, 2**31 - 1) if held.min <= v <= held.max and v != claims.default_ignore_index]
    logits = [[1.0, 0.0, 3.0], [2.0, 1.0, 0.0]]
    for label, reduction in zip(labels, cycle(claims.reductions), strict=False):
        yield problem_of(subject, logits, np.array([2, label], dtype=dtype), reduction)


@requirement(
    "invalid_calls.labels-that-abort",
    "labels out of range end the call",
    needs=[ABORTS, OWN_PROCESS],
    source=_fatal,
    references=[
        "https://github.com/pytorch/pytorch/issues/49882",
        "https://github.com/pytorch/pytorch/issues/39769",
    ],
)
def test_labels_out_of_range_end_the_call(trial: Trial) -> Iterator[Finding]:
    """If the declared convention is that a label outside [0, C) aborts, the call raises or ends its process: it neither
    returns a value nor hangs.
    """
    # The executor is called directly, because the caller would raise LostError for the expected crash.
    executor, problem = trial.subject.executor, trial.problem
    label = int(problem.labels()[-1])
    calls = [forward(problem)]
    if label == problem.classes and GRADIENT.met_by(trial.subject):
        calls.append(backward(problem))
    for call in calls:
        outcome = executor.perform(call)
        if outcome.fate == TIMEOUT:
            yield Lost(quantity="invalid label", calls=(call,), fate=TIMEOUT, how=outcome.trouble or "")
        elif outcome.fate is None:
            yield _rejected(outcome, label, problem.classes, call)
        else:
            yield Held(quantity="invalid label")
