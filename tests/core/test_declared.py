"""What the command line declares for a callable: names and values that there are, on top of what was tried."""

import pytest

from xent_conformance.conventions import BEHAVIOUR, COMMAND_LINE, Conventions
from xent_conformance.interface import Capabilities, Precision
from xent_conformance.loading.declared import CLAIMS, claims_in, declared
from xent_conformance.loading.imported import Narrowing


def test_a_declaration_stands_above_what_was_tried():
    tried = Conventions(
        mean_divisor="valid_rows",
        output_dtype="float32",
        basis=dict.fromkeys(("mean_divisor", "output_dtype"), BEHAVIOUR),
    )
    claims = Capabilities(weight=True, spatial=True, conventions=tried)
    found = declared(claims, ["mean-divisor=all_rows"], ["no-weight", "max-classes=1_000"], ["form=B"])
    assert (found.weight, found.spatial, found.max_classes, found.precision) == (False, True, 1000, Precision(form="B"))
    assert found.conventions.mean_divisor == "all_rows"
    assert found.conventions.basis == {"mean_divisor": COMMAND_LINE, "output_dtype": BEHAVIOUR}
    assert found.left_out == (("weight", COMMAND_LINE),)
    assert declared(claims, [], [], []) == claims


@pytest.mark.parametrize(("claim", "most"), [("max-rows=500", 500), ("no-max-rows", None)])
def test_a_declared_number_of_rows_replaces_the_measured_one(claim, most):
    others = ("many classes", "a logit takes 1 ms"), ("spatial", "it raised ValueError")
    measured = Capabilities(max_rows=650, max_classes=150, left_out=(("many rows", "a row takes 1.5 ms"), *others))
    found = declared(measured, [], [claim], [])
    assert (found.max_rows, found.max_classes, found.left_out) == (most, 150, others)
    assert declared(measured, [], ["no-weight"], []) == measured


def test_a_claim_that_is_made_is_not_said_to_be_left_out():
    refusing = Capabilities(left_out=(("spatial", "it raised ValueError"), ("weight", "passing it changed nothing")))
    found = declared(refusing, [], ["spatial", "no-weight"], [])
    assert (found.spatial, found.weight) == (True, False)
    assert found.left_out == (("weight", "passing it changed nothing"),)


def test_reductions_and_dtypes_of_labels_are_claimed_by_name():
    """What is withdrawn is left out, each by itself."""
    tried = Capabilities(target_dtypes=("int64", "uint8"), left_out=(("labels int8", "it raised TypeError"),))
    found = declared(tried, [], ["reductions=sum+mean", "target-dtypes=int64"], [])
    assert (found.reductions, found.target_dtypes) == (("sum", "mean"), ("int64",))
    assert set(found.left_out) == {
        *tried.left_out,
        ("reduction none", COMMAND_LINE),
        ("labels uint8", COMMAND_LINE),
    }


def test_every_claim_that_is_one_word_or_number_has_its_name_on_the_command_line():
    assert {"weight", "ignore_index", "max_classes", "max_rows", "default_ignore_index", "finite_logits_only"} <= set(
        CLAIMS
    )
    assert not {"precision", "conventions", "left_out", "validation", "reductions"} & set(CLAIMS)
    assert claims_in(["no-default-ignore-index", "finite-logits-only"]) == {
        "default_ignore_index": None,
        "finite_logits_only": True,
    }


@pytest.mark.parametrize(
    "claim",
    [
        *("no-weight=1", "max-classes", "max-classes=", "no-max-classes=3x", "max-rows=many", ""),
        *("reductions", "reductions=avg", "no-reductions", "target-dtypes=float32"),
    ],
)
def test_what_is_no_claim_is_refused(claim):
    with pytest.raises(ValueError, match="claim"):
        claims_in([claim])


def test_the_options_that_made_a_backend_are_those_that_were_given():
    narrowing = Narrowing(("float32",), gradient=False, device="cuda", claims=("no-weight", "spatial"))
    assert narrowing.options == ("--device", "cuda", "--no-gradient", "--claim", "no-weight", "--claim", "spatial")
    assert Narrowing(("float32",)).options == ()
