"""Untrusted text is made visible and leads nowhere but to web pages."""

from __future__ import annotations

import pytest

from xent_reports import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x00\x1b[31m\r", "␀␛[31m␍"),
        ("\x7f\x9b", "␡\\u009b"),
        ("safe\u202etxt.exe", "safe\\u202etxt.exe"),
        ("\u200b\ufeff\u2066", "\\u200b\\ufeff\\u2066"),
        ("\ud800", "\\ud800"),
        ("שלום 🙂 👩\u200d🔬", "שלום 🙂 👩\u200d🔬"),
    ],
)
def test_characters_that_cannot_be_seen_are_written_out(text: str, shown: str) -> None:
    """Controls, marks that reorder text and lone surrogates become visible; letters and emoji stay."""
    assert visible.visible(text) == shown


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("torch-my_kernels.loss", "torch-my_<wbr>kernels.<wbr>loss"),
        ("_ends_", "_<wbr>ends_"),
        ("<b>a_b", "&lt;b&gt;a_<wbr>b"),
    ],
)
def test_a_name_can_be_broken_between_its_parts(name: str, html: str) -> None:
    assert visible.breakable(name) == html


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "https://",
        "//example.com",
        "https://exa mple.com",
        'https://example.com/"onmouseover=alert(1)',
        "https://[",
        "https://example.com/\u202e",
        "unreported",
        "https://example.com/" + "a" * 3000,
    ],
)
def test_only_web_addresses_become_links(address: str) -> None:
    """What is not an http or https address is text."""
    assert visible.web_address(address) is None


def test_web_addresses_become_links() -> None:
    """An http or https address is one, and an issue on GitHub is shown short."""
    assert visible.web_address("https://github.com/pytorch/pytorch/issues/38839")
    assert visible.web_address("HTTP://example.com/a?b=c#d")
    assert visible.address_label("https://github.com/pytorch/pytorch/issues/38839") == "pytorch/pytorch#38839"
    assert visible.address_label("https://example.com/a") == "https://example.com/a"


def test_addresses_inside_prose_are_found() -> None:
    """A sentence keeps its words and its stop; the address in it becomes a link."""
    pieces = visible.linked("See https://example.com/a. Or not.")
    assert pieces == [("See ", None), ("https://example.com/a", "https://example.com/a"), (". Or not.", None)]


def test_anchors_of_different_names_differ() -> None:
    """An anchor is readable for plain names, and unique for any."""
    assert visible.anchor("accuracy.loss", "torch", "float16") == "accuracy.loss--torch--float16"
    names = ["a b", "a_b", "a\u00a0b", "a--b", "a__b", "x" * 100, "x" * 101, '"><script>', "\ud800"]
    slugs = [visible.slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ._~-") for slug in slugs)


def test_text_of_another_direction_is_isolated() -> None:
    """Right-to-left text cannot reorder what stands beside it; ASCII needs no isolation."""
    assert visible.isolated("שלום <b>") == "<bdi>שלום &lt;b&gt;</bdi>"
    assert visible.isolated("a <b>") == "a &lt;b&gt;"
