"""Runs scripts one after another where this suite cannot be imported; a list of texts in, what each printed out.

Started with ``python -I``: the test gives the scripts as JSON on standard input, with the folders they may import from.
"""

import contextlib
import importlib.abc
import io
import json
import sys

SUITE = ("xent_conformance", "xent_backends", "xent_reports")


class Blocked(importlib.abc.MetaPathFinder):
    """Finds nothing of the suite, wherever it is installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in SUITE:
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)


def outcome(text):
    """What a script prints, and what it raises."""
    for name in [n for n in sys.modules if n.partition(".")[0] in (*SUITE, "mutants")]:
        del sys.modules[name]
    printed, raised = io.StringIO(), ""
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            exec(compile(text, "script", "exec"), {"__name__": "__main__"})
        except BaseException as error:  # noqa: BLE001 - whatever a script raises is its outcome
            raised = f"raised {type(error).__name__}: {error}"
    return {"printed": printed.getvalue(), "raised": raised}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    sys.meta_path.insert(0, Blocked())
    sys.path[:0] = given["folders"]
    json.dump([outcome(text) for text in given["scripts"]], sys.stdout)
