"""The page in a real browser: what a reader does with filter, copy button and links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import records
from browser import shown

import xent_reports

V = records.verdict
#: A cause, folded but for the first.
CARD = "#causes .card, #weak .card"


def test_the_page_requests_nothing_but_itself(page: Any, pages: dict[str, str]) -> None:
    """No request follows that for the file."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(pages["small"])
    page.wait_for_load_state("networkidle")
    assert urls == [pages["small"]]


def test_the_first_screen_says_what_is_wrong(page: Any, pages: dict[str, str]) -> None:
    """A line for each cause, before the matrix; each leads to its card and opens it."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(pages["small"])
    lines = page.locator(".wrong a:not([href^='#known'])")
    assert lines.count() == page.locator(CARD).count() > 1
    assert all(lines.nth(i).bounding_box()["y"] < 800 for i in range(lines.count()))
    assert lines.last.bounding_box()["y"] < page.locator("#mx").bounding_box()["y"]
    assert page.eval_on_selector_all(CARD, "all => all.map(e => e.open)") == [True] + [False] * (lines.count() - 1)
    place = lines.last.get_attribute("href")[1:]
    lines.last.click()
    assert page.locator(f"[id='{place}']").is_visible()


def test_each_count_leads_to_what_it_counts(page: Any, tmp_path: Path) -> None:
    """The chips are links: failures to the causes, broken SHOULDs, which are no failures, to their own section."""
    weak = V("torch", "a.y", status="weak", level="SHOULD", failures=[records.failure(kind="not-finite")])
    broken = V("torch", "a.x", status="fail", failures=[records.failure()])
    page.goto(xent_reports.render(records.run(tmp_path / "r.jsonl", weak, broken), tmp_path / "out").as_uri())
    places = {a.inner_text().split()[-1]: a.get_attribute("href") for a in page.locator(".counts a").all()}
    assert places == {"fail": "#causes", "weak": "#weak"}
    assert page.locator("#causes .card").count() == page.locator("#weak .card").count() == 1
    assert page.inner_text("h1") == "1 cause, 1 of 2 requirements broken, by torch"


def test_a_page_of_160_failures_is_short_when_folded(page: Any, tmp_path: Path) -> None:
    """Folded, as it opens but for the first cause: six screens of 800 pixels; on paper 15 pages."""
    page.set_viewport_size({"width": 1280, "height": 800})
    names = [f"f{n % 12}.r{n}" for n in range(160)]
    verdicts = [V("torch", n, "float32", "fail", ratio=3.0, failures=[records.failure("float32")]) for n in names]
    page.goto(xent_reports.render(records.run(tmp_path / "r.jsonl", *verdicts), tmp_path / "out").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = false })")
    assert page.evaluate("document.documentElement.scrollHeight") <= 6 * 800
    page.reload()
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(format="A4"))) <= 15


def test_the_filter_narrows_rows_and_causes_and_lives_in_the_address(page: Any, pages: dict[str, str]) -> None:
    """Words are joined by and; the address with them opens the same view; emptied, everything is back."""
    page.goto(pages["small"])
    everything = len(shown(page, "#mx .q")), len(shown(page, CARD))
    page.fill("#q", "backend:torch status:fail")
    filtered = len(shown(page, "#mx .q")), len(shown(page, CARD))
    assert filtered[0] > 0
    assert 0 < filtered[1] < everything[1]
    assert all("torch" in text for text in shown(page, CARD))
    total = page.locator("#mx .q").count()
    assert page.inner_text("output").startswith(f"{filtered[0]} of {total} requirements, ")
    address = page.url
    assert "?q=backend" in address
    page.goto("about:blank")
    page.goto(address)
    assert page.input_value("#q") == "backend:torch status:fail"
    assert (len(shown(page, "#mx .q")), len(shown(page, CARD))) == filtered
    page.fill("#q", "")
    assert (len(shown(page, "#mx .q")), len(shown(page, CARD))) == everything
    assert page.url == pages["small"]


def test_the_filter_finds_requirements_without_a_failure(page: Any, pages: dict[str, str]) -> None:
    """A row also answers to its id, family and level; the families of what is shown are unfolded."""
    page.goto(pages["small"])
    page.fill("#q", "level:observed")
    assert sorted(text.split()[0] for text in shown(page, "#mx .q > summary")) == [
        "accuracy.tightest-tier",
        "extremes.all-minus-infinity",
    ]
    page.fill("#q", "no such thing")
    assert shown(page, "#mx .q") == []


def test_slash_goes_to_the_filter(page: Any, pages: dict[str, str]) -> None:
    """The key / focuses the filter and is not typed into it."""
    page.goto(pages["small"])
    page.keyboard.press("/")
    page.keyboard.type("torch")
    assert page.input_value("#q") == "torch"


def test_copy_puts_the_script_on_the_clipboard(page: Any, pages: dict[str, str]) -> None:
    """The button of a script copies exactly the script; that of a command the command."""
    page.goto(pages["small"])
    page.locator(".card summary", has_text="Stand-alone script").first.click()
    script = page.locator(".card pre.py").first
    script.locator("xpath=following-sibling::button").click()
    assert page.evaluate("navigator.clipboard.readText()") == script.text_content()
    assert script.text_content().startswith("import torch\n")
    command = page.locator(".card .cmd").first
    command.locator("button").click()
    assert page.evaluate("navigator.clipboard.readText()") == command.locator("code").text_content()
    assert command.locator("button").inner_text() == "Copied"


def test_a_permalink_opens_its_failure(page: Any, pages: dict[str, str]) -> None:
    """requirement--backend--dtype brings the failure into view, even where a filter hides it."""
    page.goto(pages["large"])
    places = page.eval_on_selector_all(".card [id]", "all => all.map(e => e.id)")
    last = places[-1]
    for address in (f"{pages['large']}#{last}", f"{pages['large']}?q=nothing-matches#{last}"):
        page.goto("about:blank")
        page.goto(address)
        assert page.locator(f"[id='{last}']").is_visible()
        box = page.locator(f"[id='{last}']").bounding_box()
        assert 0 <= box["y"] < 900


def test_a_permalink_to_a_further_failure_unfolds_it(page: Any, pages: dict[str, str]) -> None:
    """The second requirement or dtype of a cause is folded until a link leads there."""
    page.goto(pages["small"])
    place = page.locator(".card .more").first.get_attribute("id")
    page.goto("about:blank")
    page.goto(f"{pages['small']}#{place}")
    assert page.locator(f"[id='{place}']").evaluate("e => e.open && e.checkVisibility()")


def test_a_marked_cell_leads_to_its_failure(page: Any, pages: dict[str, str]) -> None:
    """A click on a cell of the matrix opens its row, where each dtype leads to what happened."""
    page.goto(pages["small"])
    page.locator("#mx .fam[open] .q .c.fa").first.click()
    link = page.locator("#mx .q[open] .panel a[href*='--']").first
    place = link.get_attribute("href")[1:]
    link.click()
    assert page.url.endswith(f"#{place}")
    assert page.locator(f"[id='{place}']").is_visible()


def test_a_passing_cell_opens_what_it_rests_on(page: Any, pages: dict[str, str]) -> None:
    """The statement, each dtype with its tightest margin, and how many problems had what it is about."""
    page.goto(pages["small"])
    assert shown(page, "#mx .panel") == []
    page.click("#unfold")
    page.locator("#mx .q > summary > .c:not([class*=' '])").first.click()
    (panel,) = shown(page, "#mx .panel")
    assert records._STATEMENT in panel
    assert re.search(r"float16|bfloat16|float32|float64|all", panel)
    assert re.search(r"\d+/[\d,]+", panel)


def test_twenty_backends_fit_a_window_of_1400_pixels(page: Any, tmp_path: Path) -> None:
    """No column is out of sight, and no name of a backend or family is broken into lines."""
    page.set_viewport_size({"width": 1400, "height": 900})
    verdicts = [V(f"a-library-with-a-name-{n}", "probability_targets.x", ratio=0.123) for n in range(20)]
    page.goto(xent_reports.render(records.run(tmp_path / "r.jsonl", *verdicts), tmp_path / "out").as_uri())
    page.evaluate("document.querySelectorAll('#mx .fam').forEach(d => { d.open = true })")
    assert page.evaluate("mx.scrollWidth - mx.clientWidth") <= 0
    assert len({head.bounding_box()["width"] for head in page.locator("#mx .head button").all()}) == 1
    assert page.locator("#mx .head button").first.bounding_box()["width"] < 25
    assert page.locator("#mx .fam > summary").bounding_box()["height"] < 40


def test_hostile_text_does_not_run(page: Any, tmp_path: Path) -> None:
    """Markup in names, messages and reasons is shown; nothing of it becomes part of the page."""
    name = "<img src=x onerror='window.pwned=1'>\u202e\x1b\"--"
    text = "<script>window.pwned=1</script>" + "y" * 10_000
    verdicts = [
        V(name, "a.x", "float16", "fail", failures=[records.failure(message=text, reproducer=text, command=text)]),
        V(name, "a.y", "float16", "error", reason=text),
        V(name, "a.z", "float16", "deviation", deviations=[{"reason": text, "issue": "javascript:window.pwned=1"}]),
    ]
    page.goto(xent_reports.render(records.run(tmp_path / "r.jsonl", *verdicts), tmp_path / "out").as_uri())
    assert page.evaluate("window.pwned") is None
    assert page.locator("img").count() == 0
    assert page.locator(CARD).count() == 2
    assert "<img src=x" in page.inner_text("h1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#mx .fam[open] .q .c.fa").first.click()
    page.locator("#mx .q[open] .panel a[href*='--']").first.click()
    assert page.locator(".card .body").first.bounding_box()["y"] < 900
