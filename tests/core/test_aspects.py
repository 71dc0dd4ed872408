"""Recipes chosen for what they add: aspects of every choice, and combinations of two and three of them."""

from dataclasses import replace

import numpy as np
import pytest

from xent_conformance.requirements.registry import load
from xent_conformance.strategies import EVERYTHING, streams
from xent_conformance.strategies.aspects import aspects
from xent_conformance.strategies.covering import MOST_LEVELS, Combinations
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sources import SOURCES
from xent_conformance.strategies.streams import FEW, JOINT, Draw, Stream, recipes_of

load()
STREAMS = [source for source in SOURCES.values() if isinstance(source, Stream)]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_choice_of_every_stream_has_its_aspects(stream):
    found = [aspects(recipe) for recipe in recipes_of(stream, "float32", Draw(0, 40))]
    assert len(found) == 40
    assert max(len(set(levels)) for levels in zip(*found, strict=True)) <= MOST_LEVELS


def triples(recipes):
    seen = Combinations()
    for recipe in recipes:
        seen.take([aspects(recipe)])
    return seen.triples()


def test_the_best_of_some_candidates_meets_more_combinations(monkeypatch):
    chosen = triples(recipes_of(JOINT, "float32", Draw(0, 150)))
    monkeypatch.setattr(streams, "CANDIDATES", 1)
    assert chosen > 1.15 * triples(recipes_of(JOINT, "float32", Draw(0, 150)))


def test_a_combination_counts_once():
    seen = Combinations()
    assert seen.take([("a", "x", "on", "none")]) == 0
    assert seen.take([("a", "x", "on", "none"), ("a", "x", "off", "none")]) == 1
    assert seen.take([("b", "y", "on", "sum"), ("a", "x", "off", "none")], [0.0, 1.0]) == 0
    assert seen.triples() == 4 + 3 + 4


def test_a_new_pair_is_worth_more_than_a_new_triple():
    seen = Combinations()
    for row in ("axp", "ayp", "byp", "bxq"):
        seen.take([row])
    # All pairs of "bxp" have occurred, and "aq" has not.
    assert seen.take(["bxp", "axq"]) == 1


def test_a_stream_has_exactly_as_many_recipes_as_are_asked_for():
    for count in (4, FEW - 1, FEW, 100):
        assert len(recipes_of(JOINT, "float32", Draw(0, count))) == count


def test_repeated_targets_differ_along_the_other_axes_and_name_no_masked_class():
    different = 0
    for seed in range(30):
        for target in ("random", "dense probabilities"):
            recipe = Recipe(
                (3, 4), 5, regime="masked", target=target, ignore="outside", target_layout="repeated", seed=seed
            )
            problem = recipe.build("float32", EVERYTHING)
            if problem.target.strides[0]:
                continue
            x, judged = problem.logits_by_row(), ~problem.ignored()
            if target == "random":
                labels = problem.labels()
                assert np.isfinite(x[np.arange(len(x)), np.clip(labels, 0, 4)][judged]).all()
                different += len(set(labels.tolist())) > 1 and judged.any() and not judged.all()
            else:
                assert (problem.probabilities()[~np.isfinite(x)] == 0).all()
    assert different > 3


def test_labels_of_a_byte_are_ignored_by_a_number_that_is_no_class():
    claims = replace(EVERYTHING, target_dtypes=("int64", "uint8"))
    problems = [
        Recipe((20,), 7, labels="uint8", ignore="outside", seed=seed).build("float32", claims) for seed in range(10)
    ]
    assert all(problem.target.dtype == np.uint8 for problem in problems)
    assert all(problem.ignore_index == 255 and problem.ignored().any() for problem in problems)
