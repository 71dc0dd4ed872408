"""Large problems in blocks: the same numbers bit for bit, and little memory."""

import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Answer, Exact, blocks
from xent_conformance.precision import Precision
from xent_conformance.problem import Problem, array_of
from xent_conformance.requirements.checks import gradient_finding, loss_finding, target_gradient_finding

#: Shapes of logits of which a row is less than a block, or more.
SHAPES = [(37, 3), (9, 5), (4, 40), (2, 5, 3, 2), (1, 3, 20), (6, 9, 7), (3, 2, 33), (41, 1)]
#: Conventions that change what is computed.
CHOICES = (
    {},
    {"zero_times_infinity": "zero"},
    {"smoothing_mass": "other_classes"},
    {"all_ignored_gradient": "nan"},
)
MEBIBYTE = 1 << 20
#: What blocks and the numbers of rows may take besides twice the logits.
MORE = 16 * MEBIBYTE


@contextmanager
def blocks_of(elements):
    """Context in which blocks have so many elements, and larger problems have several."""
    before = blocks.BLOCK, blocks.AT_ONCE
    blocks.BLOCK = blocks.AT_ONCE = elements
    try:
        yield
    finally:
        blocks.BLOCK, blocks.AT_ONCE = before


def plain(shape, dtype, reduction, rng):
    axis = 1 if len(shape) > 1 else 0
    rows = shape[:axis] + shape[axis + 1 :]
    labels = rng.integers(0, shape[axis], rows)
    cotangent = array_of(rng.standard_normal(rows if reduction == "none" else ()), dtype)
    logits = array_of(3 * rng.standard_normal(shape), dtype)
    return Problem(logits, labels, reduction=reduction, cotangent=cotangent)


def variants(problem, rng):
    """The problem with each option, and with what is undefined."""
    logits, dtype, classes = problem.logits, problem.dtype, problem.classes
    holes = logits.copy()
    holes.reshape(-1)[::7], holes.reshape(-1)[::31] = -np.inf, np.nan
    weight = array_of(rng.standard_normal(classes), dtype)
    some = np.where(rng.random(problem.target.shape) < 0.3, -100, problem.target)
    ignoring = problem.with_(target=some, ignore_index=-100, weight=np.abs(weight))
    probabilities = array_of(rng.random(logits.shape), dtype)
    yield problem
    yield problem.with_(logits=np.asfortranarray(logits))
    yield problem.with_(logits=holes, ignore_index=0)
    yield ignoring
    yield ignoring.with_(label_smoothing=0.1, lse_square_scale=0.01, logit_scale=0.5, softcap=4.0)
    yield problem.with_(target=np.full_like(problem.target, 0), ignore_index=0)
    yield problem.with_(target=probabilities, weight=weight, label_smoothing=0.1)
    yield problem.with_(weight=weight, divisor=3.0)
    first = np.arange(problem.target.size).reshape(problem.target.shape) < problem.target.size // 2
    yield problem.with_(logits=holes, target=np.where(first, -100, problem.target), ignore_index=-100)


def every_problem():
    rng, turn = np.random.default_rng(3), 0
    for number, shape in enumerate(SHAPES):
        for dtype in ("float32", "float64") if number % 3 else ("float32", "bfloat16"):
            for reduction in ("mean", "none") if number % 2 else ("mean", "sum"):
                some = list(variants(plain(shape, dtype, reduction, rng), rng))
                yield from some[turn % 3 :: 3]
                turn += 1


def quantities(problem, conventions):
    """Every quantity that is computed in blocks: answers and bounds by name."""
    answer = Answer(problem, conventions)
    bounds = Bounds(answer, Precision())
    names = ["loss", "softmax", "log_softmax", "grad_logits", "row_losses"]
    names += ["grad_target"] if problem.has_probabilities else []
    found = {f"exact {name}": getattr(answer, name) for name in [*names, "logsumexp", "entropy", "divisor", "ignored"]}
    more = ["overflows", "undefined", "mass", "divisor_error", "grad_logits_of_infinite_losses"]
    more += ["grad_target_overflows", "grad_target_undefined"] if problem.has_probabilities else []
    found |= {name: getattr(bounds, name) for name in [*names, *more]}
    if not problem.extras:
        vector = np.cos(np.arange(problem.rows * problem.classes)).reshape(problem.rows, -1)
        found |= {"exact product": answer.hessian_times(vector), "product": bounds.hessian_times(vector)}
    return len(answer.blocks), found


def assert_same_bits(name, one, other):
    if isinstance(one, Exact):
        for part, value in one._asdict().items():
            assert_same_bits(f"{name}, {part}", value, getattr(other, part))
        return
    one, other = np.asarray(one), np.asarray(other)
    assert one.shape == other.shape, name
    assert one.dtype == other.dtype, name
    assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
    if one.dtype.kind == "f":
        # The sign of zero counts, that of nan has no meaning.
        assert np.array_equal(np.signbit(one[one == 0]), np.signbit(other[one == 0])), name


@np.errstate(all="ignore")
def test_blocks_have_the_same_numbers_bit_for_bit():
    several = 0
    for number, problem in enumerate(every_problem()):
        choice = CHOICES[number % len(CHOICES)]
        _, whole = quantities(problem, Conventions(**choice))
        with blocks_of(24):
            count, joined = quantities(problem, Conventions(**choice))
        several += count > 1
        for name, value in whole.items():
            assert_same_bits(f"{name} of {problem.logits.shape}, {problem.options()}", value, joined[name])
    assert several >= 60


