"""The page as a file: what is in it, what is not, how large it is, and what hostile text does to it: nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import records

import xent_reports
from xent_reports.visible import visible

V = records.verdict
HOSTILE = (
    "<script>pwned=1</script>",
    "\"'><img src=x onerror=pwned=1>",
    "</pre></style></script><b>",
    "{{ 7 * 7 }}{% raw %}",
    "```\n# heading\n| a | b |",
    "javascript:pwned=1",
    "\x00\x07\x1b[31m\r\x9b",
    "evil\u202e\u2066txt",
    "שלום 🙂 👩\u200d🔬",
    "\ud800",
    "x" * 10_000,
    "*[_`a|b`_]($^)*",
)


class Page(HTMLParser):
    """The elements of a page and their attributes, and what loads or runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value is not None]


def poisoned(content: Any, text: str, keep: frozenset[str]) -> Any:
    """A record line with a hostile text in the place of, or behind, every text that is not part of its structure."""
    if isinstance(content, dict):
        return {k: v if k in keep else poisoned(v, text, keep) for k, v in content.items()}
    if isinstance(content, list):
        return [poisoned(v, text, keep) for v in content]
    return content + text if isinstance(content, str) else content


def hostile_record(path: Path, text: str) -> Path:
    """A record in which everything that a person or a backend writes is hostile."""
    known = {"reason": "reason", "issue": "issue", "versions": "1", "witness": records.failure()}
    header = records.header(
        [
            records.backend("torch", documentation={"mean_divisor": "javascript:pwned=1"}),
            records.backend("b", unavailable="x"),
        ],
        [records.catalogued(0, "accuracy"), records.OBSERVED, records.TIES],
    )
    name = header["requirements"][0]["id"]
    bins = [{"classes": 4, "count": 1, "ratio": 0.5, "ulp": 1.0}]
    verdicts = [
        V(
            "torch",
            name,
            "float16",
            "fail",
            ratio=98.2,
            failures=[records.failure(expected="x", got="y")],
            reason="r",
            bins=bins,
        ),
        V("torch", name, "float32", "deviation", deviations=[known], reason="r"),
        V("torch", name, "float64", "not-applicable", reason="r"),
        V("torch", name, "bfloat16", "error", reason="r"),
        V("torch", records.OBSERVED["id"], "float16", "observed", observed="o"),
        V("torch", records.TIES["id"], "float16", "observed", observed="o"),
    ]
    keep = frozenset({"kind", "status", "level", "values", "shape"})
    header["speed"] = [{"backend": "t", "quantity": "q", "dtype": "d", "rows": 1, "classes": 2, "median": 1e-3}]
    return records.written(path, poisoned(header, text, keep), [poisoned(v, text, keep) for v in verdicts])


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_shown_as_text(tmp_path: Path, text: str) -> None:
    """No element, attribute or address of the page comes from a record, and nothing in it is invisible."""
    path = hostile_record(tmp_path / "r.jsonl", text)
    baseline = hostile_record(tmp_path / "old.jsonl", text)
    page = xent_reports.render(path, tmp_path / "out", baseline=baseline).read_text("utf-8")
    found = Page(page)
    assert [tag for tag, _ in found.elements if tag in {"script", "style", "img", "b2"}] == ["style", "script"]
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    links = [a["href"] or "" for tag, a in found.elements if tag == "a"]
    assert all(link.startswith(("#", "https://github.com/")) for link in links), links
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    assert len(found.ids) == len(set(found.ids))
    shown = visible(text[:60])
    assert shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split('"')[0].split("'")[0] in page
    assert len(page) < 600_000


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_does_not_act_on_a_terminal_or_in_markdown(tmp_path: Path, text: str) -> None:
    """No escape sequence reaches the terminal; no raw HTML and no broken code block reaches Markdown."""
    path = hostile_record(tmp_path / "r.jsonl", text)
    lines = xent_reports.summary_lines(path, color=False)
    assert not any(re.search("[\x00-\x1f\x7f-\x9f\u202e\ud800-\udfff]", line) for line in lines)
    assert all(len(line) < 2000 for line in lines)
    xent_reports.render(path, tmp_path / "out")
    markdown = (tmp_path / "out" / "summary.md").read_text("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", markdown)
    prose = re.sub(
        r"^(`{3,})\w*\n.*?\n\1$|(?<!`)(`+)(?!`).+?(?<!`)\2(?!`)", "", markdown, flags=re.DOTALL | re.MULTILINE
    )
    assert "<script" not in prose
    assert "<img" not in prose
    assert "\n# heading" not in prose


@pytest.mark.parametrize(
    ("size", "limit"), [((3, 80, 20), 200_000), ((16, 80, 40), 235_000), ((16, 200, 600), 900_000)], ids=str
)
def test_the_page_is_small(tmp_path: Path, size: tuple[int, int, int], limit: int) -> None:
    """With what each passing cell rests on: under 235 kB for 16 backends, 80 requirements and 40 failures."""
    path = records.written(tmp_path / "r.jsonl", *records.large(*size))
    assert xent_reports.render(path, tmp_path / "out").stat().st_size < limit


