"""Strategies: rare conditions met early, seeds that differ, the same problems for everyone."""

import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

from xent_conformance.conventions import Conventions
from xent_conformance.formats import FLOATING, format_named
from xent_conformance.interface import Capabilities
from xent_conformance.oracle import Answer
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load
from xent_conformance.strategies import EVERYTHING, problems
from xent_conformance.strategies.broad import SIZES
from xent_conformance.strategies.covering import covering_array
from xent_conformance.strategies.layouts import LAYOUTS, laid_out
from xent_conformance.strategies.menu import ANY_SIZE
from xent_conformance.strategies.operand_dtypes import LABEL_DTYPES
from xent_conformance.strategies.recipe import Recipe, label_dtype
from xent_conformance.strategies.situations import VIEWS
from xent_conformance.strategies.sizes import Sizes, with_rows
from xent_conformance.strategies.sources import SOURCES
from xent_conformance.strategies.streams import IGNORED, JOINT, Draw, Stream, recipes_of

DEFAULT = 400


def joint(seed, dtype="float32", count=DEFAULT, **draw):
    return recipes_of(JOINT, dtype, Draw(seed, count, **draw))


def test_covering_array_covers_every_three_levels():
    levels = (3, 4, 2, 5, 3)
    rows = covering_array(levels)
    for factors in combinations(range(len(levels)), 3):
        seen = {tuple(row[f] for f in factors) for row in rows}
        assert len(seen) == np.prod([levels[f] for f in factors])
    assert len(rows) < 3 * 5 * 4 * 3


def test_same_seed_gives_the_same_problems():
    assert joint(3) == joint(3)


def test_seeds_dtypes_and_streams_give_different_problems():
    base = set(joint(0))
    assert len(base) > 0.99 * DEFAULT
    for other in (joint(1), joint(0, "float64"), recipes_of(IGNORED, "float32", Draw(0, DEFAULT))):
        assert len(base & set(other)) <= 0.02 * DEFAULT  # Hypothesis begins with the simplest choices everywhere


def test_a_backend_that_claims_less_gets_the_same_problems_as_far_as_it_can():
    less = replace(EVERYTHING, weight=False, label_smoothing=False)
    for recipe in joint(0, count=80):
        full, part = recipe.build("float32", EVERYTHING), recipe.build("float32", less)
        assert np.array_equal(full.logits, part.logits, equal_nan=True)
        assert np.array_equal(full.target, part.target)
        assert part.weight is None
        assert part.label_smoothing == 0


def conditions(problem: Problem) -> set[str]:
    """Rare conditions that a problem meets."""
    x, ignored = problem.logits_by_row(), problem.ignored()
    weight = problem.class_weights()
    in_range = problem.ignore_index is not None and 0 <= problem.ignore_index < problem.classes
    finite = np.where(np.isfinite(x), x, 0)
    met = {
        "in-range sentinel, smoothing, zero weight": in_range
        and ignored.any()
        and problem.label_smoothing > 0
        and (weight == 0).any(),
        "every row ignored": ignored.size > 0 and ignored.all(),
        "tie at the top": problem.classes > 1 and ((x == x.max(axis=1, keepdims=True)).sum(axis=1) > 1).any(),
        "one class": problem.classes == 1,
        "masked class": np.isneginf(x).any(),
        "exp overflows": (finite > 89).any(),
        "one past a block of 128": problem.classes % 128 == 1 and problem.classes > 128,
        "full smoothing": problem.label_smoothing == 1,
        "spread above 104": (finite.max(axis=1, initial=0) - finite.min(axis=1, initial=0) > 104).any(),
        "ignored row in the tail": problem.rows > 16 and ignored[16:].any(),
        "negative weight": (weight < 0).any(),
        "stride-0 cotangent": problem.cotangent is not None and 0 in problem.cotangent.strides,
        "strided logits": not problem.logits.flags.c_contiguous,
    }
    return {name for name, holds in met.items() if holds}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_rare_condition_is_met_several_times(seed):
    counts = {}
    for recipe in joint(seed):
        for name in conditions(recipe.build("float32", EVERYTHING)):
            counts[name] = counts.get(name, 0) + 1
    assert len(counts) == 13, "a condition is never met"
    assert min(counts.values()) >= 3, counts


