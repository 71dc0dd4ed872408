"""Dtypes: logits must be floating-point, and labels of unclaimed dtypes are rejected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np

from xent_conformance.calling.calls import backward, forward
from xent_conformance.conventions import loss_dtype
from xent_conformance.formats import FLOATING, INTEGER, dtype_of
from xent_conformance.judging.findings import Finding, Held, WrongMessage
from xent_conformance.judging.subject import GRADIENT, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem, array_of
from xent_conformance.requirements.checks import form_finding, gradient_finding, loss_finding, rejected
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.sweeps import exact_labels, repeated
from xent_conformance.requirements.twins import problem_of
from xent_conformance.strategies.language_models import OPTIONS
from xent_conformance.strategies.operand_dtypes import LABEL_DTYPES
from xent_conformance.strategies.sources import listed
from xent_conformance.strategies.streams import Stream

#: Names that libraries use for a dtype in their messages.
ALIASES: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "int8": ("int8", "char", "s8", "i8"),
    "int16": ("int16", "short", "s16", "i16"),
    "int32": ("int32", "int", "s32", "i32"),
    "int64": ("int64", "long", "s64", "i64"),
    "uint8": ("uint8", "byte", "u8"),
    "uint16": ("uint16", "u16"),
    "uint32": ("uint32", "u32"),
    "uint64": ("uint64", "u64"),
    "float16": ("float16", "half", "f16"),
    "bfloat16": ("bfloat16", "bf16"),
    "float32": ("float32", "float", "f32"),
    "float64": ("float64", "double", "f64"),
    "complex64": ("complex64", "complexfloat", "complex", "c64"),
    "complex128": ("complex128", "complexdouble", "complex", "c128"),
}

#: More classes than 15 bits can index; two rows have more logits than 16 bits can.
BEYOND = 2**15 + 2
#: Rows that are no multiple of a vector of labels, or of a block.
MANY_ROWS = (65, 107, 300, 1025, 2500)
_NOT_LOGITS = ("bool", *INTEGER, "complex64", "complex128")


@listed("logits that are not floating-point", rejected=True)
def _not_floating(subject: Subject) -> Iterable[Problem]:
    """Plain problems whose logits are not floating-point numbers, in every reduction."""
    values = np.array([[1, 0, 3], [2, 1, 0]])
    for dtype in _NOT_LOGITS:
        for reduction in subject.capabilities.reductions:
            logits = values.astype(np.int64).astype(dtype_of(dtype))
            yield Problem(logits, np.array([2, 0]), reduction=reduction, cotangent=_ones(subject, reduction))


def _ones(subject: Subject, reduction: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return array_of(np.ones(2 if reduction == "none" else ()), subject.dtype)


@listed("labels of unclaimed dtypes", foreign_labels=True, rejected=True)
def _unclaimed_labels(subject: Subject) -> Iterable[Problem]:
    """Labels of dtypes that are not claimed: floating-point and bool always, integers where they are not claimed."""
    claimed = _claimed(subject)
    for dtype in (d for d in ("bool", *INTEGER, *FLOATING, "complex64") if d not in claimed):
        for reduction in subject.capabilities.reductions:
            logits = array_of([[1.0, 0.0, 3.0], [2.0, 1.0, 0.0]], subject.dtype)
            target = np.array([1, 0]).astype(dtype_of(dtype))
            yield Problem(logits, target, reduction=reduction, cotangent=_ones(subject, reduction))


def _claimed(subject: Subject) -> tuple[str, ...]:
    """Dtypes of labels that are claimed, and those that may be accepted."""
    claims = subject.capabilities
    return *claims.target_dtypes, *claims.tolerated_target_dtypes


@requirement(
    "dtypes.logits-must-be-floating",
    "integer, bool and complex logits rejected",
    source=_not_floating,
    once=True,
    references=["https://github.com/pytorch/pytorch/issues/134896", "https://github.com/pytorch/pytorch/issues/30572"],
)
def test_logits_that_are_not_floating_point_are_rejected(trial: Trial) -> Iterator[Finding]:
    """Logits of an integer, bool or complex dtype are rejected with an error, in every reduction."""
    dtype = trial.problem.dtype
    if dtype in _NOT_LOGITS:
        yield rejected(trial, "logits", f"{dtype} logits")


@requirement(
    "dtypes.index-dtypes-rejected",
    "labels of unclaimed dtypes rejected",
    source=_unclaimed_labels,
    once=True,
    references=[
        "https://github.com/pytorch/pytorch/issues/174943",
        "https://github.com/rasbt/machine-learning-book/issues/192",
    ],
)
def test_labels_of_unclaimed_dtypes_are_rejected(trial: Trial) -> Iterator[Finding]:
    """Class indices of a dtype that is not claimed (floating point, bool, an integer too narrow) are rejected."""
    dtype = trial.problem.target.dtype.name
    if dtype not in _claimed(trial.subject):
        yield rejected(trial, "labels", f"{dtype} labels")


def _names_it(trial: Trial, what: str, dtype: str) -> Iterator[Finding]:
    """Whether an error names the dtype that it rejects; no finding if there is no error."""
    call = forward(trial.problem)
    outcome = trial.outcome(call)
    if outcome.raised is None:
        return
    text = outcome.raised.lower().replace(" ", "")
    names = ALIASES[dtype]
    if dtype in {"int64", "uint64"} and "float64" not in trial.subject.capabilities.logits_dtypes:
        # A library that has no 64-bit dtypes, as JAX has none without jax_enable_x64, makes 32-bit arrays of them.
        names = (*names, dtype.replace("64", "32"))
    if any(alias in text for alias in names):
        yield Held(quantity="message")
    else:
        yield WrongMessage(quantity="message", calls=(call,), what=what, names=names, text=outcome.raised)


@requirement(
    "dtypes.error-names-the-logits-dtype",
    "the error for bad logits names their dtype",
    level=Level.SHOULD,
    source=_not_floating,
    once=True,
)
def test_error_names_the_dtype_of_the_logits(trial: Trial) -> Iterator[Finding]:
    """The error that rejects logits names their dtype, by its own name or one that libraries use for it."""
    yield from _names_it(trial, "logits", trial.problem.dtype)


@requirement(
    "dtypes.error-names-the-index-dtype",
    "the error for bad labels names their dtype",
    level=Level.SHOULD,
    source=_unclaimed_labels,
    once=True,
    references=["https://github.com/pytorch/pytorch/pull/197813"],
)
def test_error_names_the_dtype_of_the_labels(trial: Trial) -> Iterator[Finding]:
    """The error that rejects labels names their dtype, by its own name or one that libraries use for it."""
    yield from _names_it(trial, "labels", trial.problem.target.dtype.name)


@requirement("dtypes.index-dtypes-accepted", "labels of every claimed dtype", source=LABEL_DTYPES)
def test_labels_of_every_claimed_dtype_give_the_loss(trial: Trial) -> Iterator[Finding]:
    """Class indices of every claimed dtype give the correct loss, in every rank, memory layout and number of rows and
    classes, and with all options combined.
    """
    yield loss_finding(trial)


@requirement(
    "dtypes.index-dtypes-gradient",
    "labels of every claimed dtype: the gradient",
    source=LABEL_DTYPES,
    needs=[GRADIENT],
)
def test_labels_of_every_claimed_dtype_give_the_gradient(trial: Trial) -> Iterator[Finding]:
    """Class indices of every claimed dtype give the correct gradient, in every rank, memory layout and number of rows
    and classes, and with all options combined.
    """
    yield gradient_finding(trial)


@listed("labels at the ends of their dtypes")
def _edges_of_index_dtypes(subject: Subject) -> Iterable[Problem]:
    """In every claimed dtype the labels around the ends of the 8-bit types, as far as it can represent them; and its
    first and last label with more classes than 15 bits can index, and, unless it is int64, batches of many rows.
    """
    limit = subject.capabilities.max_classes
    classes = 260 if limit is None else min(260, limit)
    every = np.array([0, 1, 126, 127, 128, 129, 155, 156, 157, 254, 255, 256, 257])
    for dtype in subject.capabilities.target_dtypes:
        held_by_it = every[(every <= np.iinfo(dtype).max) & (every < classes)]
        labels = repeated(subject, np.resize(held_by_it, len(every)), classes)
        logits = -8.0 + 0.5 * ((np.arange(classes) + np.arange(len(labels))[:, None]) % 5)
        logits[np.arange(len(labels)), labels] = 4.0
        smoothings = (0.0, 0.25) if subject.capabilities.label_smoothing else (0.0,)
        for reduction, smoothing in product(subject.capabilities.reductions, smoothings):
            cotangent = np.resize([1.0, -0.5, 2.0], len(labels) if reduction == "none" else 1)
            yield Problem(
                array_of(logits, subject.dtype),
                labels.astype(dtype_of(dtype)),
                reduction=reduction,
                label_smoothing=smoothing,
                cotangent=array_of(cotangent.reshape(len(labels) if reduction == "none" else ()), subject.dtype),
                sentinel=subject.capabilities.default_ignore_index,
            )
        if limit is None and not subject.capabilities.static_shapes:
            labels = np.array([0, min(np.iinfo(dtype).max, BEYOND - 1)])
            logits = np.full((2, BEYOND), -8.0)
            logits[[0, 1], labels] = 4.0, 2.0
            yield problem_of(subject, logits, labels.astype(dtype_of(dtype)), subject.capabilities.reductions[0])
        if not subject.capabilities.static_shapes and dtype != "int64":
            yield from _batches(subject, dtype)


def _batches(subject: Subject, dtype: str) -> Iterator[Problem]:
    """Many rows whose labels have no period, each likeliest in its row by far."""
    classes = max(5, subject.capabilities.min_classes)
    for rows in MANY_ROWS if subject.capabilities.max_classes is None else ():
        labels = np.random.default_rng(rows).integers(classes, size=rows)
        logits = np.where(labels[:, None] == np.arange(classes), 4.0, -4.0)
        yield problem_of(subject, logits, labels.astype(dtype_of(dtype)), subject.capabilities.reductions[0])


@requirement(
    "dtypes.index-dtypes-exact",
    "labels up to the end of their own dtype",
    source=_edges_of_index_dtypes,
    references=[
        "https://github.com/pytorch/pytorch/issues/59765",
        "https://github.com/pytorch/pytorch/pull/60650",
        "https://github.com/pytorch/pytorch/issues/66872",
    ],
)
def test_labels_up_to_the_end_of_their_own_dtype(trial: Trial) -> Iterator[Finding]:
    """Labels around 127, 128, 255 and 256 name their own class in every claimed dtype that can represent them: they do
    not wrap around, and 156 is not taken for -100, with or without smoothing. Each label of up to 2500 rows is read.
    """
    yield loss_finding(trial)
    if GRADIENT.met_by(trial.subject) and not trial.subject.capabilities.static_shapes:
        yield gradient_finding(trial)


OUTPUT = Stream(
    "output form",
    only={
        "options": {
            "none": [None],
            "one": [options for level, choices in OPTIONS.items() if level != "several" for options in choices],
            "several": OPTIONS["several"],
        }
    },
    budget=0.15,
)


def _expected_dtype(trial: Trial) -> str:
    return loss_dtype(trial.subject.conventions.output_dtype, trial.problem.dtype)


@requirement(
    "dtypes.output",
    "shape and dtype of the loss",
    source=OUTPUT,
    references=[
        "https://github.com/linkedin/Liger-Kernel/pull/435",
        "https://github.com/tensorflow/tensorflow/issues/48129",
    ],
)
def test_loss_has_its_shape_and_dtype(trial: Trial) -> Iterator[Finding]:
    """The loss has the dtype of the logits (or the declared one), and the shape of the rows for none, () for sum and
    mean, also with the options of language models.
    """
    yield form_finding(trial, forward(trial.problem), "loss", [_expected_dtype(trial)], trial.loss_shape())


@requirement("dtypes.gradient-output", "shape and dtype of the gradient", source=OUTPUT, needs=[GRADIENT])
def test_gradient_has_the_shape_and_dtype_of_the_logits(trial: Trial) -> Iterator[Finding]:
    """The gradient of the logits has their shape and dtype, also with the options of language models."""
    call = backward(trial.problem)
    yield form_finding(trial, call, "grad_logits", [trial.problem.dtype], trial.problem.logits.shape)


@requirement(
    "dtypes.labels-are-exact",
    "labels are not rounded to the dtype of the logits",
    source=exact_labels,
    references=[
        "https://github.com/keras-team/keras/issues/15012",
        "https://github.com/keras-team/keras/pull/15015",
        "https://github.com/tensorflow/tensorflow/issues/50964",
    ],
)
def test_labels_are_not_rounded_to_the_dtype_of_the_logits(trial: Trial) -> Iterator[Finding]:
    """Labels around 2^8, 2^11 and 2^16 name their own class, not the one to which they would round in the dtype of the
    logits or in 16 bits.
    """
    yield loss_finding(trial)
