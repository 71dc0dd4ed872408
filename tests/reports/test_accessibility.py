"""The page for everyone: by keyboard, without JavaScript, on a small window, on paper, and under axe."""

from __future__ import annotations

from typing import Any

import browser
import pytest
from browser import shown

#: Elements that only work with JavaScript: what they say is not part of the report. A head that sorts is a part.
CONTROLS = "form[role=search], button:not(th button, .head button)"
FIRST = "#causes .card .body"


def test_the_first_failure_is_two_keys_away(page: Any, pages: dict[str, str]) -> None:
    """Tab shows the way to the first failure, Enter goes there; every stop on the way is seen."""
    page.goto(pages["small"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the first failure"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    first = page.locator(FIRST).first.get_attribute("id")
    assert page.url.endswith(f"#{first}")
    assert page.locator(f"[id='{first}']").bounding_box()["y"] < 900


def test_the_first_cause_is_reached_by_tab(page: Any, pages: dict[str, str]) -> None:
    """From the top of the page to the list of causes it takes few stops, each with a visible focus."""
    page.goto(pages["small"])
    presses = 0
    while not page.evaluate("document.activeElement.closest('.wrong') !== null"):
        page.keyboard.press("Tab")
        presses += 1
        assert presses <= 12
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector(':target').checkVisibility()")


def test_what_a_verdict_rests_on_is_shown_without_javascript(chromium: Any, pages: dict[str, str]) -> None:
    """Rows and cards unfold by themselves; what needs a script is not there."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["small"])
    family = page.locator("#mx .fam[open]").first
    assert family.locator(".panel").first.is_hidden()
    family.locator(".q > summary").first.click(position={"x": 20, "y": 8})
    assert family.locator(".panel").first.is_visible()
    assert page.locator("form[role=search]").is_hidden()
    assert page.locator("#unfold").is_hidden()
    context.close()


def test_the_text_is_the_same_without_javascript(chromium: Any, pages: dict[str, str]) -> None:
    """JavaScript adds controls and no content."""
    texts = []
    for enabled in (True, False):
        context = chromium.new_context(java_script_enabled=enabled)
        page = context.new_page()
        page.goto(pages["small"])
        # Playwright evaluates even where the page itself may not run scripts.
        page.evaluate(f"document.querySelectorAll('{CONTROLS}').forEach(e => e.remove())")
        texts.append([line for line in page.inner_text("body").splitlines() if line.strip()])
        context.close()
    assert texts[0] == texts[1]


@pytest.mark.parametrize(("name", "width"), [("small", 360), ("small", 1280), ("large", 768)])
def test_the_page_fits_its_window(page: Any, pages: dict[str, str], name: str, width: int) -> None:
    """Wide tables scroll in themselves; the page does not scroll sideways."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(pages[name])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_print_shows_everything_without_controls(page: Any, pages: dict[str, str]) -> None:
    """On paper nothing is cut off by a scroll area, and there is nothing to press but the headings of columns."""
    page.goto(pages["small"])
    page.emulate_media(media="print")
    assert shown(page, "nav, form, button:not(:is(th, .head) *)") == []
    assert "torch" in page.inner_text("#mx .head")
    cut = page.eval_on_selector_all(
        ".scroll, pre", "all => all.filter(e => e.checkVisibility() && e.scrollHeight > e.clientHeight + 2).length"
    )
    assert cut == 0


@pytest.mark.parametrize("name", ["small", "wide"])
def test_axe_finds_no_violation(chromium: Any, pages: dict[str, str], name: str) -> None:
    """Every section, with all details unfolded, in both colour schemes, at 3 backends and, with cells about all, at 10.

    Only the rules about colour can tell the schemes apart: in the dark one axe runs these.
    """
    source = browser.axe_source()
    contexts = {scheme: chromium.new_context(color_scheme=scheme, bypass_csp=True) for scheme in ("light", "dark")}
    tabs = {scheme: context.new_page() for scheme, context in contexts.items()}
    for scheme, tab in tabs.items():
        tab.goto(pages[name])
        tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        tab.evaluate(source)
        # Both run at the same time: the promise is awaited below.
        rules = "" if scheme == "light" else ", runOnly: {type: 'tag', values: ['cat.color']}"
        tab.evaluate(f"() => {{ window.done = axe.run({{resultTypes: ['violations'], preload: false{rules}}}) }}")
    found = []
    for scheme, tab in tabs.items():
        tab.set_default_timeout(120_000)
        violations = tab.evaluate("window.done.then(result => result.violations)")
        found += [(scheme, v["id"], v["nodes"][0]["html"][:200], v["nodes"][0]["failureSummary"]) for v in violations]
    for context in contexts.values():
        context.close()
    assert found == []
