"""One call of a callable that may refuse it: an error that refuses it is distinguished from one that shows a fault."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

#: Errors that show a fault in a callable, rather than that it does not take what it is given.
FAULTS = (ArithmeticError, AttributeError, ImportError, MemoryError, NameError, RecursionError, SystemError)
#: Characters of an error that are kept.
LONGEST = 200


def attempted(call: Callable[[], Any], refusals: type[Exception] = Exception) -> tuple[Any, str | None]:
    """What a call returns, None where it raises, and why it was refused: nothing but an interruption gets through."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return call(), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it raises, the trial goes on
        refused = isinstance(error, refusals) and not isinstance(error, FAULTS)
        return None, _raised(error) if refused else None


def _raised(error: BaseException) -> str:
    """An error in one short line, without what differs from run to run."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a message that cannot be printed must not end the trial
        text = ""
    line = re.sub(r"\b0x[0-9a-f]{6,}\b", "0x...", text.strip().partition("\n")[0].replace("\t", " "))
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
    said = f"it raised {type(error).__name__}: {line}" if line else f"it raised {type(error).__name__}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in said)
