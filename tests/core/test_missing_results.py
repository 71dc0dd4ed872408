"""A result that a call returns at one time and leaves out at another is a difference of that result."""

import threading

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.calling.calls import Outcome, backward, differing
from xent_conformance.interface import Capabilities
from xent_conformance.judging.findings import NotReadAnew, NotRepeatable, NotThreadSafe, StrayRead
from xent_conformance.judging.judge import findings
from xent_conformance.judging.stray_reads import stray_read
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load

LOGITS = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]], dtype=np.float32)
PROBLEM = Problem(LOGITS, np.array([0, 2]), reduction="none", cotangent=np.ones(2, dtype=np.float32))
BOTH = Outcome({"loss": np.zeros(2), "grad_logits": np.zeros((2, 3))})
ONE = Outcome({"loss": np.zeros(2)})


class LeavesOut(NumpyBackend):
    """Calls of which some return no gradient."""

    name = "leaves-out"
    capabilities = Capabilities(default_ignore_index=-100)

    def __init__(self, left_out):
        super().__init__()
        self.calls, self.left_out = 0, left_out

    def cross_entropy_vjp(self, *arguments, **options):
        returned = super().cross_entropy_vjp(*arguments, **options)
        self.calls += 1
        return returned._replace(grad_logits=None) if self.left_out(self.calls) else returned


def judged(backend, identifier, problem=PROBLEM):
    return [f for f in findings(load()[identifier], Trial(Subject.of(backend, "float32"), problem)) if f.failed]


@pytest.mark.parametrize(("first", "second"), [(BOTH, ONE), (ONE, BOTH)])
def test_what_only_one_of_two_calls_returns_differs(first, second):
    assert differing(first, second) == "grad_logits"
    assert differing(first, first) is None


def test_a_number_that_differs_too_comes_first():
    assert differing(BOTH, Outcome({"loss": np.ones(2)})) == "loss"


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        (NotRepeatable, "{got} after 1 other call, and first {expected}"),
        (NotThreadSafe, "{got} while 1 others run in other threads, and alone {expected}"),
        (NotReadAnew, "{got} with arrays that were overwritten after another call, but {expected} with new arrays of"),
    ],
)
@pytest.mark.parametrize(("first", "again", "got", "expected"), [(BOTH, ONE, "no", "a"), (ONE, BOTH, "a", "no")])
def test_the_message_names_what_is_missing(finding, message, first, again, got, expected):
    call = backward(PROBLEM)
    said = message.format(got=f"returned {got} grad_logits", expected=f"returned {expected} grad_logits")
    seen = finding.seen((call, call), first, again)
    assert seen.quantity == "grad_logits"
    assert seen.message.startswith(f"cross_entropy_vjp {said}")


def test_a_gradient_that_is_left_out_in_threads():
    def in_a_thread(_):
        return threading.current_thread() is not threading.main_thread()

    (found,) = judged(LeavesOut(in_a_thread), "purity.threads")
    assert isinstance(found, NotThreadSafe)
    assert (found.quantity, found.got) == ("grad_logits", "returned no grad_logits")


@pytest.mark.parametrize("identifier", ["purity.no-state", "purity.threads"])
def test_a_gradient_that_is_left_out_in_every_seventh_call(identifier):
    found = judged(LeavesOut(lambda number: number % 7 == 0), identifier)
    assert [f.quantity for f in found] == ["grad_logits"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_gradient_that_is_left_out_in_one_of_two_calls(number):
    (found,) = judged(LeavesOut(number.__eq__), "purity.long-sums")
    assert isinstance(found, NotRepeatable)
    assert found.quantity == "grad_logits"


class OfMemoryBeside(NumpyBackend):
    """Returns a gradient only if there is an ordinary number behind the logits."""

    name = "of-memory-beside"
    capabilities = Capabilities(default_ignore_index=-100)

    def cross_entropy_vjp(self, cotangent, logits, target, **options):
        returned = super().cross_entropy_vjp(cotangent, logits, target, **options)
        behind = np.lib.stride_tricks.as_strided(logits, (logits.size + 1,), (logits.itemsize,))[-1]
        return returned._replace(grad_logits=None) if np.isnan(behind) else returned


def test_a_gradient_that_is_there_only_with_ordinary_numbers_beside_the_inputs():
    read = stray_read(Trial(Subject.of(OfMemoryBeside(), "float32"), PROBLEM), backward(PROBLEM))
    assert isinstance(read, StrayRead)
    assert (read.names, read.quantity, read.poisoned, read.otherwise) == (
        ("logits",),
        "grad_logits",
        "missing",
        "of shape (2, 3)",
    )
