"""The page in a real browser: what a reader does with filter, copy button and links."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import records
from browser import shown

import xent_reports

V = records.verdict
#: One dtype of a failure, as its permalink names it.
FIRST = ".broken h4"


def test_the_page_requests_nothing_but_itself(page: Any, pages: dict[str, str]) -> None:
    """No request follows that for the file."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(pages["small"])
    page.wait_for_load_state("networkidle")
    assert urls == [pages["small"]]


def test_the_filter_narrows_rows_and_failures_and_lives_in_the_address(page: Any, pages: dict[str, str]) -> None:
    """Words are joined by and; the address with them opens the same view; emptied, everything is back."""
    page.goto(pages["small"])
    everything = len(shown(page, "#mx .q")), len(shown(page, "article"))
    page.fill("#q", "backend:torch status:fail")
    filtered = len(shown(page, "#mx .q")), len(shown(page, "article"))
    assert 0 < filtered[0] < everything[0]
    assert 0 < filtered[1] < everything[1]
    assert all("torch" in text for text in shown(page, FIRST))
    assert page.inner_text("output").startswith(f"{filtered[0]} of {everything[0]} requirements, ")
    address = page.url
    assert "?q=backend" in address
    page.goto("about:blank")
    page.goto(address)
    assert page.input_value("#q") == "backend:torch status:fail"
    assert (len(shown(page, "#mx .q")), len(shown(page, "article"))) == filtered
    page.fill("#q", "backend:torch -status:fail")
    assert not [text for text in shown(page, FIRST) if "fail" in text]
    page.fill("#q", "")
    assert (len(shown(page, "#mx .q")), len(shown(page, "article"))) == everything
    assert page.url == pages["small"]


def test_the_filter_finds_requirements_without_a_failure(page: Any, pages: dict[str, str]) -> None:
    """A row also answers to its id, family and level."""
    page.goto(pages["small"])
    page.fill("#q", "level:observed")
    assert [text.split()[0] for text in shown(page, "#mx .q th")] == [
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
    script = page.locator(".broken pre.py").first
    script.locator("xpath=following-sibling::button").click()
    assert page.evaluate("navigator.clipboard.readText()") == script.text_content()
    assert script.text_content().startswith("import torch\n")
    command = page.locator(".broken .cmd").first
    command.locator("button").click()
    assert page.evaluate("navigator.clipboard.readText()") == command.locator("code").text_content()
    assert command.locator("button").inner_text() == "Copied"


def test_a_permalink_opens_its_failure(page: Any, pages: dict[str, str]) -> None:
    """requirement--backend--dtype brings the failure into view, even where a filter hides it."""
    page.goto(pages["large"])
    places = page.eval_on_selector_all("article [id]", "all => all.map(e => e.id)")
    last = places[-1]
    for address in (f"{pages['large']}#{last}", f"{pages['large']}?q=nothing-matches#{last}"):
        page.goto("about:blank")
        page.goto(address)
        assert page.locator(f"[id='{last}']").is_visible()
        box = page.locator(f"[id='{last}']").bounding_box()
        assert 0 <= box["y"] < 900


def test_a_permalink_to_a_folded_dtype_unfolds_it(page: Any, pages: dict[str, str]) -> None:
    """The second dtype of a failure is folded until a link leads there."""
    page.goto(pages["small"])
    place = page.locator(".broken details").first.get_attribute("id")
    page.goto("about:blank")
    page.goto(f"{pages['small']}#{place}")
    assert page.locator(f"[id='{place}']").evaluate("e => e.open")


def test_a_marked_cell_leads_to_its_failure(page: Any, pages: dict[str, str]) -> None:
    """A click on a cell of the matrix scrolls to what happened."""
    page.goto(pages["small"])
    link = page.locator("#mx td a").first
    place = link.get_attribute("href")[1:]
    link.click()
    assert page.url.endswith(f"#{place}")
    assert page.locator(f"[id='{place}']").is_visible()


def test_a_cell_opens_the_dtypes_of_its_row(page: Any, pages: dict[str, str]) -> None:
    """A click on a cell that leads nowhere shows that row by dtype, and only that row."""
    page.goto(pages["small"])
    assert shown(page, "#mx .d") == []
    page.locator("#mx .q td:not(:has(a))").first.click()
    assert 0 < len(shown(page, "#mx .d")) <= 4


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
    assert page.locator(".broken h4").count() == 2
    assert "<img src=x" in page.inner_text("#mx thead")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#mx td a").first.click()
    assert page.locator(".broken h4").first.bounding_box()["y"] < 900
