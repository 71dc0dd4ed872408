"""How many rows and classes a callable is called with, by the time that they take on a clock of the test's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from xent_backends import numpy_cross_entropy
from xent_backends.callables import alone, trial
from xent_backends.callables.batches import BEYOND, FLAT, Shapes
from xent_backends.callables.limits import (
    COMPILED_ROWS,
    LARGEST,
    LEAST,
    MOST_LOGITS,
    MOST_ROWS,
    SECONDS_OF_A_CALL,
    SLOW,
    Limits,
    limits_of,
)
from xent_backends.numpy_backend import NumpyBackend, from_callable
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.declared import MEASURED
from xent_conformance.requirements import large_batches
from xent_conformance.requirements.registry import load
from xent_conformance.strategies.sources import Listed
from xent_conformance.strategies.streams import Draw, Stream, recipes_of

right = numpy_cross_entropy.cross_entropy


class Clock:
    """Seconds that pass in calls alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def measured(costs: Callable[[int, int], float], **more: Any) -> tuple[Limits, list[Shapes], float]:
    """The limits of a callable by the seconds that rows and classes cost; its calls, and how long they took."""
    clock, calls = Clock(), list[Shapes]()

    def call(shapes: Shapes) -> bool:
        calls.append(shapes)
        clock.now += costs(*shapes[0])
        return True

    return limits_of(call, clock=clock, **more), calls, clock.now


@pytest.mark.parametrize(
    ("row", "most"),
    [(0.0002, 5000), (0.0015, 660), (0.00149, 670), (0.007, 140), (0.012, 83), (0.1, LEAST), (3, LEAST)],
)
def test_a_call_of_slow_rows_takes_about_a_second(row: float, most: int) -> None:
    found, _, took = measured(lambda rows, _: 0.002 + row * rows)
    assert (found.rows, found.classes) == (most, None)
    assert most == LEAST or 0.9 * SECONDS_OF_A_CALL < row * most <= SECONDS_OF_A_CALL
    ((name, reason),) = found.left_out
    assert name == MEASURED["max_rows"]
    assert reason.endswith(f": calls have at most {most} rows")
    # Where a row takes so long that a call of two takes seconds, the whole trial does.
    assert took < 5 + 30 * row


def test_the_reason_says_how_long_a_row_takes() -> None:
    assert measured(lambda rows, _: 0.00156 * rows)[0].left_out == (
        ("many rows", "a row takes 1.6 ms: calls have at most 640 rows"),
    )


@pytest.mark.parametrize(
    ("costs", "what"),
    [
        (lambda rows, classes: 1e-4 + 1e-6 * rows + 1e-8 * rows * classes, "a library"),
        (
            lambda rows, classes: 1e-2 + 1e-4 * rows + 1e-6 * rows * classes,
            "a library on a machine a hundred times slower",
        ),
        (lambda *_: 3.0, "every call takes long, whatever its size"),
        (lambda rows, _: 1.4e-4 * rows, "the largest call takes less than ten seconds"),
    ],
)
def test_nothing_is_limited_where_the_largest_call_does_not_take_long(costs: Any, what: str) -> None:
    assert measured(costs)[0] == Limits(), what


def test_neither_an_interruption_nor_a_compilation_counts() -> None:
    every = iter(range(10**6))
    assert measured(lambda *_: 0.3 if next(every) % 3 == 2 else 0.001)[0] == Limits()
    met = set()

    def compiled(*shape: int) -> float:
        return 0.001 if shape in met else (met.add(shape), 0.8)[1]  # type: ignore[func-returns-value]

    assert measured(compiled)[0] == Limits()


@pytest.mark.parametrize(("logit", "rows", "classes"), [(1e-3, LEAST, 150), (1e-4, 96, 1500), (5e-6, 1900, None)])
def test_slow_logits_limit_classes_and_rows_of_many_classes(logit: float, rows: int, classes: int | None) -> None:
    found, _, took = measured(lambda n, c: 0.001 + logit * n * c)
    assert (found.rows, found.classes) == (rows, classes)
    assert took < 8
    reasons = dict(found.left_out)
    assert reasons.keys() == {MEASURED["max_rows"], *([MEASURED["max_classes"]] if classes else [])}
    assert reasons["many rows"].startswith(f"a row of {LARGEST[1]} classes takes ")
    # Every call of the suite has rows and classes within the limits, and no more logits than these.
    most = min(MOST_LOGITS, rows * (classes or MOST_LOGITS), 2**17 if classes else MOST_LOGITS)
    assert logit * most < 1.5 * SLOW
    if rows == LEAST:
        assert logit * rows * (classes or 0) <= SLOW


