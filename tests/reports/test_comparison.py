"""Backends side by side: conventions, claims, observations, and what was not judged."""

from __future__ import annotations

from pathlib import Path

import records

from xent_conformance.records.record import read
from xent_conformance.records.status import Status
from xent_reports import comparison, coverage
from xent_reports.model import Run, run_of

V = records.verdict


def run_with(tmp_path: Path, backends: list[dict[str, object]], *verdicts: dict[str, object], **changes: object) -> Run:
    """The run of some backends."""
    return run_of(read(records.run(tmp_path / "r.jsonl", *verdicts, backends=backends, **changes)))


def test_a_choice_that_most_do_not_make_is_marked_and_linked(tmp_path: Path) -> None:
    """The documentation of an unusual choice is one click away; unsafe claims are warnings."""
    address = "https://example.com/docs"
    unusual = {"conventions": {"mean_divisor": "all_rows", "invalid_label": "undefined"}}
    backends = [
        records.backend("a", conventions={"mean_divisor": "target_weight", "invalid_label": "error"}),
        records.backend("b", conventions={"mean_divisor": "target_weight", "invalid_label": "error"}),
        records.backend(
            "c", documentation={"mean_divisor": address}, basis={"invalid_label": "undocumented"}, **unusual
        ),
    ]
    divisor, label = comparison.conventions(run_with(tmp_path, backends))
    assert divisor.choices[2] == comparison.Choice("all_rows", differs=True, href=address)
    assert divisor.choices[0] == comparison.Choice("target_weight")
    assert divisor.choices[0].note == ""
    assert label.choices[2] == comparison.Choice("undefined", differs=True, warning=True, note="undocumented")
    assert divisor.common is None


def test_the_headers_default_decides_what_is_unusual(tmp_path: Path) -> None:
    """A single backend is compared with the default, where the header states it, and the question is shown."""
    described = {"mean_divisor": {"default": "target_weight", "question": "What the mean divides by."}}
    backends = [records.backend("a", conventions={"mean_divisor": "all_rows"})]
    (divisor,) = comparison.conventions(run_with(tmp_path, backends, conventions=described))
    assert divisor.question == "What the mean divides by."
    assert divisor.choices[0].differs


def test_a_link_to_documentation_is_a_web_address(tmp_path: Path) -> None:
    """Any other text is no link."""
    backends = [
        records.backend("a", conventions={"x": "1"}, documentation={"x": "javascript:alert(1)"}),
        records.backend("b", conventions={"x": "2"}),
    ]
    (found,) = comparison.conventions(run_with(tmp_path, backends))
    assert found.choices[0].href is None


def test_claims_are_written_for_people(tmp_path: Path) -> None:
    """Lists by commas, yes and no, equal entries of all dtypes once; overwriting its input is a warning."""
    precision = {"internals": "native", "form": "A"}
    claims = {
        "logits_dtypes": ["float16", "float32"],
        "weight": True,
        "spatial": False,
        "max_classes": None,
        "overwrites_logits": True,
        "precision": {"float16": precision, "float32": precision},
    }
    found = {
        c.name: c.choices[0]
        for c in comparison.capabilities(run_with(tmp_path, [records.backend("a", capabilities=claims)]))
    }
    assert {name: choice.text for name, choice in found.items()} == {
        "logits_dtypes": "float16, float32",
        "weight": "yes",
        "spatial": "no",
        "max_classes": "none",
        "overwrites_logits": "yes",
        "precision": "for each dtype: internals: native; form: A",
    }
    assert [name for name, choice in found.items() if choice.warning] == ["overwrites_logits"]


def said(observation: comparison.Observation) -> dict[str, list[str]]:
    """Answers of all backends by situation."""
    return {c.name: [choice.text for choice in c.choices] for c in observation.situations}


def test_observations_that_agree_in_all_dtypes_are_one_text(tmp_path: Path) -> None:
    """Where dtypes differ each text has its own; backends stand side by side."""
    backends = [records.backend("a"), records.backend("b")]
    verdicts = [
        V("a", "o.x", "float16", "observed", observed="nan"),
        V("a", "o.x", "float32", "observed", observed="nan"),
        V("b", "o.x", "float16", "observed", observed="nan"),
        V("b", "o.x", "float32", "observed", observed="0.0"),
    ]
    (found,) = comparison.observations(run_with(tmp_path, backends, *verdicts))
    assert said(found) == {"": ["nan", "nan (float16); 0.0 (float32)"]}


