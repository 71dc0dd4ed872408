"""The verdict sentence, the counts, and what a reader must know before trusting them."""

from __future__ import annotations

from pathlib import Path

import pytest
import records

from xent_conformance.records.record import read
from xent_conformance.records.status import Status
from xent_reports import headline
from xent_reports.glossary import MEANINGS
from xent_reports.model import Run, run_of

V = records.verdict


def loaded(path: Path) -> Run:
    """The run of a file."""
    return run_of(read(path))


def test_the_sentence_counts_broken_requirements_and_names_who_breaks_them(tmp_path: Path) -> None:
    """Requirements count once, by their worst dtype, and all counts together are those of the matrix."""
    run = loaded(
        records.run(
            tmp_path / "r.jsonl",
            *(V("torch", "a.x", dtype, "fail") for dtype in ("float16", "float32")),
            V("jax", "a.x"),
            V("torch", "a.y", status="crash"),
            V("jax", "a.y", status="not-applicable"),
            V("torch", "a.z", status="weak"),
        )
    )
    assert headline.sentence(run) == "2 causes, 2 of 3 requirements broken, by torch"
    assert headline.counts_line(run) == "☠ 1 crash · ✗ 1 fail · △ 1 weak · ✓ 1 pass · – 1 not applicable · ? 1 not run"


def test_many_failing_backends_are_counted(tmp_path: Path) -> None:
    """More than three backends are not listed in a heading."""
    names = records.NAMES[:5]
    run = loaded(records.run(tmp_path / "r.jsonl", *(V(name, "a.x", status="fail") for name in names)))
    assert headline.sentence(run) == "5 causes, 1 of 1 requirement broken, by 5 of 5 backends"


def test_a_run_without_failures_says_how_much_was_judged(tmp_path: Path) -> None:
    """A clean run states its size: that is what the claim rests on."""
    run = loaded(records.run(tmp_path / "r.jsonl", V("torch", "a.x"), V("torch", "a.y", status="deviation")))
    assert headline.sentence(run) == "No unexpected failure: 1 backend, 2 requirements, 2 verdicts"


def test_a_truncated_record_never_passes(tmp_path: Path) -> None:
    """Without a footer the sentence begins with that, and a notice names the file."""
    run = loaded(records.run(tmp_path / "cut.jsonl", V("torch", "a.x"), footer=False))
    assert headline.sentence(run).startswith("Truncated: the run did not finish.")
    assert headline.notices(run) == [
        "cut.jsonl is truncated: its run did not finish. 1 verdict written; the rest is unknown."
    ]


def test_a_record_without_verdicts_claims_nothing(tmp_path: Path) -> None:
    """Neither 0 % nor 100 %: nothing was judged."""
    path = records.written(tmp_path / "r.jsonl", records.header([records.backend("torch")], []), [])
    assert headline.sentence(loaded(path)) == "Nothing was judged"
    path = records.written(tmp_path / "r.jsonl", records.header([], []), [], footer=False)
    assert headline.sentence(loaded(path)) == "Truncated before anything was judged"


def test_errors_of_the_suite_are_not_failures_of_the_backend(tmp_path: Path) -> None:
    """An error is said apart, whatever else happened."""
    error = V("torch", "a.x", status="error", reason="adapter: no such module")
    run = loaded(records.run(tmp_path / "r.jsonl", error, V("torch", "a.y", status="fail")))
    assert headline.sentence(run) == (
        "1 cause, 1 of 2 requirements broken, by torch; the suite or an adapter broke on 1 verdict"
    )


def test_a_run_with_an_error_does_not_begin_as_one_without_failures(tmp_path: Path) -> None:
    """The error comes first where nothing else is wrong."""
    error = V("torch", "a.x", status="error", reason="the suite failed")
    run = loaded(records.run(tmp_path / "r.jsonl", error, V("torch", "a.y")))
    assert headline.sentence(run) == (
        "The suite or an adapter broke on 1 verdict; otherwise no unexpected failure: 1 backend, 2 requirements,"
        " 2 verdicts"
    )
    backends = [records.backend("torch"), records.backend("mine", unavailable="no such module", broken=True)]
    run = loaded(records.run(tmp_path / "r.jsonl", V("torch", "a.y"), backends=backends))
    assert headline.sentence(run).startswith("1 adapter could not be judged; otherwise no unexpected failure: 1 back")


def test_a_backend_that_is_not_available_is_named_and_never_counted(tmp_path: Path) -> None:
    """It has no column and no share in the sentence; a backend that was announced and never judged is named too."""
    backends = [
        records.backend("torch"),
        records.backend("torch-cuda", device="cuda", unavailable="no CUDA device"),
        records.backend("jax"),
    ]
    run = loaded(records.run(tmp_path / "r.jsonl", V("torch", "a.x"), backends=backends))
    assert [b.name for b in run.available] == ["jax", "torch"]
    assert headline.notices(run) == [
        "torch-cuda not available: no CUDA device",
        "jax has no verdict: it was announced but never judged.",
    ]


@pytest.mark.parametrize(
    ("claims", "what"),
    [
        ({"static_shapes": True, "static_options": True}, "shape and option"),
        ({"static_shapes": False, "static_options": True}, "option"),
        ({}, "combination of dtypes"),
    ],
)
def test_a_notice_says_what_a_backend_compiles_for(tmp_path: Path, claims: dict[str, bool], what: str) -> None:
    """A limited number of compilations is said, with its reason."""
    plain = records.backend("torch")
    limited = {**plain["capabilities"], **claims, "compile_seconds": 0.25, "compilations": 40}
    backends = [{**plain, "capabilities": limited}]
    run = loaded(records.run(tmp_path / "r.jsonl", V("torch", "a.x"), backends=backends))
    assert headline.notices(run) == [
        f"torch compiles for each new {what} (0.25 s measured): calls come from a pool of 40 compilations."
    ]


def test_requirements_without_a_verdict_are_counted(tmp_path: Path) -> None:
    """A run that ended before it judged all it listed says so, although it has a footer."""
    catalogue = [records.requirement_named(name) for name in ("a.x", "a.y", "a.z")]
    path = tmp_path / "r.jsonl"
    records.written(path, records.header([records.backend("torch")], catalogue), [V("torch", "a.x")])
    assert headline.notices(loaded(path)) == ["2 of 3 cells of the matrix have no verdict: listed but never judged."]


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_meaning(status: Status) -> None:
    """The legend explains each word the pages use."""
    assert MEANINGS[status]
