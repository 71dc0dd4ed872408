"""Coverage: the levels that a problem has, what excludes what, and figures that say what was not met."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from xent_conformance.cli import main
from xent_conformance.coverage.bands import BANDS, band_of, named
from xent_conformance.coverage.factors import FACTORS, WITHOUT, layout_of, levels_of
from xent_conformance.coverage.measure import Coverage, exercised, measured, well_formed
from xent_conformance.coverage.possible import MOST, possible_levels, possible_pairs, possible_triples, unclaimed_pairs
from xent_conformance.formats import dtype_of
from xent_conformance.interface import Capabilities
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.description import describe
from xent_conformance.loading.loader import load
from xent_conformance.problem import Problem

BACKEND, DESCRIBED = load("numpy")


def every_level():
    return possible_levels(DESCRIBED.capabilities, DESCRIBED.forms, ("float32", "float64"))


def test_bands_leave_no_size_out_and_share_none():
    covered = [size for first, last in BANDS for size in range(first, last + 1)]
    assert covered == list(range(1, 65537))
    assert [named(band_of(n)) for n in (64, 65, 66, 99, 126, 127, 128)] == [
        *("64", "65", "66-126", "66-126", "66-126", "127", "128")
    ]
    assert band_of(0) is band_of(65537) is None


def test_a_problem_has_the_levels_of_its_arrays_and_options():
    logits = np.zeros((3, 70), np.float32)
    logits[1, :2] = [90.0, -np.inf]
    logits[2, 5] = 2.0**-10
    whole, rows = levels_of(
        Problem(
            logits[:, ::2],
            np.array([34, 0, 255], np.uint8),
            weight=np.ones(35, np.float32),
            ignore_index=255,
            reduction="none",
            label_smoothing=0.1,
            cotangent=np.array([2.0**-20, 1.0, 2.0**10], np.float32),
        )
    )
    assert whole == {
        *(("dtype", "float32"), ("rows", "2-8"), ("classes", "9-64"), ("rank", "flat"), ("reduction", "none")),
        *(("logits layout", "gaps"), ("target layout", "contiguous"), ("target", "labels"), ("label dtype", "uint8")),
        *(("weight", "positive"), ("weight dtype", "same"), ("ignored", "outside"), ("smoothing", "on")),
        *(("cotangent", "varied"), ("cotangent size", "mixed")),
    }
    kinds = [{("logits", "tied"), ("label position", "last")}, {("logits", "beyond exp"), ("label position", "first")}]
    assert [kind - {("logits", "mild")} for kind in rows] in (kinds, kinds[::-1])


@pytest.mark.parametrize(
    ("logits", "operand", "level"),
    [
        ("float32", "float32", "same"),
        ("float32", "float64", "wider"),
        ("bfloat16", "float32", "wider"),
        ("float32", "bfloat16", "narrower"),
        ("float64", "float32", "narrower"),
        ("float16", "bfloat16", "other half"),
        ("bfloat16", "float16", "other half"),
    ],
)
def test_the_dtype_of_an_operand_counts_beside_that_of_the_logits(logits, operand, level):
    x = np.zeros((2, 3), dtype_of(logits))
    weighted, _ = levels_of(Problem(x, np.array([0, 1]), weight=np.ones(3, dtype_of(operand))))
    assert ("weight dtype", level) in weighted
    assert not any(factor == "probability dtype" for factor, _ in weighted)
    soft, _ = levels_of(Problem(x, np.full((2, 3), 0.25, dtype_of(operand))))
    assert ("probability dtype", level) in soft
    assert not any(factor == "weight dtype" for factor, _ in soft)


def test_operands_have_the_dtypes_that_are_claimed_beside_that_of_the_logits():
    claims = Capabilities(logits_dtypes=("bfloat16", "float32"), weight=True, weight_dtypes=("float32",))
    levels = possible_levels(claims, ("cross-entropy",), claims.logits_dtypes)
    assert levels["weight dtype"] == ("same", "wider")
    assert levels["probability dtype"] == ()
    unclaimed = unclaimed_pairs(claims, claims.logits_dtypes)
    listed = [(factor, level) for factor, names in levels.items() for level in names]
    possible = possible_pairs(listed, unclaimed)
    wider = listed.index(("weight dtype", "wider"))
    assert possible[listed.index(("dtype", "bfloat16")), wider]
    assert not possible[listed.index(("dtype", "float32")), wider]
    assert not possible[listed.index(("weight", "none")), wider]


def test_neither_dtype_of_logits_has_every_dtype_of_operands_beside_it():
    levels = possible_levels(DESCRIBED.capabilities, DESCRIBED.forms, DESCRIBED.capabilities.logits_dtypes)
    listed = [(factor, level) for factor, names in levels.items() for level in names]
    possible = possible_pairs(listed)
    beside = {
        dtype: {
            name
            for place, (factor, name) in enumerate(listed)
            if factor == "probability dtype" and possible[listed.index(("dtype", dtype)), place]
        }
        for dtype in levels["dtype"]
    }
    assert beside == {
        "float16": {"same", "wider", "other half"},
        "bfloat16": {"same", "wider", "other half"},
        "float32": {"same", "narrower", "wider"},
        "float64": {"same", "narrower"},
    }


def test_rows_that_differ_do_not_lend_each_other_their_levels():
    """A masked row with its label at the end beside a plain one with its own at the beginning is no masked first."""
    logits = np.array([[1.0, 2.0, -np.inf, 0.5], [1.0, 2.0, 3.0, 4.0]], np.float32)
    coverage = Coverage(every_level())
    coverage.add(Problem(logits, np.array([3, 0])), ["loss"])
    missing = coverage.missing()
    assert (("logits", "masked"), ("label position", "first")) in missing
    assert (("logits", "masked"), ("label position", "last")) not in missing


@pytest.mark.parametrize(
    ("change", "layout"),
    [
        (lambda x: x, "contiguous"),
        (lambda x: x.T.copy().T, "permuted"),
        (lambda x: np.repeat(x, 2, axis=1)[:, ::2], "gaps"),
        (lambda x: x[::-1], "reversed"),
        (lambda x: np.broadcast_to(x[:1], x.shape), "repeated"),
    ],
)
def test_layouts_are_told_by_their_strides(change, layout):
    assert layout_of(change(np.arange(12.0).reshape(3, 4))) == layout


def test_no_problem_that_is_drawn_has_levels_that_exclude_each_other():
    listed = [(factor, level) for factor, levels in every_level().items() for level in levels]
    number = {level: place for place, level in enumerate(listed)}
    factor = np.array([list(FACTORS).index(name) for name, _ in listed])
    excluded = ~possible_triples(listed, possible_pairs(listed))
    excluded &= (factor[:, None, None] < factor[:, None]) & (factor[:, None] < factor)
    for problem, forms in exercised(Subject.of(BACKEND, "float32"), Settings("default", 3)):
        whole, rows = levels_of(problem)
        for form, kind in product(forms, rows or [set()]) if problem.logits.size <= MOST else ():
            met = {level for level in whole | kind if level[0] not in WITHOUT[form]} | {("form", form)}
            places = np.sort([number[level] for level in met])
            for three in np.argwhere(excluded[np.ix_(places, places, places)]):
                pytest.fail(f"{[listed[place] for place in places[three]]}: {problem}")


def test_what_a_backend_does_not_claim_is_not_possible():
    claims = Capabilities(reductions=("mean",), max_classes=100)
    found = possible_levels(claims, ("cross-entropy",), ("float32",))
    assert found["form"] == ("loss",)
    assert found["rank"] == ("flat",)
    assert found["label dtype"] == ("int64",)
    assert found["ignored"] == ("none",)
    assert found["weight"] == ("none",)
    assert found["target"] == ("labels",)
    assert found["classes"] == ("1", "2-8", "9-64", "65-512")
    assert found["rows"] == tuple(FACTORS["rows"])
    several = replace(claims, max_rows=64, min_classes=9, label_smoothing=True, max_label_smoothing=0.9)
    several = replace(several, weight=True, negative_weights=False)
    found = possible_levels(several, (), ("float32",))
    assert found["weight"] == ("none", "positive", "some zero", "all zero")
    assert (found["classes"], found["smoothing"]) == (("9-64", "65-512"), ("off", "on"))
    assert found["rows"] == ("1", "2-8", "9-64")
    assert all(level in FACTORS[factor] for factor, levels in found.items() for level in levels)


def test_malformed_calls_are_not_counted():
    logits = np.zeros((2, 3), np.float32)
    assert well_formed(Problem(logits, np.array([0, 2])))
    assert not well_formed(Problem(logits, np.array([0, 3])))
    assert not well_formed(Problem(logits, np.array([0])))
    assert not well_formed(Problem(logits.astype(np.int32), np.array([0, 2])))
    assert not well_formed(Problem(logits, np.array([0, 2]), weight=np.ones(2, np.float32)))
    assert not well_formed(Problem(logits, np.array([0, 2]), weight=np.ones(3, np.int32)))
    assert well_formed(Problem(logits, np.array([0, 2]), weight=np.ones(3, np.float64)))
    assert well_formed(Problem(logits, np.full((2, 3), 0.25, np.float16)))
    assert not well_formed(Problem(logits, np.full((2, 2), 0.5, np.float16)))


class Uncalled:
    """A backend that must not be called."""

    name = "uncalled"
    capabilities = Capabilities(reductions=("sum",))

    def cross_entropy(self, logits, target, **options):
        raise AssertionError("called")


def test_more_seeds_meet_more_and_the_backend_is_not_called():
    backend = Uncalled()
    first, both = (
        measured(backend, describe(backend), ["float32"], "quick", range(seeds)).as_data() for seeds in (1, 2)
    )
    assert 0 < first["pairs"]["met"] < both["pairs"]["met"] <= both["pairs"]["possible"]
    assert first["triples"]["met"] < both["triples"]["met"] <= both["triples"]["possible"]
    assert both["calls"] > first["calls"]
    assert len(both["untouched_classes"]) < len(first["untouched_classes"])


def test_the_command_prints_figures_and_what_was_not_met(capsys, tmp_path):
    output = tmp_path / "coverage.json"
    assert main(["coverage", "numpy", "--profile", "quick", "--dtypes", "float32", "--output", str(output)]) == 0
    said = capsys.readouterr().out
    data = json.loads(output.read_text())
    assert f"{data['pairs']['met']:,} of" in said.splitlines()[0]
    assert f"{data['triples']['met']:,} of" in said.splitlines()[1]
    assert "bands of classes never met: " in said
    assert len(said.splitlines()) > 10


def test_a_dtype_that_is_not_claimed_is_no_coverage(capsys):
    assert main(["coverage", "numpy", "--dtypes", "float33"]) == 2
    assert "float33" in capsys.readouterr().err
