"""Terminal and Markdown say the same as the page, with the same glyphs."""

from __future__ import annotations

import io
import re
from pathlib import Path

import records

import xent_reports
from xent_conformance.records.record import read
from xent_conformance.records.status import GLYPHS
from xent_reports.notebook import fragment

V = records.verdict


def sample(tmp_path: Path) -> Path:
    """A record with a failure in two dtypes, a deviation and a backend that is not there."""
    known = {"reason": "drops <the> weight", "issue": "https://github.com/a/b/issues/1"}
    backends = [records.backend("torch"), records.backend("cuda", unavailable="no device")]
    return records.run(
        tmp_path / "r.jsonl",
        V("torch", "a.x", "float16", "fail", ratio=98.2, failures=[records.failure()]),
        V("torch", "a.x", "bfloat16", "fail", ratio=3.0, failures=[records.failure("bfloat16")]),
        V("torch", "a.y", status="deviation", deviations=[known]),
        V("torch", "a.z"),
        backends=backends,
    )


def test_terminal_markdown_and_page_say_the_same(tmp_path: Path) -> None:
    """The sentence, the counts and the notices are the same text in all three."""
    path = sample(tmp_path)
    page = xent_reports.render(path, tmp_path / "out").read_text("utf-8")
    markdown = (tmp_path / "out" / "summary.md").read_text("utf-8")
    lines = xent_reports.summary_lines(path)
    assert lines[:3] == [
        "1 cause, 1 of 3 requirements broken, by torch",
        "✗ 1 fail · ≠ 1 deviation · ✓ 1 pass",
        "! cuda not available: no device",
    ]
    assert f"## {lines[0]}" in markdown
    assert lines[1] in markdown
    assert f"<h1>{lines[0]}</h1>" in page
    counts = re.findall(r'<span class="g">(.)</span> <b>([\d,]+)</b> ([a-z ]+)', page)
    assert " · ".join(" ".join(count) for count in counts) == lines[1]
    for text in (markdown.replace("\\", ""), page, "\n".join(lines)):
        assert "cuda not available: no device" in text
        assert "The gradient of the target class is off by 98 times the bound." in text
        assert "xent run torch --only gradients.loss" in text


def test_markdown_lists_failures_with_problem_and_script(tmp_path: Path) -> None:
    """The summary of a job shows enough to reproduce without opening the page."""
    xent_reports.render(sample(tmp_path), tmp_path / "out")
    markdown = (tmp_path / "out" / "summary.md").read_text("utf-8")
    assert "#### ✗ fail on `torch`: with any input" in markdown
    assert "Breaks 1 requirement \\(float16, bfloat16\\). Shown for `a.x`: " in markdown
    assert "```python\nimport torch" in markdown
    assert (
        "- ≠ `torch`: drops &lt;the&gt; weight, <https://github.com/a/b/issues/1>. Concerns `a.y` (float32)."
        in markdown
    )
    assert "| backend | ✗ fail | ≠ deviation | ✓ pass |" in markdown
    assert "| `torch` | 1 | 1 | 1 |" in markdown


def test_markdown_of_many_failures_stays_below_the_limit_of_a_job_summary(tmp_path: Path) -> None:
    """GitHub drops a summary of more than 1 MiB."""
    xent_reports.render(records.written(tmp_path / "r.jsonl", *records.large(16, 200, 600)), tmp_path / "out")
    markdown = (tmp_path / "out" / "summary.md").read_bytes()
    assert len(markdown) < 1 << 19


def test_one_cause_is_told_once_with_what_it_breaks(tmp_path: Path) -> None:
    """Terminal, Markdown and page have the same causes, each with one witness, the worst first."""
    smoothed = records.failure(situation=["smoothing", "class weights"])
    crashed = records.failure(kind="lost", message="It died.", situation=["spatial"])
    path = records.run(
        tmp_path / "r.jsonl",
        *(V("torch", f"a.{name}", dtype, "fail", failures=[smoothed]) for name in "xyz" for dtype in records.DTYPES),
        V("torch", "a.y", "all", "crash", failures=[crashed]),
    )
    page = xent_reports.render(path, tmp_path / "out").read_text("utf-8")
    markdown = (tmp_path / "out" / "summary.md").read_text("utf-8")
    lines = xent_reports.summary_lines(path)
    assert lines[0] == "2 causes, 3 of 3 requirements broken, by torch"
    first, second = (i for i, line in enumerate(lines) if " torch, " in line)
    assert lines[first] == "☠ crash torch, with spatial logits (N, C, d...): It died."
    assert lines[second].startswith("✗ fail torch, with label smoothing and class weights: ")
    assert "  breaks 3 requirements (float16, bfloat16, float32, float64): a.x, a.y, a.z" in lines[second:]
    assert len(lines) <= 15
    assert re.findall("^#### (.*)$", markdown, re.MULTILINE) == [
        r"☠ crash on `torch`: with spatial logits \(N, C, d...\)",
        "✗ fail on `torch`: with label smoothing and class weights",
    ]
    listed = page.partition('<ol class="wrong">')[2].partition("</ol>")[0]
    assert listed.count("<li>") == 2
    assert listed.index("spatial") < listed.index("with label smoothing and class weights")
    section = page.partition('<section id="causes">')[2].partition("</section>")[0]
    assert section.count('<details class="card ') == 2
    assert "breaks 3 requirements (float16, bfloat16, float32, float64)</span></summary>" in section
    assert "2 further requirements (11 failures)</summary>" in section
    places = re.findall('href="#([^"]+)"', listed)
    assert len(places) == 2
    assert all(f'id="{place}"' in page for place in places)


