"""The problems of the scale profile, at sizes that fit into a test."""

import socket

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.calling.calls import Invocation, Outcome
from xent_conformance.calling.guarded import Guarded
from xent_conformance.calling.strides import behind, overlapping, windows
from xent_conformance.isolation.channel import Arena, Channel
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements import test_scale as scale
from xent_conformance.requirements.registry import REGISTRY, load


class Wrapping(NumpyBackend):
    """Rows from the 200th on are read from the beginning again."""

    def cross_entropy(self, logits, target, **options):
        return super().cross_entropy(logits[np.arange(len(logits)) % 200], target, **options)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(scale, "WIDE", 643)
    monkeypatch.setattr(scale, "LONG", 700)
    load()
    return REGISTRY["scale.elements"]


def _findings(requirement, backend):
    subject = Subject.of(backend, "float16")
    (problem,) = requirement.source(subject)
    return list(requirement.check(Trial(subject, problem)))


def test_windows_of_one_row_are_as_many_rows(small):
    (finding,) = _findings(small, NumpyBackend())
    assert not finding.failed
    assert finding.exercised
    assert finding.calls[0].inputs["logits"].shape == (700, 643)


def test_rows_that_wrap_around_are_seen(small):
    (finding,) = _findings(small, Wrapping())
    assert finding.failed
    assert finding.index[0] >= 200


def test_running_out_of_memory_is_no_verdict(small):
    class Small(NumpyBackend):
        def cross_entropy(self, logits, target, **options):
            raise MemoryError("no more")

    assert _findings(small, Small()) == []


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("_ArrayMemoryError", "Unable to allocate 8. GiB for an array"),
        ("RuntimeError", "DefaultCPUAllocator: can't allocate memory: you tried to allocate 17179869184 bytes."),
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 8.00 GiB."),
        ("XlaRuntimeError", "RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes."),
    ],
)
def test_libraries_say_that_memory_ran_out(kind, said):
    assert scale.ran_out_of_memory(Outcome({}, raised=said, raised_type=kind))
    assert not scale.ran_out_of_memory(Outcome({}, raised="Target 5 is out of bounds.", raised_type="IndexError"))


def test_overlapping_windows_cross_to_a_worker_without_being_copied_apart(tmp_path):
    base = np.arange(100, dtype=np.float16)
    view = windows(base, (60, 41), (2, 2))
    assert overlapping(view.shape, view.strides, 2)
    assert np.array_equal(behind(view), base)
    assert Guarded(view).memory.nbytes < 2 * base.nbytes + 1024
    boxes, others = [Arena()], [Arena()]
    ours, theirs = socket.socketpair()
    here, there = Channel(ours, boxes, others), Channel(theirs, others, boxes)
    sent = here.invocation(Invocation("cross_entropy", ("loss",), {"logits": view}))
    assert len(repr(sent)) < 2000
    got = there.invocation_of(sent).inputs["logits"]
    assert got.strides == view.strides
    assert np.array_equal(got, view)
    for end in (ours, theirs):
        end.close()
