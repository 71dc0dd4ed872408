"""Exceptions of a backend as text: type, message, and where they were raised."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from xent_conformance.calling.foreign import printable

#: Folder of the suite, whose frames are not shown.
SUITE = str(Path(__file__).parents[1])
#: Number of innermost frames that a traceback shows.
FRAMES = 12
#: The beginning of an installed library's path, which differs from machine to machine.
INSTALLED = re.compile(r"^.*/(?:site-packages|dist-packages|python3\.\d+)/")


def described(error: BaseException) -> dict[str, Any]:
    """The fields of an outcome about an exception: ``raised``, ``raised_type``, ``raised_at`` and ``traceback``."""
    try:
        frames = frames_of(error.__traceback__)
    except Exception:  # noqa: BLE001 - a traceback that cannot be read must not hide what was raised
        frames = []
    return {
        "raised": message_of(error),
        "raised_type": name_of(type(error)),
        "raised_at": f"{shortened(frames[-1].filename)}:{frames[-1].lineno}" if frames else None,
        "traceback": _text(frames) or None,
    }


def frames_of(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    """The frames outside the suite, innermost last."""
    return [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith(SUITE)]


def _text(frames: list[traceback.FrameSummary]) -> str:
    lines = []
    for frame in frames[-FRAMES:]:
        lines.append(f"{shortened(frame.filename)}:{frame.lineno} in {printable(frame.name)}")
        if frame.line:
            lines.append(f"    {printable(frame.line)[:120]}")
    return "\n".join(lines)


def shortened(path: str) -> str:
    """A path that is the same on every machine: below the folder of installed packages, or the working directory."""
    short = INSTALLED.sub("", printable(path))
    if short.startswith("/"):
        try:
            return str(Path(short).relative_to(Path.cwd()))
        except (ValueError, OSError):
            return short
    return short


def message_of(error: BaseException) -> str:
    """The message of an exception, even if formatting it raises."""
    try:
        text = str(error)
    except BaseException as failure:  # noqa: BLE001 - a message that cannot be printed must not stop the run
        text = f"<message not printable: {name_of(type(failure))}>"
    return printable(text)


def name_of(kind: type) -> str:
    """The name of a class, whatever its metaclass says."""
    return printable(type.__dict__["__name__"].__get__(kind))