@np.errstate(all="ignore")
def test_blocks_are_all_rows_in_order_and_about_as_large_as_they_may_be():
    for problem in every_problem():
        with blocks_of(24):
            some = blocks.blocks_of(problem)
        ends = [0, *(rows.stop for rows in some)]
        assert [rows.start for rows in some] == ends[:-1]
        assert ends[-1] == (problem.rows if some else 0)
        dense = problem.logits.flags.c_contiguous
        most = max(24, problem.classes * (1 if dense else 3))
        assert all((rows.stop - rows.start) * problem.classes <= most for rows in some)
        with blocks_of(problem.logits.size):
            assert blocks.blocks_of(problem) == ()


class OneOff(NumpyTwin):
    """One element of each gradient, in the last rows, is wrong; elsewhere a smaller error."""

    def cross_entropy_vjp(self, cotangent, logits, target, **options):
        loss, grad_logits, grad_target = super().cross_entropy_vjp(cotangent, logits, target, **options)
        for gradient in (grad_logits, grad_target):
            if gradient is not None:
                gradient.reshape(len(gradient), -1)[-2, -1] += 0.01
                gradient.reshape(len(gradient), -1)[1, 0] += 0.001
        return loss, grad_logits, grad_target


class Undefined(NumpyTwin):
    """Two elements of the gradient are nan."""

    def cross_entropy_vjp(self, cotangent, logits, target, **options):
        loss, grad_logits, grad_target = super().cross_entropy_vjp(cotangent, logits, target, **options)
        grad_logits.reshape(len(grad_logits), -1)[[3, -1], 0] = np.nan
        return loss, grad_logits, grad_target


def findings_of(backend, problem):
    trial = Trial(Subject.of(backend, problem.dtype), problem)
    found = [loss_finding(trial), gradient_finding(trial), target_gradient_finding(trial)]
    # The ids of arrays differ from call to call.
    return [None if finding is None else replace(finding, calls=()) for finding in found]


def without_a_divisor():
    """Class weights that cancel, so that no bound of a mean is finite."""
    problem = plain((37, 3), "float32", "mean", np.random.default_rng(4))
    target = np.append(np.arange(36) % 2, 2)
    return problem.with_(target=target, weight=np.array([1.0, -1.0, 2.0**-20], np.float32))


@pytest.mark.parametrize("backend", [NumpyTwin, OneOff, Undefined])
@np.errstate(all="ignore")
def test_a_gradient_compared_in_blocks_has_the_same_finding(backend):
    rng = np.random.default_rng(8)
    shapes = ((37, 3), (8, 40), (5, 3, 4))
    problems = [p for shape in shapes for p in variants(plain(shape, "float32", "mean", rng), rng) if not p.extras]
    for problem in [*problems, without_a_divisor()]:
        whole = findings_of(backend(), problem)
        with blocks_of(24):
            compared = findings_of(backend(), problem)
        assert repr(compared) == repr(whole), (problem.logits.shape, problem.options())


def traced(action):
    """Most bytes that an action has allocated at the same time, besides those it was given."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def large(shape, dtype):
    rng = np.random.default_rng(0)
    logits = array_of(rng.standard_normal(shape), dtype)
    return Problem(logits, rng.integers(0, shape[1], shape[0]), cotangent=array_of(1.0, dtype))


@pytest.mark.parametrize(("shape", "dtype"), [((1 << 18, 4), "float32"), ((1 << 10, 1 << 10), "float64")])
def test_exact_answers_take_at_most_twice_the_memory_of_the_logits(shape, dtype):
    problem = large(shape, dtype)
    room = 2 * problem.logits.nbytes + MORE

    def answers():
        return Answer(problem, Conventions())

    def loss():
        answer = answers()
        return answer.loss, Bounds(answer, Precision()).loss

    def blocks_of_the_gradient():
        bounds = Bounds(answers(), Precision())
        for rows in bounds.blocks:
            block = bounds.block(rows)
            assert len(block.grad_logits) == len(block.answer.grad_logits.value)

    for action in (loss, blocks_of_the_gradient, lambda: answers().grad_logits):
        assert traced(action) <= room
    bounds = Bounds(answers(), Precision())
    assert traced(partial(getattr, bounds, "grad_logits")) <= room


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_an_answer_of_rows_that_repeat_is_that_of_all_rows(reduction):
    """Bit for bit, as are its bounds; those of the first rows are those of rows of the whole."""
    rng, rows = np.random.default_rng(0), np.arange(43) % 7
    few = Problem(rng.normal(size=(7, 11)).astype(np.float32), np.array([3, -100, 0, 10, 5, -100, 7]), sentinel=-100)
    cotangent = rng.normal(size=43 if reduction == "none" else ()).astype(np.float32)
    batch = few.with_(logits=few.logits[rows], target=few.target[rows], reduction=reduction, cotangent=cotangent)
    own = Bounds(Answer(few.with_(reduction=reduction), Conventions()), Precision())
    made, whole = own.repeated(batch, rows), Bounds(Answer(batch, Conventions()), Precision())
    assert np.array_equal(made.answer.loss.value, whole.answer.loss.value)
    assert np.array_equal(made.loss, whole.loss)
    first = made.block(slice(0, 7))
    assert np.array_equal(first.answer.grad_logits.value, whole.answer.grad_logits.value[:7])
    assert np.array_equal(first.grad_logits, whole.grad_logits[:7])
