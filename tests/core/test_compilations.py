"""Callables that compile: what it costs is measured, and a run asks for few compilations that differ in much."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from xent_backends import numpy_cross_entropy
from xent_backends.callables.compilation import cost_of
from xent_backends.numpy_backend import NumpyBackend, from_callable
from xent_conformance import judge
from xent_conformance.calling.calls import forward
from xent_conformance.calling.compilations import Compilations, NotCompiledError
from xent_conformance.interface import Capabilities
from xent_conformance.judging.judge import trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.programs import choices_of, count_as_judged, rows_that_count, settled, share_of
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load
from xent_conformance.scheduling import Group, Schedule, in_order
from xent_conformance.strategies import EVERYTHING
from xent_conformance.strategies.streams import JOINT
from xent_conformance.verdicts.evaluation import evaluate


class Compiled:
    """A loss that is compiled for each shape and each value of an option, in some seconds, which are slept."""

    def __init__(self, seconds=0.0, *, options=True, shapes=True):
        self.programs, self.seconds, self.options, self.shapes = set(), seconds, options, shapes

    def __call__(self, logits, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        options = (weight is None, reduction, *((ignore_index, label_smoothing) if self.options else ()))
        program = ((logits.shape, target.shape) if self.shapes else logits.ndim, logits.dtype, target.dtype, options)
        if program not in self.programs:
            self.programs.add(program)
            time.sleep(self.seconds)
        return numpy_cross_entropy.cross_entropy(
            logits,
            target,
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )


class Clock:
    """Seconds that pass in calls alone."""

    def __init__(self, costs):
        self.now, self.costs = 0.0, costs

    def __call__(self):
        return self.now

    def call(self, problem, options):
        self.now += self.costs(problem, options)


def measured(costs):
    clock = Clock(costs)
    problem_of = lambda shapes="usual", labels="int64": (shapes, labels)  # noqa: E731
    return cost_of(clock.call, problem_of, ("label_smoothing",), ("mean", "sum"), clock=clock)


def compiling(*, shapes=False, options=False, dtypes=False, seconds=0.8):
    """What calls cost that compile for what they have not met."""
    met = set()

    def costs(problem, how):
        parts = (problem[0], shapes), (how.get("label_smoothing"), options), (problem[1], dtypes)
        key = tuple(part for part, matters in parts if matters)
        new = bool(key) and key not in met
        met.add(key)
        return 0.001 + seconds * new

    return costs


@pytest.mark.parametrize(("shapes", "options"), [(True, False), (True, True), (False, False)])
def test_a_first_call_that_takes_long_each_time_is_a_compilation(shapes, options):
    found = measured(compiling(shapes=shapes, options=options))
    assert (found.shape > 0, found.option > 0) == (shapes, options)
    assert found.claims["compile_seconds"] == pytest.approx(0.8 * (shapes or options))


@pytest.mark.parametrize(("share", "operations"), [(0.0, True), (0.2, True), (0.4, False), (1.0, False)])
def test_where_options_cost_little_beside_a_shape_operations_are_compiled(share, operations):
    """An option that is met for the first time at a shape costs a share of what the shape does."""
    met = set()

    def costs(problem, how):
        parts = problem[0], (problem[0], how["reduction"], *sorted(how))
        new = [part not in met for part in parts]
        met.update(parts)
        return 0.001 + 0.8 * (1.0 if new[0] else share if new[1] else 0.0)

    found = measured(costs)
    assert (found.operations, found.claims["compiles_operations"]) == (operations, operations)


def test_a_first_call_that_takes_long_for_each_dtype_of_labels_is_a_compilation():
    found = measured(compiling(dtypes=True))
    assert (found.shape, found.option, found.dtypes) == (0, 0, pytest.approx(0.8))
    assert found
    assert found.claims == {
        "static_shapes": False,
        "static_options": False,
        "compiles_operations": False,
        "compile_seconds": pytest.approx(0.8),
    }


def test_a_call_that_takes_long_once_is_none():
    times = iter([0.5] + [0.001] * 100)
    assert measured(lambda *_: next(times)).claims["compile_seconds"] == 0


def test_a_call_that_always_takes_long_is_none():
    assert measured(lambda *_: 0.4).claims["compile_seconds"] == 0


def test_the_trial_measures_a_callable_and_no_other_one_is_said_to_compile():
    claims = from_callable(Compiled(0.03), spec="numpy:losses.f", dtypes=("float32",)).capabilities
    assert claims.static_shapes
    assert claims.static_options
    assert 0.02 < claims.compile_seconds < 0.3
    plain = from_callable(numpy_cross_entropy.cross_entropy, spec="numpy:losses.f", dtypes=("float32",)).capabilities
    assert (plain.static_shapes, plain.static_options, plain.compile_seconds) == (False, False, 0.0)


def adapter(function, seconds=1.0):
    """A backend of a callable whose compilations have been timed."""
    made = from_callable(numpy_cross_entropy.cross_entropy, spec="numpy:losses.f", dtypes=("float32",))
    claims = replace(made.capabilities, static_shapes=True, static_options=True, compile_seconds=seconds)
    return replace(made, capabilities=claims, function=function)


#: What has so many sources that it could use up the compilations of a profile.
ONLY = {"quick": ("accuracy.*", "weights.*"), "default": ("accuracy.*",)}


@pytest.mark.parametrize(("profile", "seconds", "most"), [("quick", 1.0, 40), ("default", 4.0, 150)])
def test_a_run_asks_for_few_compilations_and_uses_most_of_them(profile, seconds, most):
    loss = Compiled()
    result = judge(adapter(loss, seconds), profile=profile, only=ONLY[profile], dtypes="float32")
    assert result.passed
    # One more is that of the first look at a backend.
    assert most / 3 < len(loss.programs) <= most + 1
    (said,) = (line for line in result.remarks if "compiles" in line)
    assert f"each new shape and option ({seconds:.2g} s measured)" in said
    assert f"a pool of {most} compilations" in said


@pytest.mark.parametrize(("seconds", "most"), [(0.05, 160), (0.14, 160), (0.2, 40), (2.0, 30), (30.0, 12)])
def test_there_are_more_of_compilations_that_take_little_time_and_fewer_of_long_ones(seconds, most):
    assert Settings("quick").compilations(Capabilities(compile_seconds=seconds)) == most


def test_what_is_not_compiled_is_not_exercised_and_says_why():
    chosen = [load()["accuracy.loss"]]
    for most, status, reason in ((0, "vacuous", "beyond the number"), (2, "pass", "")):
        subject = replace(Subject.of(adapter(Compiled()), "float32"), compilations=Compilations(most))
        verdict = evaluate(subject, chosen, Settings("quick"))["accuracy.loss"]
        assert verdict.status.value == status
        assert reason in (verdict.reason or "")


def test_where_operations_are_compiled_a_few_shapes_are_enough_for_all_options():
    """Of the shapes of two programs, that of the loss and that of its gradient, problems have any set of options."""
    chosen = [
        load()[name] for name in ("accuracy.loss", "weights.loss", "label_smoothing.loss", "reduction.sum-of-rows")
    ]
    for calls, judged in ((True, False), (False, True)):
        subject = replace(Subject.of(adapter(Compiled()), "float32"), compilations=Compilations(2, calls=calls))
        verdicts = evaluate(subject, chosen, Settings("quick"))
        assert all(verdict.status.value == "pass" for verdict in verdicts.values()) is judged


@pytest.mark.parametrize("wrong", ["weight", "label_smoothing", "ignore_index"])
def test_a_loss_that_ignores_an_option_is_found_all_the_same(wrong):
    right = Compiled()

    def loss(logits, target, **options):
        options.pop(wrong, None)
        return right(logits, target, **options)

    subject = Subject.of(adapter(loss), "float32")
    subject = replace(subject, compilations=Compilations(Settings("quick").compilations(subject.capabilities)))
    found = evaluate(subject, [load()["accuracy.loss"]], Settings("quick"))["accuracy.loss"]
    assert found.status.value == "fail"
    assert subject.compilations.left >= 30


def test_a_divisor_that_is_wrong_with_weights_and_smoothing_together_is_found_by_a_quick_run():
    right = Compiled()

    def loss(logits, target, weight=None, label_smoothing=0.0, reduction="mean", **options):
        found = right(logits, target, weight=weight, label_smoothing=label_smoothing, reduction=reduction, **options)
        wrong = weight is not None and 0 < label_smoothing < 1 and reduction == "mean"
        return (found * 1.5).astype(found.dtype) if wrong else found

    result = judge(adapter(loss), profile="quick", only=("accuracy.loss", "weights.*"), dtypes="float32")
    assert "weights.loss" in {failure.requirement for failure in result.failures}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("axis", "limit"), [(1, "more than 1,024 classes"), (0, "more than 4,096 rows")])
def test_a_fault_of_many_classes_or_rows_is_found_by_a_default_run(axis, limit, seed):
    """Kernels that are compiled for each shape divide these into blocks."""
    right, most = Compiled(), 1024 if axis else 4096

    def loss(logits, target, **options):
        found = right(logits, target, **options)
        many = logits.shape[axis] > most if logits.ndim > axis else logits.size > most
        return found * found.dtype.type(1.1) if many else found

    chosen = {"profile": "default", "only": ("accuracy.*", "weights.*"), "dtypes": "float32"}
    (cause,) = judge(adapter(loss, 0.2), seed=seed, **chosen).causes
    assert limit in cause.situation


def test_rejected_calls_cost_no_compilation():
    call = forward(Problem(np.zeros((2, 3), np.float32), np.array([0, 1])))
    programs = Compilations(5)
    with programs.limited(1):
        programs.admit(call)
        programs.rejected(call)
        programs.admit(call)
    assert programs.left == 4


def test_the_programs_of_a_limit_are_admitted_again_and_no_other():
    x, labels = np.zeros((2, 3), np.float32), np.array([0, 1])
    problem = Problem(x, labels)
    programs = Compilations(5)
    with programs.limited(2):
        programs.admit(forward(problem))
        programs.admit(forward(problem.with_(reduction="sum")), forward(problem.with_(logits=x + 1)))
        with pytest.raises(NotCompiledError):
            programs.admit(forward(problem.with_(label_smoothing=0.5)))
        assert programs.refused
    assert programs.left == 3
    programs.admit(forward(problem.with_(label_smoothing=0.5)))
    assert programs.left == 3, "what reduces a failure is not counted"
    with programs.limited(9):
        assert programs.room == 3


def test_reducing_a_failure_has_programs_of_its_own():
    problem = Problem(np.zeros((2, 3), np.float32), np.array([0, 1]))
    programs = Compilations(1, of_a_cause=2)
    with programs.limited(1):
        programs.admit(forward(problem))
        with programs.reducing():
            programs.admit(forward(problem), forward(problem.with_(reduction="sum")))
            programs.admit(forward(problem.with_(reduction="none")))
            with pytest.raises(NotCompiledError):
                programs.admit(forward(problem.with_(label_smoothing=0.5)))
        assert not programs.refused
    assert (programs.left, programs.room) == (0, 0)


def test_reducing_takes_few_compilations_where_they_take_long():
    few = [Settings().compilations_of_a_cause(Capabilities(compile_seconds=seconds)) for seconds in (0.1, 1.0, 60.0)]
    assert few == [200, 20, 6]


@pytest.mark.parametrize(
    ("policy", "change", "anew"),
    [
        ({}, {"label_smoothing": 0.25}, True),
        ({"values": False}, {"label_smoothing": 0.25}, False),
        ({"values": False}, {"reduction": "sum"}, True),
        ({}, {"logits": np.zeros((3, 3), np.float32), "target": np.zeros(3, int)}, True),
        ({"shapes": False}, {"logits": np.zeros((3, 3), np.float32), "target": np.zeros(3, int)}, False),
        ({"shapes": False}, {"target": np.zeros(2, np.int32)}, True),
        ({}, {"logits": np.zeros((3, 2), np.float32).T}, False),
        ({"layouts": True}, {"logits": np.zeros((3, 2), np.float32).T}, True),
        ({"calls": False}, {"reduction": "sum"}, False),
        ({"calls": False}, {"label_smoothing": 0.0, "weight": np.ones(3, np.float32)}, False),
        ({"calls": False}, {"logits": np.zeros((3, 3), np.float32), "target": np.zeros(3, int)}, True),
        ({"calls": False}, {"target": np.zeros(2, np.int32)}, True),
    ],
)
def test_what_a_program_is_for(policy, change, anew):
    problem = Problem(np.zeros((2, 3), np.float32), np.zeros(2, int), label_smoothing=0.5)
    programs = Compilations(9, **policy)
    calls = forward(problem), forward(problem.with_(**change))
    assert (programs.program_of(calls[0]) != programs.program_of(calls[1])) is anew
    assert (choices_of(problem, programs) != choices_of(problem.with_(**change), programs)) is anew


@pytest.mark.parametrize("seed", [0, 2])
def test_spatial_logits_are_among_the_few_programs_in_more_than_one_reduction(seed):
    """A mean that divides by the images shows with spatial logits and a reduction only."""
    claims = Capabilities(spatial=True, static_options=True, compile_seconds=1.0)
    subject = Subject.of(replace(NumpyBackend(), capabilities=claims), "float32")
    programs, source = Compilations(40), load()["accuracy.loss"].source
    chosen = []
    with programs.limited(share_of(source, programs)):
        for trial in trials(replace(subject, compilations=programs), source, Settings("quick", seed=seed)):
            programs.admit(forward(trial.problem))
            chosen.append(trial.problem)
    spatial = {p.reduction for p in chosen if p.logits.ndim > 2}
    assert programs.left == 30
    assert spatial >= {"mean", "sum"}


@pytest.mark.parametrize(("axis", "limit"), [(0, 64), (1, 1024)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_few_sources_of_a_fused_linear_map_use_all_compilations(axis, limit, seed):
    """So many that a quick run has each size of theirs: kernels divide rows and classes into blocks."""

    def linear_loss(hidden, weight, target, reduction="mean"):
        logits = (hidden.astype(np.float64) @ weight.T.astype(np.float64)).astype(hidden.dtype)
        loss = numpy_cross_entropy.cross_entropy(logits, target, reduction=reduction)
        return loss * loss.dtype.type(1.5) if logits.shape[axis] > limit and wrong else loss

    made = from_callable(linear_loss, spec="numpy:losses.f")
    claims = replace(made.capabilities, static_shapes=True, static_options=True, compile_seconds=0.5)
    backend = replace(made, capabilities=claims)
    wrong = False
    assert {v.status for v in judge(backend, profile="quick", seed=seed).verdicts} <= {"pass", "not-applicable"}
    wrong = True
    assert "fused_linear.loss" in {f.requirement for f in judge(backend, profile="quick", seed=seed).failures}


def test_sources_use_what_those_after_them_do_not_need():
    """One compilation is for calls that are to be rejected."""
    programs, listed = Compilations(6, sources=4), load()["identities.worked-example"].source
    assert (share_of(listed, programs), share_of(JOINT, programs)) == (1, 2)
    for expected in (1, 3, 5, 5):
        count_as_judged(listed, programs, 0)
        assert share_of(listed, programs) == expected


def test_accepted_invalid_calls_use_few_compilations_together_and_the_others_leave_these():
    programs, listed = Compilations(20, sources=1), load()["identities.worked-example"].source
    shapes, last = load()["invalid_calls.shapes"].source, load()["purity.surroundings"].source
    assert (share_of(shapes, programs), share_of(listed, programs), share_of(last, programs)) == (1, 16, 20)
    sizes = load()["accuracy.any-size"].source
    assert share_of(sizes, Compilations(6, sources=20)) == 2
    for left in (3, 2, 1, 0):
        count_as_judged(shapes, programs, 1)
        assert (share_of(shapes, programs), share_of(listed, programs)) == (min(left, 1), 20 - left)


def test_problems_of_all_options_and_then_sizes_come_first_and_calls_that_are_to_be_rejected_late():
    """Where these are accepted, they can use the programs of others. In other dtypes sizes would use most programs."""
    wanted = (
        "invalid_calls.reduction",
        "purity.surroundings",
        "identities.shift",
        "accuracy.any-size",
        "accuracy.loss",
    )

    def order(dtypes):
        subjects = [Subject.of(adapter(Compiled()), dtype) for dtype in dtypes]
        groups = in_order([Group(subject, (load()[name],)) for subject in subjects for name in wanted])
        return [wanted.index(g.requirements[0].id) for g in groups if g.subject.dtype == dtypes[-1]]

    assert order(["float32"]) == [4, 3, 2, 0, 1]
    assert order(["float32", "float64"])[0] == 4
    assert order(["float32", "float64"])[-2:] == [0, 1]


@pytest.mark.parametrize(
    ("policy", "about_labels", "used"),
    [
        ({}, False, "int64"),
        ({"values": False}, False, "int16"),
        ({"shapes": False, "values": False}, False, "int64"),
        ({"shapes": False, "values": False}, True, "int16"),
    ],
)
def test_labels_of_many_dtypes_do_not_use_up_the_programs(policy, about_labels, used):
    """Where only dtypes need programs, these would be most of them; a stream of its own has all dtypes of labels."""
    problem = Problem(np.zeros((2, 3), np.float32), np.zeros(2, np.int16), label_smoothing=0.3)
    claims = Capabilities(target_dtypes=("int16", "int64"), label_smoothing=True)
    made = settled(problem, Compilations(9, **policy), claims, labels=not about_labels)
    assert made.target.dtype == used
    assert made.label_smoothing == (0.3 if policy else 0.5)


def test_where_one_program_is_for_all_shapes_each_is_for_problems_of_several_shapes():
    claims = Capabilities(label_smoothing=True, spatial=True, static_options=True, compile_seconds=1.0)
    subject = Subject.of(replace(NumpyBackend(), capabilities=claims), "float32")
    programs = Compilations(8, shapes=False)
    judged = []
    with programs.limited(4):
        for trial in trials(replace(subject, compilations=programs), JOINT, Settings("default")):
            programs.admit(forward(trial.problem))
            judged.append(trial.problem)
    assert programs.left == 4
    assert len({p.logits.shape for p in judged}) > 2 * 4


@pytest.mark.parametrize("divided", ["spatial", "unbatched"])
def test_a_mean_divided_by_the_first_axis_alone_is_found_by_a_quick_run(divided):
    """Where every shape is compiled, the streams have one shape, (N, C)."""
    right = Compiled()

    def loss(logits, target, reduction="mean", **options):
        found = right(logits, target, reduction=reduction, **options)
        wrong = reduction == "mean" and (logits.ndim > 2 if divided == "spatial" else logits.ndim == 1)
        places = target[0].size if logits.ndim > 2 else 2
        return (found * places).astype(found.dtype) if wrong else found

    result = judge(adapter(loss), profile="quick", only=("accuracy.*", "reduction.*"), dtypes="float32")
    phrase = {"spatial": "spatial logits", "unbatched": "one row"}[divided]
    assert [phrase in cause.situation for cause in result.causes] == [True]


@pytest.mark.parametrize(
    "change",
    [
        {"logits": np.zeros((2, 0), np.float32)},
        {"target": np.zeros(2, bool)},
        {"target": np.zeros(3, np.int64)},
        {"weight": np.ones(5, np.float32)},
        {"target": np.array([7, -1])},
        {"target": np.array([-100, -100])},
    ],
)
def test_an_invalid_call_and_one_that_ignores_every_row_say_nothing_of_a_rank(change):
    problem = Problem(np.zeros((2, 3), np.float32), np.zeros(2, int), sentinel=-100)
    assert rows_that_count(problem) == 2
    assert rows_that_count(problem.with_(**change)) == 0


def test_float32_gets_half_and_the_other_dtypes_share_the_rest():
    claims = replace(EVERYTHING, compile_seconds=0.5)
    shares = [Settings("quick").compilations_for(d, claims.logits_dtypes, claims) for d in claims.logits_dtypes]
    assert sorted(shares) == [6, 6, 6, 20]
    assert Settings("quick").compilations_for("float64", ["float64"], claims) == 40
    assert Settings("default").compilations(claims) == 150
    assert Settings("default").compilations(EVERYTHING) == 0


def test_one_process_alone_has_the_groups_of_a_dtype():
    subject = Subject.of(adapter(Compiled()), "float32")
    groups = in_order([Group(subject, (load()[i],)) for i in ("weights.loss", "accuracy.loss", "edges.empty-batch")])
    assert groups[0].requirements[0].source is JOINT
    schedule = Schedule(groups)
    assert schedule.next(0) is groups[0]
    assert schedule.next(1) is None
    assert [schedule.next(0), schedule.next(0)] == groups[1:]