def test_the_page_fetches_nothing(tmp_path: Path) -> None:
    """No element loads anything, styles and script are inlined, and the page's own policy forbids the rest."""
    path = records.written(tmp_path / "r.jsonl", *records.large(3, 30, 9))
    text = xent_reports.render(path, tmp_path / "out").read_text("utf-8")
    loading = {"src", "srcset", "data", "poster", "action", "background", "formaction", "ping"}
    for tag, attributes in Page(text).elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "video", "audio", "base"}
        assert not loading & attributes.keys()
        assert tag == "a" or (attributes.get("href") or "#").startswith("#")
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    assert not re.search(r"@import|@font-face|url\((?!#)", style)
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


def test_links_inside_the_page_lead_somewhere(tmp_path: Path) -> None:
    """Every anchor a link names exists, and exists once."""
    path = records.written(tmp_path / "r.jsonl", *records.large(16, 80, 40))
    page = Page(xent_reports.render(path, tmp_path / "out").read_text("utf-8"))
    targets = {a["href"][1:] for tag, a in page.elements if tag == "a" and (a["href"] or "").startswith("#")}  # type: ignore[index]
    assert targets <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_every_failure_is_on_the_page_with_its_permalink(tmp_path: Path) -> None:
    """requirement--backend--dtype is an anchor for each failing verdict, small page or large."""
    header, verdicts = records.large(16, 200, 600)
    page = Page(
        xent_reports.render(records.written(tmp_path / "r.jsonl", header, verdicts), tmp_path / "out").read_text(
            "utf-8"
        )
    )
    wanted = {f"{v['requirement']}--{v['backend']}--{v['dtype']}" for v in verdicts if v["status"] in {"fail", "weak"}}
    assert len(wanted) == 600
    assert wanted <= set(page.ids)


SECTIONS: dict[str, Callable[[str], bool]] = {
    "unusual conventions are marked and documented": lambda page: '<mark><a href="https://optax' in page,
    "a claim of undefined behaviour is a warning": lambda page: "<b class=fa>! undefined</b>" in page,
    "the tightest tier is named": lambda page: "float32 internals, form A" in page,
    "observations are listed": lambda page: '<div id="observed">' in page,
    "reasons for not applicable are listed": lambda page: "does not claim spatial" in page,
    "each chart says its largest ratios": lambda page: (
        re.search(r"<title>torch: largest float16 [\d.]+ at C=", page) is not None
    ),
    "the catalogue has statements": lambda page: page.count(records._STATEMENT) >= 40,
    "the environment is stated": lambda page: "Linux-6.1-x86_64-glibc2.36" in page and "2.4.6" in page,
}


@pytest.mark.parametrize("fact", SECTIONS)
def test_sections_hold_what_they_are_for(tmp_path: Path, fact: str) -> None:
    """Each section of a large page has its content."""
    path = records.written(tmp_path / "r.jsonl", *records.large(6, 44, 12))
    assert SECTIONS[fact](xent_reports.render(path, tmp_path / "out").read_text("utf-8"))


def test_speed_is_shown_where_a_record_has_it(tmp_path: Path) -> None:
    """Median, spread and factor to the fastest, for problems of one size together."""
    speed = [
        {
            "backend": name,
            "quantity": "loss",
            "dtype": "float32",
            "rows": 512,
            "classes": 1000,
            "median": s,
            "iqr": 1e-5,
        }
        for name, s in (("torch", 1e-3), ("jax", 2.5e-3))
    ]
    path = records.run(tmp_path / "r.jsonl", V("torch", "a.x"), V("jax", "a.x"), speed=speed)
    page = xent_reports.render(path, tmp_path / "out").read_text("utf-8")
    assert "<tr><th>loss, float32, 512 × 1,000<td>jax<td>2.5 ms<td>10 µs<td>2.5×" in re.sub(
        "<svg class=bar.*?</svg>|<td>(?=<svg)", "", page
    ).replace("<bdi>", "").replace("</bdi>", "")


def test_a_page_replaces_the_earlier_one_whole(tmp_path: Path) -> None:
    """Rendering again leaves the three files and nothing else."""
    for status in ("fail", "pass"):
        xent_reports.render(records.run(tmp_path / "r.jsonl", V("torch", "a.x", status=status)), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["badge.json", "index.html", "summary.md"]
    assert "broken" not in (tmp_path / "out" / "summary.md").read_text("utf-8")


def test_the_page_of_a_kernel_with_five_causes_is_small(tmp_path: Path) -> None:
    """Under 300 kB, with all requirements and dtypes."""
    header, verdicts = records.large(1, 140, 0)
    kinds = ("wrong-value", "lost", "input-changed", "result-changed", "stray-write")
    failing = [v for v in verdicts if v["status"] == "pass"][::4][:50]
    for place, v in enumerate(failing):
        v |= {"status": "fail", "ratio": 98.2, "failures": [records.failure(v["dtype"], kind=kinds[place % 5])]}
    page = xent_reports.render(records.written(tmp_path / "r.jsonl", header, verdicts), tmp_path / "out")
    assert "<h1>5 causes, " in page.read_text("utf-8")
    assert page.stat().st_size < 300_000
