"""Triton's interpreter, which runs a kernel on the CPU with NumPy if TRITON_INTERPRET=1 is set.

A launch replaces functions of Triton's modules until it ends, so that of two launches in different threads one raises
an error. That says nothing of the kernel, so that calls are made one at a time.
"""

from __future__ import annotations

import os
import sys
from threading import RLock

#: Held during a call.
ONE_AT_A_TIME = RLock()
#: What is not judged for that reason, as in ``Capabilities.left_out``.
REMARK = ("calls from several threads", "calls are made one at a time: a launch replaces functions of Triton")
#: Values of the variable that switch the interpreter on, in lower case.
_ON = ("1", "true", "on", "yes", "y")


def interprets() -> bool:
    """Whether kernels of this process run under the interpreter: Triton is imported, and the variable is set."""
    return "triton" in sys.modules and os.environ.get("TRITON_INTERPRET", "").lower() in _ON
