"""One trial call of a callable, and whether an error of it is a rejection of the arguments or a fault."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

#: Exceptions that indicate a fault of the callable, and not that it rejects the arguments.
FAULTS = (ArithmeticError, AttributeError, ImportError, MemoryError, NameError, RecursionError, SystemError)
#: Longest error message, in characters; the rest is cut off.
LONGEST = 200


def attempted(call: Callable[[], Any], refusals: type[Exception] = Exception) -> tuple[Any, str | None]:
    """Make a call.

    Args:
        call: A function without arguments.
        refusals: Exceptions of this type reject the arguments, except those in FAULTS.

    Returns:
        The result, or None if it raised an exception; and the reason for which it rejected the arguments, or None.

    Raises:
        KeyboardInterrupt: The only exception that is not caught.
    """
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
    """An exception as one short line, with addresses masked because they differ from run to run."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a message that cannot be printed must not end the trial
        text = ""
    line = re.sub(r"\b0x[0-9a-f]{6,}\b", "0x...", text.strip().partition("\n")[0].replace("\t", " "))
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
    described = f"it raised {type(error).__name__}: {line}" if line else f"it raised {type(error).__name__}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in described)
