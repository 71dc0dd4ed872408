"""Runs scripts one after another where this suite cannot be imported: what each printed, and its exit code.

Started with ``python -I``: the test gives the scripts as JSON on standard input, with the folders they may import from.
Each runs in a process of its own, forked from this one, so that none is changed by what another leaves behind.
"""

import importlib.abc
import json
import os
import sys
import tempfile

SUITE = ("xent_conformance", "xent_backends", "xent_reports")


class Blocked(importlib.abc.MetaPathFinder):
    """Finds nothing of the suite, wherever it is installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in SUITE:
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)


def outcome(text):
    """What a script prints, errors included, and what it exits with."""
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if not child:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            status = 99
            try:
                exec(compile(text, "script", "exec"), {"__name__": "__main__"})
            except SystemExit as ended:
                status = ended.code
            except BaseException as error:  # noqa: BLE001 - whatever a script raises is its outcome
                print(f"raised {type(error).__name__}: {error}")
            sys.stdout.flush()
            os._exit(status)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        printed.seek(0)
        return {"printed": printed.read().decode("utf-8", "replace"), "code": code}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    sys.meta_path.insert(0, Blocked())
    sys.path[:0] = given["folders"]
    for library in given["libraries"]:
        __import__(library)
    json.dump([outcome(text) for text in given["scripts"]], sys.stdout)
