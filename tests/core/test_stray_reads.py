"""Reads beside the inputs are seen by what lies there, and are one fault whatever they spoil."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.calling.calls import differing, forward
from xent_conformance.calling.guarded import BAND, Guarded
from xent_conformance.formats import FLOATING, dtype_of
from xent_conformance.interface import Capabilities
from xent_conformance.judging.findings import StrayRead
from xent_conformance.judging.judge import findings
from xent_conformance.judging.stray_reads import stray_read
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.situations import UNKNOWN, described
from xent_conformance.requirements.registry import load
from xent_conformance.verdicts.tally import Tally
from xent_conformance.witnesses.behind import causes

LOGITS = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]], dtype=np.float32)
LABELS = np.array([0, 2])


class ReadsBehind(NumpyBackend):
    """Its maximum takes in what lies behind each row, and passes over nan, as fmaxf does."""

    name = "reads-behind"
    capabilities = Capabilities(default_ignore_index=-100, validation="adapter")

    def cross_entropy(self, logits, target, **options):
        if logits.flags.c_contiguous and logits.ndim == 2 and logits.size:
            wider = as_strided(logits, (len(logits), logits.shape[1] + 1), logits.strides)
            largest = np.fmax.reduce(wider, axis=1, keepdims=True).astype(np.float64)
            with np.errstate(all="ignore"):
                sums = np.exp(logits - largest).sum(axis=1)
                losses = np.log(sums) + largest[:, 0] - logits[np.arange(len(target)), target]
            return np.asarray(losses if options["reduction"] == "none" else losses.sum(), dtype=logits.dtype)
        return super().cross_entropy(logits, target, **options)


def judged(backend, requirement, **changes):
    problem = Problem(LOGITS, LABELS, reduction="none", cotangent=np.ones(2, dtype=np.float32)).with_(**changes)
    return findings(load()[requirement], Trial(Subject.of(backend, "float32"), problem))


@pytest.mark.parametrize("dtype", [*FLOATING, "int64", "uint8"])
def test_ordinary_numbers_lie_around_an_array_that_asks_for_them(dtype):
    array = np.ones((3, 4)).astype(dtype_of(dtype))[:, ::2]
    guarded = Guarded(array, ordinary=True)
    around = guarded.memory[: BAND // array.itemsize * array.itemsize].view(array.dtype)
    assert np.isfinite(around.astype(float)).all()
    assert (around > 1).all() if dtype in FLOATING else not around.any()
    assert np.array_equal(guarded.view, array)


def test_a_read_that_passes_over_nan_is_seen():
    found = judged(ReadsBehind(), "purity.nothing-read-beside-the-inputs")
    (read,) = [f for f in found if f.failed]
    assert isinstance(read, StrayRead)
    assert (read.call, read.names) == ("cross_entropy", ("logits",))


def test_another_nan_is_no_other_result():
    """A report would say "nan or nan", and a script that compares them sees no difference."""

    class PassesNanOn(ReadsBehind):
        def cross_entropy(self, logits, target, **options):
            losses = super().cross_entropy(logits, target, **options)
            return np.asarray(np.where(np.signbit(losses) | np.isinf(losses), -np.float32(np.nan), np.float32(np.nan)))

    trial = Trial(Subject.of(PassesNanOn(), "float32"), Problem(LOGITS, LABELS, reduction="none"))
    call = forward(trial.problem)
    others = [trial.subject.caller.perform(replace(call, ordinary=names)) for names in ((), ("logits",))]
    assert differing(*others) == "loss"
    assert stray_read(trial, call) is None


def test_an_implementation_that_reads_its_inputs_only_passes():
    found = judged(NumpyBackend(), "purity.nothing-read-beside-the-inputs")
    assert found
    assert not [f for f in found if f.failed]


def test_a_wrong_number_is_said_to_be_a_stray_read_where_one_of_its_rows_makes_one():
    # The first row is wrong for what it reads of the second, which lies between no bands.
    far = np.array([[0.0, 0.0], [2000.0, 0.0]], dtype=np.float32)
    summed = {"reduction": "sum", "cotangent": np.ones((), dtype=np.float32)}
    (worst,) = judged(ReadsBehind(), "accuracy.loss", logits=far, target=np.array([0, 0]), **summed)
    assert isinstance(worst, StrayRead)
    assert worst.problem.rows == 1


class ReadsAsContiguous(NumpyBackend):
    """Takes every row to begin where the one before ends."""

    name = "reads-as-contiguous"
    capabilities = Capabilities(default_ignore_index=-100, validation="adapter")

    def cross_entropy(self, logits, target, **options):
        strides = (logits.shape[1] * logits.itemsize, logits.itemsize)
        return super().cross_entropy(as_strided(logits, logits.shape, strides), target, **options)


def test_a_stray_read_of_a_strided_array_is_not_said_to_show_with_any_input():
    """Its variants are not judged: what they show depends on memory."""
    subject, requirement = Subject.of(ReadsAsContiguous(), "float32"), load()["accuracy.loss"]
    strided = np.zeros((2, 6), dtype=np.float32)[:, ::2]
    trial, tally = Trial(subject, Problem(strided, LABELS, reduction="none")), Tally()
    tally.count(trial, findings(requirement, trial), excused=False)
    (cause,) = causes(requirement, subject, tally.failing)
    assert isinstance(cause.witness.finding, StrayRead)
    said = described(cause.needs.situation, cause.needs.undecided)
    assert said == UNKNOWN or said.startswith("perhaps only")


class CopiesFirst(ReadsBehind):
    """Copies other arrays to memory that something else follows each time."""

    name = "copies-first"

    def __init__(self):
        super().__init__()
        self.behind = itertools.cycle([0, 2000])

    def cross_entropy(self, logits, target, **options):
        if not logits.flags.c_contiguous:
            memory = np.full(logits.size + 1, next(self.behind), dtype=logits.dtype)
            memory[:-1] = logits.reshape(-1)
            logits = memory[:-1].reshape(logits.shape)
        return super().cross_entropy(logits, target, **options)


def test_a_repeated_call_that_differs_is_said_to_be_a_stray_read_where_one_of_its_rows_makes_one():
    strided = np.repeat(LOGITS, 2, axis=1)[:, ::2]
    found = judged(CopiesFirst(), "purity.arguments-read-anew", logits=strided)
    assert {type(one) for one in found if one.failed} == {StrayRead}


def test_a_wrong_number_without_a_stray_read_stays_what_it_is():
    class Half(NumpyBackend):
        def cross_entropy(self, logits, target, **options):
            return super().cross_entropy(logits, target, **options) / 2

    (worst,) = judged(Half(), "accuracy.loss")
    assert worst.failed
    assert worst.kind == "wrong-value"


def test_a_call_that_differs_each_time_is_no_stray_read():
    class Random(NumpyBackend):
        generator = np.random.default_rng(0)

        def cross_entropy(self, logits, target, **options):
            return super().cross_entropy(logits, target, **options) + np.float32(self.generator.random())

    assert all(f.kind == "wrong-value" for f in judged(Random(), "accuracy.loss"))
