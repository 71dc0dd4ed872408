"""The page of the kill matrix: what finds which wrong backend, and what nothing finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import browser
import matrices
import pytest
import records
from test_page import HOSTILE, Page, poisoned

import xent_reports
from xent_conformance.records.record import RecordError
from xent_reports import kill_matrix

M = matrices.mutant


def rendered(tmp_path: Path, data: Any) -> str:
    """The page of a matrix beside a run that has the requirements a.x and a.y."""
    run = records.run(tmp_path / "r.jsonl", records.verdict("torch", "a.x"), records.verdict("torch", "a.y"))
    file = matrices.written(tmp_path / "m.json", data)
    index = xent_reports.render(run, tmp_path / "out", kill_matrix=file)
    assert index.read_text("utf-8").count('href="kill-matrix.html"') == 2
    return index.with_name("kill-matrix.html").read_text("utf-8")


@pytest.fixture
def small() -> dict[str, Any]:
    """Three mutants: killed by two, by one alone in one seed of two, and by none."""
    address = "https://github.com/pytorch/pytorch/issues/12670"
    mutants = [
        M("naive", {"a.y": [9, 1], "a.x": [3, 5]}, declared=["a.x"], bug="NUM-01", link=address),
        M("rare", {"a.gone": [None, 40]}),
        M("sly", {}),
    ]
    stream = {"name": "joint", "examples": 400, "pairs": 1, "median": 3.5, "most": 5, "needed": 13}
    streams = [{**stream, "hardest": ["naive", "a.x"]}]
    baselines = {
        "four textbook identities": matrices.baseline("naive"),
        "bland allclose": matrices.baseline(seconds=71.4),
    }
    return matrices.matrix(mutants, baselines=baselines, streams=streams, seconds=2400)


def test_the_sentence_counts_those_killed_in_every_seed(tmp_path: Path, small: dict[str, Any]) -> None:
    """A mutant that one seed misses is not counted as killed; medians are over mutants and seeds."""
    page = rendered(tmp_path, small)
    assert "<h1>1 of 3 mutants are killed in every seed</h1>" in page
    assert "The first kill takes 3 examples in the median" in page
    assert "1 of them copies a bug" in page
    killed = [M(f"m{number}", {"a.x": [1, 1]}) for number in range(2)]
    page = rendered(tmp_path, matrices.matrix(killed))
    assert "<h1>All 2 mutants are killed in every seed</h1>" in page
    assert "Survivors" not in page


def test_mutants_that_the_suite_was_not_tuned_on_have_a_rate_of_their_own(
    tmp_path: Path, small: dict[str, Any]
) -> None:
    """Said once there are any, and marked in the table."""
    assert "untuned" not in rendered(tmp_path, small)
    small["mutants"] += [M("fresh", {"a.x": [1, 2]}, untuned=True), M("unseen", {}, untuned=True)]
    page = rendered(tmp_path, small)
    assert "Killed in every seed: 1 of 3 tuned, 1 of 2 untuned." in page
    assert '<tr id="m-unseen"><th scope="row">unseen <i>untuned</i>' in page


def test_survivors_are_named_with_their_seeds(tmp_path: Path, small: dict[str, Any]) -> None:
    """Each with its idea, and a link to its row."""
    page = rendered(tmp_path, small)
    assert f'<a href="#m-rare">rare</a> survives seed 0: {matrices.IDEA}' in page
    assert '<a href="#m-sly">sly</a> survives every seed' in page
    assert '<a href="#m-naive">naive</a> survives' not in page


def test_killers_come_as_declared_then_by_speed(small: dict[str, Any], tmp_path: Path) -> None:
    """With the median of the examples; the requirement leads to the report where the report has it."""
    page = rendered(tmp_path, small)
    assert '<a href="index.html#r-a.x">a.x</a> 4<br><a href="index.html#r-a.y">a.y</a> 5' in page
    assert "a.gone 40 (1 of 2 seeds)" in page
    assert "index.html#r-a.gone" not in page
    assert '<a href="https://github.com/pytorch/pytorch/issues/12670">pytorch/pytorch#12670</a>' in page


def test_baselines_stand_in_the_table_of_requirements(small: dict[str, Any], tmp_path: Path) -> None:
    """Same columns, so that they can be compared; and for each mutant which of them kills it."""
    page = rendered(tmp_path, small)
    assert "<b>four textbook identities</b><td>baseline<td class=r>1<td class=r>33 %" in page
    assert "a.gone<td>MUST<td class=r>1<td class=r>33 %<td class=r>40<td class=r>1<td class=r>1<td>" in page
    assert page.count("✓ kills") == 1
    assert page.count("– survives") == 5
    assert "33 %</b> killed by four textbook identities, in 2 s" in page
    assert "0 %</b> killed by bland allclose, in 71 s" in page
    assert "One process takes 1200 s for all requirements and mutants with one seed." in page


def test_streams_show_how_many_examples_they_have_and_need(tmp_path: Path, small: dict[str, Any]) -> None:
    """With the hardest pair; a file that says nothing of streams has no such section."""
    page = rendered(tmp_path, small)
    counts = "joint<td class=r>400<td class=r>1<td class=r>3.5<td class=r>5<td class=r>13"
    assert f'{counts}<td><a href="#m-naive">naive</a> by <a href="index.html#r-a.x">a.x</a>' in page
    del small["streams"]
    assert "Where examples are spent" not in rendered(tmp_path, small)


def test_examples_are_medians_and_the_quickest_killer_is_counted(tmp_path: Path) -> None:
    """One number stands for the same with every seed; a killer in more seeds comes before one with fewer examples."""
    mutants = [M("m1", {"a.x": [2, 4], "a.y": [1, None]}), M("m2", {"a.y": [3, 9]})]
    data = matrices.matrix(mutants)
    data["mutants"][1]["kills"] = {"a.x": 8, "a.y": 8}
    page = rendered(tmp_path, data)
    assert "a.x</a><td>MUST<td class=r>1<td class=r>50 %<td class=r>6<td class=r>2<td class=r><td>" in page
    assert "a.x</a> 8" in page


def test_the_page_is_small_and_fetches_nothing(tmp_path: Path) -> None:
    """Under 400 kB for 220 mutants, 90 requirements and 10 seeds; no script; every link leads somewhere."""
    names = [records.catalogued(i)["id"] for i in range(90)]
    index = xent_reports.render(
        records.written(tmp_path / "r.jsonl", *records.large(3, 92, 0)),
        tmp_path / "out",
        kill_matrix=matrices.written(tmp_path / "m.json", matrices.large(220, names)),
    )
    text = index.with_name("kill-matrix.html").read_text("utf-8")
    assert len(text.encode()) < 400_000
    page = Page(text)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe"}
    assert len(page.ids) == len(set(page.ids))
    links = [attributes["href"] or "" for tag, attributes in page.elements if tag == "a"]
    assert {link[1:] for link in links if link.startswith("#")} <= set(page.ids)
    there = {f"index.html#{place}" for place in Page(index.read_text("utf-8")).ids}
    assert {link for link in links if link.startswith("index.html#")} <= there


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_shown_as_text(tmp_path: Path, small: dict[str, Any], text: str) -> None:
    """In names, ideas, bugs, links, levels and baselines."""
    hostile = poisoned(small, text, frozenset({"kills", "declared"}))
    hostile["baselines"] = {f"baseline {text}": hostile["baselines"]["bland allclose"]}
    page = Page(shown := rendered(tmp_path, hostile))
    assert {tag for tag, _ in page.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "a", "header", "p", "h1", "ul", "li", "b", "bdi", "nav"),
        *("main", "section", "h2", "div", "table", "thead", "tr", "th", "td", "br"),
    }
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "javascript:pwned=1" not in [attributes.get("href") for _, attributes in page.elements]
    assert "\x1b" not in shown
    assert "\u202e" not in shown


DAMAGE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no seeds": lambda d: d.update(seeds=[]),
    "seeds that are no numbers": lambda d: d.update(seeds=["0", "1"]),
    "no mutants": lambda d: d.update(mutants=[]),
    "a key missing": lambda d: d.pop("baselines"),
    "a mutant without idea": lambda d: d["mutants"][0].pop("idea"),
    "a mutant twice": lambda d: d["mutants"].append(d["mutants"][0]),
    "kills of another number of seeds": lambda d: d["mutants"][0]["kills"].update({"a.x": [1]}),
    "kills after no example": lambda d: d["mutants"][0]["kills"].update({"a.x": 0}),
    "kills after a fraction": lambda d: d["mutants"][0]["kills"].update({"a.x": 1.5}),
    "kills of no seed": lambda d: d["mutants"][0]["kills"].update({"a.x": [None, None]}),
    "kills that are no numbers": lambda d: d["mutants"][0]["kills"].update({"a.x": ["1", 2]}),
    "declared that are no ids": lambda d: d["mutants"][0].update(declared=[["a.x"]]),
    "a stream that is no object": lambda d: d.update(streams=[3]),
    "a stream without its hardest pair": lambda d: d["streams"][0].update(hardest=["naive"]),
    "a stream whose hardest pair is not there": lambda d: d["streams"][0].update(hardest=["nobody", "a.x"]),
    "a stream of less than no example": lambda d: d["streams"][0].update(examples=-1),
    "a baseline that kills what is not there": lambda d: d["baselines"].update({"x": matrices.baseline("nobody")}),
    "a unique kill of what is not there": lambda d: d["requirements"][0].update(unique=["nobody"]),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, small: dict[str, Any], what: str) -> None:
    """Nothing is rendered from it."""
    DAMAGE[what](small)
    with pytest.raises(RecordError, match=r"m\.json: not a kill matrix: "):
        rendered(tmp_path, small)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_what_is_no_json_object_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """Empty, cut off, of another kind; and a file that is not there."""
    (tmp_path / "m.json").write_text(text, "utf-8")
    with pytest.raises(RecordError, match=r"m\.json: not "):
        kill_matrix.read(tmp_path / "m.json")
    with pytest.raises(RecordError, match=r"none\.json: No such file"):
        kill_matrix.read(tmp_path / "none.json")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(chromium: Any, tmp_path: Path, scheme: str) -> None:
    """With survivors, baselines and links, in both colour schemes; it fits a small window, and needs no script."""
    source = browser.axe_source()
    names = [records.catalogued(i)["id"] for i in range(12)]
    rendered(tmp_path, matrices.large(12, [*names, "a.x"]))
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto((tmp_path / "out" / "kill-matrix.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(source)
    found = page.evaluate("axe.run({resultTypes: ['violations'], preload: false}).then(result => result.violations)")
    context.close()
    assert [(v["id"], v["nodes"][0]["html"][:200], v["nodes"][0]["failureSummary"]) for v in found] == []
