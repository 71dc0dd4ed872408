"""The mean of signed errors: small where roundings cancel, beyond its bound where each error is within its own."""

import numpy as np
import pytest

from xent_conformance.bounds import Bounds
from xent_conformance.bounds.mean_error import mean_loss_error
from xent_conformance.conventions import Conventions
from xent_conformance.formats import dtype_of, format_named, rounded
from xent_conformance.oracle import Answer
from xent_conformance.precision import Precision
from xent_conformance.problem import Problem

#: Rows and classes to the bound of the mean in units of u of float32, and of one loss in units of the mean's.
MEASURED = {(1024, 300): (20.5, 14.8), (400, 1000): (30.4, 30.8), (128, 3000): (54.5, 49.5)}


def problem_of(rows, classes, dtype, seed=0):
    rng = np.random.default_rng((seed, rows))
    logits = rng.normal(size=(rows, classes)) * rng.uniform(0.5, 2)
    x = rounded(logits, dtype).astype(dtype_of(dtype))
    return Problem(x, rng.integers(0, classes, rows), reduction="none")


def losses_in_float32(problem):
    """Form A, summed one by one."""
    x, labels = problem.logits.astype(np.float32), problem.labels()
    shifted = x - x.max(axis=1, keepdims=True)
    total = np.add.accumulate(np.exp(shifted), axis=1, dtype=np.float32)[:, -1]
    return np.log(total) - shifted[np.arange(len(x)), labels]


def judged(problem, losses):
    """The mean error and the largest error, as multiples of their bounds."""
    answer = Answer(problem, Conventions())
    bounds = Bounds(answer, Precision())
    error = losses.astype(np.float64) - answer.loss.value
    return abs(error.mean()) / mean_loss_error(bounds, 1e-9), np.abs(error / bounds.loss).max()


@pytest.mark.parametrize("shape", MEASURED)
def test_the_bound_of_the_mean_is_far_below_that_of_one_loss(shape):
    problem = problem_of(*shape, "float32")
    bounds = Bounds(Answer(problem, Conventions()), Precision())
    mean = mean_loss_error(bounds, 1e-9 / 32)
    in_roundings, times = MEASURED[shape]
    assert mean / format_named("float32").unit_roundoff == pytest.approx(in_roundings, rel=0.1)
    assert bounds.loss.mean() / mean == pytest.approx(times, rel=0.1)


@pytest.mark.parametrize("shape", MEASURED)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_roundings_to_nearest_cancel(dtype, shape):
    for seed in range(3):
        problem = problem_of(*shape, dtype, seed)
        mean, largest = judged(problem, losses_in_float32(problem).astype(dtype_of(dtype)))
        assert mean < 0.5
        assert largest < 1


def test_a_sum_that_loses_a_little_of_each_row_is_within_every_bound_but_that_of_the_mean():
    for (rows, classes), (in_roundings, _) in MEASURED.items():
        problem = problem_of(rows, classes, "float32")
        biased = losses_in_float32(problem) - np.float32(1.2 * in_roundings * 2.0**-24)
        mean, largest = judged(problem, biased)
        assert mean > 1 > largest


def test_a_result_that_is_truncated_has_a_bias():
    """Two bytes of a float32 are its bfloat16, rounded towards zero."""
    problem = problem_of(1024, 300, "bfloat16")
    truncated = (losses_in_float32(problem).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert judged(problem, truncated)[0] > 1


def test_fewer_rows_tell_less_and_a_smaller_chance_allows_more():
    few, many = (Bounds(Answer(problem_of(n, 300, "float32"), Conventions()), Precision()) for n in (64, 1024))
    assert mean_loss_error(few, 1e-9) > mean_loss_error(many, 1e-9) > mean_loss_error(many, 1e-3)
