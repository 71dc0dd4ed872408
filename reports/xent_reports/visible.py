"""Text that a backend or a person wrote, made safe to look at: nothing in it is invisible, and nothing in it acts.

Escaping for HTML is Jinja's work and comes after this.
"""

from __future__ import annotations

import hashlib
import html
import re
from functools import lru_cache
from urllib.parse import urlsplit

from markupsafe import Markup, escape

#: C0 and C1 controls but tab and line feed; soft hyphen; marks, embeddings and isolates that reorder text; zero-width
#: space and non-joiner, word joiner, byte order mark; line and paragraph separator; lone surrogates. The zero-width
#: joiner stays: emoji are spelt with it.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/(?:issues|pull)/(\d+)", re.ASCII)
_LONGEST_ADDRESS = 2000
#: The end of a part of a name, where browsers do not break a line by themselves.
_PART = re.compile(r"([._])(?=\w)")
#: Unicode has pictures of the C0 controls and of delete.
_PICTURES = {"\x7f": "␡", **{chr(code): chr(0x2400 + code) for code in range(0x20)}}


def visible(text: str) -> str:
    """The text with every character that would not be seen written out: an escape as ␛, U+202E by its number."""
    return text if text.isprintable() else _INVISIBLE.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    return _PICTURES.get(match[0]) or f"\\u{ord(match[0]):04x}"


def isolated(text: object) -> Markup:
    """The text as HTML that isolates its writing direction; ASCII needs no isolation."""
    shown = escape(visible(str(text)))
    return shown if shown.isascii() else Markup("<bdi>{}</bdi>").format(shown)


def breakable(text: str) -> Markup:
    """A name as HTML that a narrow column breaks between its parts: numpy-my_ kernel. loss."""
    return Markup(_PART.sub(r"\1<wbr>", str(isolated(text))))  # noqa: S704 - escaped


def source(text: str) -> Markup:
    """Text between tags, as HTML: quotes stay as they are there, and scripts have many."""
    return Markup(html.escape(visible(text), quote=False))  # noqa: S704 - escaped


def one_line(text: str) -> str:
    """The visible text with its line breaks and runs of blanks as single spaces."""
    return " ".join(visible(text).split())


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and how much is missing."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters in the record)"


def abridged(text: str, limit: int = 48) -> str:
    """A name that fits a table's header: the text, or its beginning and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def web_address(text: str) -> str | None:
    """The text if it is an http or https address that may be linked, else None."""
    if len(text) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(text) or _INVISIBLE.search(text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.netloc else None


def linked(text: str) -> list[tuple[str, str | None]]:
    """The text in pieces, each with the address it leads to, or None: addresses inside prose become links."""
    pieces: list[tuple[str, str | None]] = []
    end = 0
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(".,;:!?)")
        if web_address(address) is None:
            continue
        pieces += [(text[end : match.start()], None), (address_label(address), address)]
        end = match.start() + len(address)
    return [piece for piece in [*pieces, (text[end:], None)] if piece[0]]


def address_label(address: str) -> str:
    """An address as a link shows it: ``owner/name#12`` for an issue on GitHub, else the address."""
    match = _GITHUB.fullmatch(address)
    return f"{match[1]}#{match[2]}" if match else address


@lru_cache(maxsize=4096)
def slug(text: str) -> str:
    """A part of an anchor: the text, or a readable and unique replacement if it has more than letters and digits."""
    clean = re.sub(r"[^A-Za-z0-9._-]", "_", text)[:60]
    if clean == text and "--" not in text:
        return text
    return f"{clean.replace('--', '__')}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def anchor(requirement: str, backend: str, dtype: str | None = None) -> str:
    """The anchor of a failure on the page: ``requirement--backend--dtype``, or one for all its dtypes."""
    return "--".join(slug(part) for part in (requirement, backend, *([] if dtype is None else [dtype])))
