"""One trial call of a callable, whether an error of it is a rejection or a fault, and what is not claimed for it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from xent_conformance.interface import may_attempt

#: Exceptions that indicate a fault of the callable, and not that it rejects the arguments.
FAULTS = (ArithmeticError, AttributeError, ImportError, MemoryError, NameError, RecursionError, SystemError)
#: Longest error message, in characters; the rest is cut off.
LONGEST = 200


class LeftOut(list[tuple[str, str]]):
    """What is not claimed of a callable, each with the reason."""

    def claimed_unless(self, why: str | None, what: str) -> bool:
        """Whether to claim something: if there is a reason not to, enter it and return False."""
        if why is not None:
            self.append((what, why))
        return why is None

    def accepted(self, what: str, refused: Mapping[str, str | None], otherwise: str) -> tuple[str, ...]:
        """The names that were not rejected; the others are entered together, with the reason of the first.

        Args:
            what: What the names are, such as "logits" for their dtypes.
            refused: For each name the reason for its rejection, or None.
            otherwise: The name to return if all were rejected.
        """
        names = [name for name, why in refused.items() if why is not None]
        if names:
            self.claimed_unless(refused[names[0]], f"{what} {', '.join(names)}")
        return tuple(name for name in refused if name not in names) or (otherwise,)


def attempted(call: Callable[[], Any], refusals: type[Exception] = Exception) -> tuple[Any, str | None]:
    """Make a call.

    Args:
        call: A function without arguments.
        refusals: Exceptions of this type reject the arguments, except those in FAULTS.

    Returns:
        The result, or None if it raised an exception or has ended a process before; and the reason for which it
        rejected the arguments, or None.

    Raises:
        KeyboardInterrupt: The only exception that is not caught.
    """
    if not may_attempt():
        return None, None
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
