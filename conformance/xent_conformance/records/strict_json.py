"""Reads files of unknown origin: regular files only, up to a size, with JSON that is checked strictly.

Rejected are duplicate keys, numbers that JSON does not have or with very many digits, deep nesting, and more values
than fit in memory. The only exception that callers need to catch is OddFileError.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

#: Deepest nesting. The suite itself writes less than 10.
MAX_DEPTH = 32
#: Most digits of an integer: enough for counts, seeds and class indices. Python's own limit is 4300, and the time to
#: convert grows with the square of the digits.
MAX_DIGITS = 64
#: Most values in one file. A value of two bytes on disk takes tens of bytes in memory.
MAX_VALUES = 1 << 23


class OddFileError(ValueError):
    """A file that cannot be read or is not as expected. The message has the reason, without the file's name."""


def opened(path: Path, limit: int) -> BinaryIO:
    """Open a file for reading, without blocking as opening a named pipe would.

    Args:
        path: The file.
        limit: Its largest size in bytes.

    Raises:
        OddFileError: It cannot be opened, is not a regular file, or is larger.
    """
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    except (OSError, ValueError) as error:  # ValueError: a null in the name
        raise OddFileError(getattr(error, "strerror", None) or str(error)) from error
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise OddFileError("not a regular file")
    if status.st_size > limit:
        file.close()
        raise OddFileError(f"{status.st_size} bytes, more than {limit}")
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        limit: Its largest size in bytes, also if it grows while it is read.

    Raises:
        OddFileError: It cannot be read, is not a regular file, or is larger.
    """
    with opened(path, limit) as file:
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise OddFileError(error.strerror or str(error)) from error
    if len(content) > limit:
        raise OddFileError(f"more than {limit} bytes")
    return content


def values_in(raw: bytes) -> int:
    """An upper limit for the number of values in JSON text, counted by commas and opening brackets without parsing."""
    return 1 + raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def parsed(raw: bytes) -> Any:
    """The value of JSON text in UTF-8.

    Raises:
        OddFileError: It is not JSON, or exceeds the limits of this module.
    """
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


_TOO_DEEP = f"not JSON of this suite: nested more than {MAX_DEPTH} deep"


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
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise OddFileError(f"the key {twice[:48]!r} occurs twice")
    return content


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise OddFileError(f"an integer of {len(digits)} digits")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise OddFileError(f"a number beyond the range of floats: {digits[:24]}")
    return number


def _constant(name: str) -> Any:
    raise OddFileError(f"not JSON ({name} is not a number)")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant)