def test_static_shapes_come_from_a_small_pool_that_the_seed_rotates():
    pools = [
        {(r.row_shape, r.classes) for r in joint(seed, dtype, pool=4)}
        for seed, dtype in ((0, "float32"), (1, "float32"), (0, "float64"))
    ]
    assert all(len(pool) == 4 for pool in pools)
    assert len(set.union(*pools)) > 6
    ignored = {(r.row_shape, r.classes) for r in recipes_of(IGNORED, "float32", Draw(0, 50, pool=4))}
    assert len(ignored & pools[0]) >= 2, "streams of one run share compiled shapes"


@pytest.mark.parametrize("dtype", FLOATING)
def test_problems_are_valid_and_of_their_dtype(dtype):
    for recipe in joint(7, dtype, 120):
        problem = recipe.build(dtype, EVERYTHING)
        assert problem.dtype == dtype
        if not problem.has_probabilities:
            kept = problem.labels()[~problem.ignored()]
            assert ((kept >= 0) & (kept < problem.classes)).all()
            assert problem.target.shape == problem.row_shape
        else:
            assert problem.target.shape == problem.logits.shape
        assert problem.cotangent.shape == (problem.row_shape if problem.reduction == "none" else ())


def test_a_minimal_backend_is_only_asked_what_it_claims():
    for recipe in joint(0, count=150):
        problem = recipe.build("float32", Capabilities(reductions=("sum",), max_classes=100))
        assert problem.options() == {"reduction": "sum"}
        assert problem.logits.ndim == 2
        assert problem.classes <= 100
        assert not problem.ignored().any()


def test_a_recipe_has_as_many_classes_and_as_much_smoothing_as_are_claimed():
    claims = replace(EVERYTHING, min_classes=4, max_label_smoothing=0.9)
    built = [recipe.build("float32", claims) for recipe in joint(0, count=150)]
    assert min(problem.classes for problem in built) == 4
    assert max(problem.label_smoothing for problem in built) == 0.9


def test_a_recipe_has_the_sizes_of_its_class_weights_where_negative_ones_are_not_claimed():
    claims, changed = replace(EVERYTHING, negative_weights=False), 0
    for recipe in joint(0, count=150):
        any_sign, positive = recipe.build("float32", EVERYTHING), recipe.build("float32", claims)
        if any_sign.weight is None:
            assert positive.weight is None
            continue
        assert np.array_equal(positive.weight, np.abs(any_sign.weight))
        if (any_sign.weight >= 0).all():
            arrays = positive.arrays()
            assert all(np.array_equal(a, arrays[name], equal_nan=True) for name, a in any_sign.arrays().items())
        changed += bool((any_sign.weight < 0).any())
    assert changed > 5


@pytest.mark.parametrize("most", [1, 7, 100])
def test_a_recipe_has_as_many_rows_as_are_claimed_and_its_other_choices(most):
    claims, cut = replace(EVERYTHING, max_rows=most), 0
    for recipe in joint(0, count=150):
        whole, part = recipe.build("float32", EVERYTHING), recipe.build("float32", claims)
        assert 0 < part.rows <= most
        if whole.rows <= most:
            assert all(np.array_equal(a, part.arrays()[name], equal_nan=True) for name, a in whole.arrays().items())
            continue
        cut += 1
        assert part.rows > most / 2 or part.logits.ndim > 2
        assert (part.logits.ndim, part.classes) == (whole.logits.ndim, whole.classes)
        assert part.has_probabilities == whole.has_probabilities
        assert (part.weight is None, part.options().keys()) == (whole.weight is None, whole.options().keys())
        assert (part.reduction, part.label_smoothing) == (whole.reduction, whole.label_smoothing)
    assert cut > 10


@pytest.mark.parametrize(
    ("shape", "most", "shortened"),
    [
        ((700,), 64, (64,)),
        ((2, 9, 4), 20, (2, 3, 3)),
        ((2, 700), 64, (2, 32)),
        ((700, 2, 1), 64, (32, 2, 1)),
        ((5, 5, 5), 1, (1, 1, 1)),
        ((3, 4), 12, (3, 4)),
        ((), 1, ()),
    ],
)
def test_the_longest_axes_of_rows_are_shortened_and_none_to_nothing(shape, most, shortened):
    assert with_rows(shape, most) == shortened


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_change_strides_and_not_values(layout):
    array = np.arange(24.0).reshape(2, 3, 4)
    view = laid_out(array, layout)
    assert np.array_equal(view, array)
    assert (view.strides == array.strides) == (layout == "contiguous") or layout == "offset"