def test_a_call_without_a_result_decides_nothing_and_no_larger_one_is_made() -> None:
    calls = list[Shapes]()

    def call(shapes: Shapes) -> bool:
        calls.append(shapes)
        clock.now += 0.001 * shapes[0][0]
        return shapes[0][0] < 100 and shapes[0][1] < 100

    clock = Clock()
    assert limits_of(call, clock=clock) == Limits()
    assert max(rows for (rows, _), _ in calls) == 256
    assert max(classes for (_, classes), _ in calls) == 192


def test_a_callable_that_compiles_each_shape_compiles_one_more() -> None:
    met = set[tuple[int, ...]]()

    def costs(*shape: int) -> float:
        new = shape not in met
        met.add(shape)
        return 30.0 * new + 0.0021 * shape[0]

    costs(*FLAT[0])
    found, calls, _ = measured(costs, compiled=True)
    assert (found.rows, found.classes) == (470, None)
    assert {shapes[0] for shapes in calls} == {FLAT[0], (*COMPILED_ROWS, 3)}


def test_classes_of_a_linear_map_are_not_measured() -> None:
    _, calls, _ = measured(lambda *_: 0.001, square=True)
    assert {classes for (_, classes), _ in calls} == {3}


def slow_softmax(clock: Clock) -> Callable[[Any], Any]:
    def softmax(logits: Any) -> Any:
        clock.now += 0.0021 * (logits.shape[0] if logits.ndim > 1 else 1)
        return numpy_cross_entropy.softmax(logits)

    return softmax


def slow_loss(clock: Clock) -> Callable[..., Any]:
    def loss(logits: Any, target: Any, reduction: str = "mean") -> Any:
        clock.now += 0.0021 * target.size
        return right(logits, target, reduction=reduction)

    return loss


def slow_linear(clock: Clock) -> Callable[..., Any]:
    def linear_loss(hidden: Any, weight: Any, target: Any, reduction: str = "mean") -> Any:
        assert len(weight) < 1000
        clock.now += 0.0021 * target.size
        return right(hidden @ weight.T, target, reduction=reduction)

    return linear_loss


@pytest.mark.parametrize("make", [slow_loss, slow_softmax, slow_linear])
def test_a_slow_callable_claims_as_many_rows_as_take_about_a_second(
    make: Callable[[Clock], Callable[..., Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    for module in (trial, alone):
        monkeypatch.setattr(module, "limits_of", partial(limits_of, clock=clock))
    found = from_callable(make(clock), spec="numpy:losses.f", dtypes=("float32",)).capabilities
    assert (found.max_rows, found.max_classes) == (470, None)
    assert dict(found.left_out)["many rows"] == "a row takes 2.1 ms: calls have at most 470 rows"


@pytest.mark.parametrize(("seconds", "most", "largest"), [(0.0, None, 2048), (0.0021, 470, 67), (0.5, LEAST, 40)])
def test_trial_calls_of_a_slow_callable_are_small(
    seconds: float, most: int | None, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, called = Clock(), set[int]()

    def loss(logits: Any, target: Any) -> Any:
        called.add(target.size)
        clock.now += seconds * target.size
        return right(logits, target)

    monkeypatch.setattr(trial, "limits_of", partial(limits_of, clock=clock))
    claims = from_callable(loss, spec="numpy:losses.f", dtypes=("float32",)).capabilities
    # Those with spatial logits have 40 rows, and those with many classes 67.
    assert (claims.max_rows, max(called)) == (most, largest)
    assert (BEYOND[1][0] in called) == (largest > LEAST)


def test_no_call_of_the_suite_is_larger_than_the_trial_assumes() -> None:
    assert (large_batches.MOST, large_batches.CLASSES) == LARGEST
    subject, rows, logits = Subject.of(NumpyBackend(), "float32"), 0, 0
    for source in {requirement.source for requirement in load().values() if not requirement.opt_in}:
        shapes = [(0, 0)]
        if isinstance(source, Listed):
            shapes = [(problem.rows, problem.classes) for problem in source(subject)]
        elif isinstance(source, Stream):
            drawn = recipes_of(source, "float32", Draw(0, 100))
            shapes = [(math.prod(recipe.row_shape), recipe.classes) for recipe in drawn]
        rows = max(rows, *(n for n, _ in shapes))
        logits = max(logits, *(n * classes for n, classes in shapes))
    assert rows == MOST_ROWS
    assert MOST_LOGITS / 2 < logits <= MOST_LOGITS