def test_situations_of_an_observation_are_told_apart(tmp_path: Path) -> None:
    """What all dtypes saw is said once; what only some saw names them; a flood of them is cut."""
    verdicts = [
        V("a", "o.x", "float16", "observed", observed="bool: rejected; float32: loss of float16"),
        V("a", "o.x", "float32", "observed", observed="bool: rejected; float16: rejected"),
        V("b", "o.x", "float16", "observed", observed="; ".join(f"s{i}: nan" for i in range(99))),
    ]
    (found,) = comparison.observations(run_with(tmp_path, [records.backend("a"), records.backend("b")], *verdicts))
    assert said(found) == {
        "bool": ["rejected", ""],
        "float32": ["loss of float16 (float16)", ""],
        "float16": ["rejected (float32)", ""],
        **{f"s{i}": ["", "nan"] for i in range(20)},
        "79 more": ["", ""],
    }


def test_what_was_not_judged_is_listed_by_reason_vacuous_first(tmp_path: Path) -> None:
    """A vacuous verdict shows nothing and is told before what does not apply."""
    verdicts = [
        V("a", "r.x", "float16", "not-applicable", reason="no weight"),
        V("a", "r.x", "float32", "not-applicable", reason="no weight"),
        V("a", "r.y", "float16", "not-applicable", reason="no weight"),
        V("a", "r.z", "float16", "vacuous"),
    ]
    found = coverage.unjudged(run_with(tmp_path, [records.backend("a")], *verdicts))
    assert [(u.status, u.reason, u.requirements) for u in found if u.backends == ("a",)] == [
        (Status.VACUOUS, "no reason recorded", [("r.z", ["float16"])]),
        (Status.NOT_APPLICABLE, "no weight", [("r.x", ["float16", "float32"]), ("r.y", ["float16"])]),
    ]


def test_backends_with_the_same_reason_stand_together(tmp_path: Path) -> None:
    """A reason that begins with the backend's name is the same for others, where it is about the same requirements."""
    verdicts = [
        V(name, requirement, "float16", "not-applicable", reason=f"{name} does not claim weights")
        for name, requirement in (("a", "r.x"), ("b", "r.x"), ("c", "r.x"), ("c", "r.y"))
    ]
    found = coverage.unjudged(run_with(tmp_path, [records.backend(name) for name in "abc"], *verdicts))
    assert [(u.backends, u.reason) for u in found] == [
        (("a", "b"), "does not claim weights"),
        (("c",), "does not claim weights"),
    ]


def test_exercise_is_counted_where_a_requirement_was_judged(tmp_path: Path) -> None:
    """Not applicable verdicts do not count; the least exercised backend and dtype are named."""
    verdicts = [
        V("a", "r.x", "float16", examples=100, exercised=90),
        V("a", "r.x", "float32", examples=100, exercised=7),
        V("a", "r.y", "float32", "not-applicable", examples=0, exercised=0),
    ]
    found = coverage.exercised(run_with(tmp_path, [records.backend("a")], *verdicts))
    assert list(found) == ["r.x"]
    assert (found["r.x"].examples, found["r.x"].exercised) == (200, 97)
    assert (found["r.x"].least, found["r.x"].least_exercised) == ("a, float32", 7)


def test_what_is_left_out_stands_with_its_reason(tmp_path: Path) -> None:
    """Beside the claims, by backend; not among them."""
    backends = [
        records.backend("a", capabilities={"left_out": [["spatial", "it raised ValueError: <no>"]]}),
        records.backend("b", capabilities={"left_out": [["weight", "passing it changed nothing"], ["odd"], 3]}),
        records.backend("c", capabilities={"left_out": {"spatial": "no list"}}),
    ]
    run = run_with(tmp_path, backends)
    assert [(c.name, [choice.text for choice in c.choices]) for c in comparison.left_out(run)] == [
        ("spatial", ["it raised ValueError: <no>", "", ""]),
        ("weight", ["", "passing it changed nothing", ""]),
    ]
    assert not comparison.capabilities(run)