@settings(max_examples=30, deadline=None, database=None)
@given(problems(dtypes=("bfloat16",)))
def test_problems_can_be_used_in_any_hypothesis_test(problem):
    assert problem.dtype == "bfloat16"


def test_every_choice_of_the_menu_is_drawn():
    drawn = joint(0)
    for factor, levels in JOINT.menu().items():
        choices = {c for level in levels.values() for c in level}
        assert factor == "shape" or {getattr(r, factor) for r in drawn} == choices


def test_what_a_seed_stands_for_does_not_depend_on_the_modules_that_are_loaded(tmp_path):
    """Hypothesis draws numbers that it finds in the sources of modules beside the working directory."""
    (tmp_path / "of_the_user.py").write_text("NUMBERS = [" + ", ".join(map(str, range(300))) + "]\n")
    code = (
        "from xent_conformance.strategies.streams import JOINT, Draw, recipes_of\n"
        "print([str(r) for r in recipes_of(JOINT, 'float32', Draw(0, 200, None))])"
    )

    def drawn(before):
        done = subprocess.run(
            [sys.executable, "-c", before + code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert drawn("import of_the_user\n") == drawn("")


def test_drawn_sizes_are_of_every_magnitude_and_at_edges_too():
    rng = np.random.default_rng(0)
    shapes = [Sizes((2, 65536), (1, 300)).drawn(rng) for _ in range(2000)]
    classes = np.array([c for _, c in shapes])
    assert ((classes >= 2) & (classes <= 65536)).all()
    assert all(rows * c <= 2**16 or rows == 1 for (rows,), c in shapes)
    decades = np.histogram(np.log2(classes), bins=[1, 4, 7, 10, 13, 16.1])[0]
    assert decades.min() > 250, "each octave is as likely as any other"
    edges = {2**k + step for k in range(1, 17) for step in (-1, 0, 1)}
    at_edges = np.isin(classes[classes > 64], list(edges)).mean()
    assert 0.2 < at_edges < 0.4
    assert {2**k for k in range(1, 17)} <= set(classes.tolist())


def test_sizes_keep_to_their_number_of_axes():
    rng = np.random.default_rng(0)
    for axes in (0, 1, 2, 3):
        drawn = [Sizes((3, 40), (4, 500), axes=axes).drawn(rng)[0] for _ in range(50)]
        assert {len(shape) for shape in drawn} == {axes}
        assert max(np.prod(shape, dtype=int) for shape in drawn) <= 500


def test_a_recipe_has_a_shape_and_not_a_choice_of_shapes():
    assert any(isinstance(shape, Sizes) for shapes in ANY_SIZE.values() for shape in shapes)
    for stream in (JOINT, SIZES, LABEL_DTYPES):
        for draw in (Draw(0, 40), Draw(0, 40, pool=4)):
            for recipe in recipes_of(stream, "float32", draw):
                assert isinstance(recipe.classes, int)
                assert isinstance(recipe.row_shape, tuple)


@pytest.mark.parametrize("pool", [1, 2, 4])
def test_each_stream_has_batches_of_several_rows_where_every_shape_is_compiled(pool):
    load()
    about_options = [s for s in SOURCES.values() if isinstance(s, Stream) and not s.about_sizes]
    for stream in about_options:
        for seed in range(12):
            recipes = recipes_of(stream, "float32", Draw(seed, 8, pool=pool))
            assert any(np.prod(recipe.row_shape, dtype=int) > 1 for recipe in recipes), (stream.name, seed)


def test_memory_layouts_of_every_rank_are_judged_where_every_shape_is_compiled():
    for seed in range(12):
        recipes = recipes_of(VIEWS, "float32", Draw(seed, 8, pool=4))
        assert {len(recipe.row_shape) for recipe in recipes} == {0, 1, 2, 3}, seed


@pytest.mark.parametrize(
    ("wanted", "labels", "passed", "dtype"),
    [
        ("int32", [0, 70000], None, "int32"),
        ("int8", [0, 127], None, "int8"),
        ("int8", [0, 128], None, "uint8"),
        ("uint8", [0, 255], 255, "uint8"),
        ("uint8", [0, 7], -100, "int8"),
        ("uint16", [0, 40000], None, "int32"),
        ("int16", [0, 2**31], None, "int64"),
        ("int64", [0, 1], None, "int64"),
    ],
)
def test_labels_get_a_claimed_dtype_that_holds_them_and_the_sentinel(wanted, labels, passed, dtype):
    assert label_dtype(wanted, np.array(labels), passed, ("int8", "uint8", "int32", "int64")) == dtype


def test_labels_of_every_claimed_dtype_meet_every_rank_layout_and_option():
    claims = replace(EVERYTHING, target_dtypes=("int8", "int16", "int32", "int64", "uint8"))
    met = set()
    for seed in range(4):
        for recipe in recipes_of(LABEL_DTYPES, "float32", Draw(seed, 80)):
            problem = recipe.build("float32", claims)
            dtype = problem.target.dtype.name
            met |= {
                (dtype, f"rank {min(problem.logits.ndim, 4)}"),
                (dtype, f"strided {not problem.target.flags.c_contiguous}"),
            }
            met |= {(dtype, f"many rows {problem.rows > 64}"), (dtype, f"many classes {problem.classes > 1025}")}
            met |= {(dtype, f"ignored {problem.ignored().any()}"), (dtype, f"weight {problem.weight is not None}")}
    for dtype in ("int8", "int16", "int32", "uint8"):
        missed = {what for _, what in met} - {what for name, what in met if name == dtype}
        assert not missed, f"{dtype} labels never have: {missed}"


def cotangents(kind, dtype, **recipe):
    """Sizes of cotangents of a kind, and the largest gradient that they lead to beside the largest number."""
    found, largest = [], 0.0
    for seed in range(60):
        recipe = {"row_shape": (6,), "classes": 5, "reduction": "none", **recipe}
        problem = Recipe(cotangent=kind, seed=seed, **recipe).build(dtype, EVERYTHING)
        sizes = np.abs(problem.cotangents())
        found += np.atleast_1d(sizes).tolist()
        with np.errstate(over="ignore"):
            gradients = Answer(problem, Conventions()).grad_logits.value
        largest = max(largest, np.abs(gradients).max() / problem.format.max_finite)
    return np.array(found), largest


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("weight", ["none", "powers of two"])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_large_cotangents_use_the_range_and_no_gradient_leaves_it(dtype, weight, reduction):
    sizes, largest = cotangents("largest", dtype, weight=weight, reduction=reduction)
    assert np.isfinite(sizes).all()
    assert sizes.min() >= 15
    assert largest < 1
    if weight == "none":
        assert sizes.max() >= 2.0**15
        assert largest > 0.01


@pytest.mark.parametrize("dtype", FLOATING)
def test_small_and_mixed_cotangents_reach_the_smallest_normal_number(dtype):
    smallest = format_named(dtype).smallest_normal
    assert cotangents("small", dtype)[0].min() == smallest
    mixed, _ = cotangents("mixed", dtype)
    assert mixed.min() == smallest
    assert mixed.max() > 1000


def test_cotangents_are_repeated_along_one_axis_and_strided():
    recipe = Recipe(row_shape=(2, 3, 4), classes=3, reduction="none", cotangent="same along one axis", seed=1)
    cotangent = recipe.build("float32", EVERYTHING).cotangent
    assert cotangent.strides[-1] == 0
    assert len(np.unique(cotangent)) > 1
    reversed_ = replace(recipe, cotangent="reversed").build("float32", EVERYTHING).cotangent
    assert min(reversed_.strides) < 0


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_repeated_logits_and_targets_have_the_same_rows(shape):
    for target in ("random", "dense probabilities"):
        recipe = Recipe(row_shape=shape, classes=5, target=target, layout="repeated", target_layout="repeated")
        problem = recipe.build("float32", EVERYTHING)
        assert problem.logits.strides[0] == problem.target.strides[0] == 0
        assert problem.logits.shape == (shape[0], 5, *shape[1:])
