"""Reading files that somebody else wrote: regular ones only, so many bytes of them, and JSON without surprises.

What a well-meaning writer never writes is refused: keys twice, numbers without a value or of endless digits, nesting
and counts that cost more to hold than to send. Everything a caller must catch is OddFileError.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

#: Nesting of what the suite writes stays below 10.
MAX_DEPTH = 32
#: Longer integers are no counts, seeds or class indices. Python itself stops at 4300 digits, with quadratic cost.
MAX_DIGITS = 64
#: Values in one file. Each costs tens of bytes in memory, whatever it cost on disk.
MAX_VALUES = 1 << 23


class OddFileError(ValueError):
    """What is wrong with a file, without its name."""


def opened(path: Path, limit: int) -> BinaryIO:
    """A regular file of at most ``limit`` bytes, open for reading; never waits, as opening a pipe would.

    Raises OddFileError.
    """
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    except (OSError, ValueError) as error:  # ValueError: a null in the name
        raise OddFileError(getattr(error, "strerror", None) or str(error)) from error
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise OddFileError("not a regular file")
    if found.st_size > limit:
        file.close()
        raise OddFileError(f"{found.st_size} bytes, more than {limit}")
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_bytes(path: Path, limit: int) -> bytes:
    """Content of a regular file of at most ``limit`` bytes, also where it grows meanwhile; raises OddFileError."""
    with opened(path, limit) as file:
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise OddFileError(error.strerror or str(error)) from error
    if len(content) > limit:
        raise OddFileError(f"more than {limit} bytes")
    return content


def values_in(raw: bytes) -> int:
    """At most how many values JSON text holds: each but the first of a list or object follows a comma."""
    return 1 + raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def parsed(raw: bytes) -> Any:
    """The value that JSON text in UTF-8 stands for; raises OddFileError, saying what is odd about it."""
    if values_in(raw) > MAX_VALUES:
        raise OddFileError(f"more than {MAX_VALUES} values")
    try:
        content = _DECODER.decode(raw.decode("utf-8"))
    except OddFileError:
        raise
    except UnicodeDecodeError as error:
        raise OddFileError(f"not JSON (no UTF-8 at byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise OddFileError(f"not JSON ({error.msg} at character {error.pos})") from error
    except RecursionError as error:
        raise OddFileError(_TOO_DEEP) from error
    _check_depth(content)
    return content


_TOO_DEEP = f"not JSON of ours: nested more than {MAX_DEPTH} deep"


def _check_depth(content: Any) -> None:
    level = [content]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, list | dict)]
        if not level:
            return
    raise OddFileError(_TOO_DEEP)


def _inside(content: Any) -> Any:
    return content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise OddFileError(f"the key {twice[:48]!r} is there twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise OddFileError(f"an integer of {len(digits)} digits")
    return int(digits)


def _real(digits: str) -> float:
    found = float(digits)
    if found in (float("inf"), float("-inf")):
        raise OddFileError(f"a number beyond the range of floats: {digits[:24]}")
    return found


def _constant(name: str) -> Any:
    raise OddFileError(f"not JSON ({name} is no number)")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant)