def test_what_a_cause_breaks_is_counted_as_in_the_head(tmp_path: Path) -> None:
    """A SHOULD that fails beside MUSTs is not one of the broken requirements of the first line: it is weak."""
    failed = records.failure("float32")
    path = records.run(
        tmp_path / "r.jsonl",
        V("torch", "a.x", "float32", "fail", failures=[failed]),
        V("torch", "a.y", "float32", "fail", failures=[failed]),
        V("torch", "a.z", "float32", "weak", level="SHOULD", failures=[failed]),
        V("torch", "a.w", "float32", "weak", level="SHOULD", failures=[{**failed, "situation": ["spatial"]}]),
    )
    page = xent_reports.render(path, tmp_path / "out").read_text("utf-8")
    markdown = (tmp_path / "out" / "summary.md").read_text("utf-8")
    lines = xent_reports.summary_lines(path)
    assert lines[:2] == ["1 cause, 2 of 4 requirements broken, by torch", "✗ 2 fail · △ 2 weak"]
    breaks = [line for line in lines if line.startswith("  breaks ")]
    assert breaks == [
        "  breaks 2 requirements and 1 SHOULD (float32): a.x, a.y, a.z",
        "  breaks 1 SHOULD (float32): a.w",
    ]
    for phrase in ("2 requirements and 1 SHOULD (float32)", "1 SHOULD (float32)"):
        assert f"breaks {phrase}</span></summary>" in page
        assert f"Breaks {phrase}. Shown for" in markdown.replace("\\", "")


def test_where_a_script_is_that_is_too_long_to_be_shown(tmp_path: Path) -> None:
    """Page, Markdown and notebook say it in a line, for a failure and for the witness of a deviation."""
    long = records.failure("float32", reproducer="# A long line.\n" * 100_000)
    known = {"reason": "too long", "issue": "unreported", "witness": long}
    path = records.run(
        tmp_path / "r.jsonl",
        V("torch", "a.x", "float32", "fail", failures=[long]),
        V("torch", "a.y", "float32", "deviation", deviations=[known]),
    )
    page = xent_reports.render(path, tmp_path / "out").read_text("utf-8")
    markdown = (tmp_path / "out" / "summary.md").read_text("utf-8")
    notebook = fragment(read(path))
    said = "The script that shows it has 1,500,000 characters and is in the record."
    assert [text.count(said) for text in (page, markdown, notebook)] == [2, 1, 1]
    shown = xent_reports.render(sample(tmp_path), tmp_path / "out").read_text("utf-8")
    assert "The script that shows it has" not in shown


def test_markdown_counts_what_is_too_much_for_it(tmp_path: Path) -> None:
    """Causes past the thirtieth; failures of which nothing is known but that they failed are one."""
    facts = [f"fact {i}" for i in range(40)]
    causes = [
        V("torch", f"a.{i}", status="fail", failures=[records.failure(situation=[f])]) for i, f in enumerate(facts)
    ]
    others = [V("torch", f"b.{i}", status="fail") for i in range(35)]
    xent_reports.render(records.run(tmp_path / "r.jsonl", *causes, *others), tmp_path / "out")
    markdown = (tmp_path / "out" / "summary.md").read_text("utf-8")
    assert markdown.count("#### ") == 30
    assert "… and 11 more, in the HTML report." in markdown


def test_colour_adds_nothing_to_the_text(tmp_path: Path) -> None:
    """Without colour there is no escape sequence; with it the words are the same."""
    path = sample(tmp_path)
    plain, painted = (xent_reports.summary_lines(path, color=color) for color in (False, True))
    assert not any("\x1b" in line for line in plain)
    assert any("\x1b" in line for line in painted)
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in painted] == plain


def test_colour_is_for_terminals_that_want_it() -> None:
    """NO_COLOR, a dumb terminal and a file get none."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert xent_reports.wants_color(Terminal(), {})
    assert xent_reports.wants_color(Terminal(), {"NO_COLOR": ""})
    assert not xent_reports.wants_color(Terminal(), {"NO_COLOR": "1"})
    assert not xent_reports.wants_color(Terminal(), {"TERM": "dumb"})
    assert not xent_reports.wants_color(io.StringIO(), {})


def test_the_glyphs_are_those_of_the_record(tmp_path: Path) -> None:
    """Every status has its glyph and its word in the glossary of the page, with what it means."""
    page = xent_reports.render(sample(tmp_path), tmp_path / "out").read_text("utf-8")
    for glyph, word in GLYPHS.values():
        assert f">{glyph}</span> {word}<dd>" in page
