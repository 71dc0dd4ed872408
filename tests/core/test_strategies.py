"""Strategies: rare conditions met early, seeds that differ, the same problems for everyone."""

import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

from xent_conformance.formats import FLOATING
from xent_conformance.interface import Capabilities
from xent_conformance.problem import Problem
from xent_conformance.strategies import EVERYTHING, problems
from xent_conformance.strategies.covering import covering_array
from xent_conformance.strategies.layouts import LAYOUTS, laid_out
from xent_conformance.strategies.menu import MENU
from xent_conformance.strategies.streams import IGNORED, JOINT, Draw, recipes_of

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
    for factor in ("regime", "target", "weight", "ignore", "reduction", "label_smoothing", "cotangent", "layout"):
        choices = {c for level in MENU[factor].values() for c in level}
        assert {getattr(r, factor) for r in drawn} == choices


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
