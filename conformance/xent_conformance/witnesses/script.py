"""Standalone scripts: the calls of a finding, made directly to the backend without this suite.

A script prints ``WRONG`` and exits with 1 if it reproduces the failure, as ``git bisect run`` expects. Otherwise it
prints ``NOT REPRODUCED`` and exits with 0: the backend has been fixed, or the failure depends on other calls. If it
cannot make the calls, since a library is missing for example, it exits with 125, which ``git bisect run`` skips.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from xent_conformance.calling.calls import Invocation
from xent_conformance.formats import is_extension
from xent_conformance.judging.findings import Disagreement, Finding, Lost, StrayRead, StrayWrite
from xent_conformance.judging.findings.lost import CAME_BACK
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Requirement
from xent_conformance.witnesses.bare import needs_bands
from xent_conformance.witnesses.script_call import call_texts, dtypes_of
from xent_conformance.witnesses.vocabulary import loading_of, parts_of

#: How often a script repeats the calls of an intermittent failure.
TIMES = 100
#: Imported by scripts with dtypes that NumPy does not have.
EXTENSION = "import ml_dtypes"
#: Longest comment.
LONGEST = 200
#: A comment of scripts that need not show the failure.
LINGERING = "# The failure was seen in the process of the run only: it depends on earlier calls that are not known."
#: Seconds after which a script reports a call as hanging.
LIMIT = 20

#: Exit code of a script that could not judge. An exception would exit with 1, as if it were the failure.
NOT_JUDGED = 125
HEAD = f"""\
import sys

# Any other error is not this failure: `git bisect run` skips {NOT_JUDGED}.
sys.excepthook = lambda *error: sys.__excepthook__(*error) or sys.exit({NOT_JUDGED})
"""

VERDICT = ["print('WRONG' if wrong else 'NOT REPRODUCED')", "raise SystemExit(int(wrong))"]

#: Lines that make a call which may crash or hang in a child process: the script starts itself again.
OUTSIDE = f"""\
import subprocess

LIMIT = {LIMIT}  # seconds
if "call" not in sys.argv:
    command = [sys.executable, __file__, "call"]
    try:
        done = subprocess.run(command, timeout=LIMIT, check=False, start_new_session=True)
        if done.returncode == {NOT_JUDGED}:
            sys.exit({NOT_JUDGED})
        wrong = done.returncode != {CAME_BACK}
        print(f"the call ended its process with {{done.returncode}}" if wrong else "the call returned")
    except subprocess.TimeoutExpired:
        wrong = True
        print(f"the call did not return within {{LIMIT}} s")
    {VERDICT[0]}
    {VERDICT[1]}
"""


def script(
    requirement: Requirement,
    subject: Subject,
    problem: Problem,
    finding: Finding,
    *,
    sometimes: bool = False,
    before: Sequence[Invocation] = (),
    lingering: bool = False,
) -> str:
    """A script that makes the calls of a finding and prints their results and the expected ones.

    The calls ``before`` are made first: without them there is no failure in a new process. ``sometimes``: the failure
    is intermittent, so the calls are repeated. ``lingering``: it was not seen in a new process.
    """
    parts = parts_of(subject)
    bands = isinstance(finding, StrayRead | StrayWrite) or needs_bands(requirement, subject, problem, finding)
    calls, arrays = call_texts((*finding.calls, *before), parts, bands=bands)
    first, calls = calls[len(finding.calls) :], calls[: len(finding.calls)]
    shown = finding.script(calls)
    lines = [
        f"# {requirement.id} on {subject.name}: {requirement.title}",
        f"# {_one_line(finding.message)}",
        *[LINGERING] * lingering,
        *HEAD.splitlines(),
        "",
        *_imports(parts.setup, dtypes_of((*finding.calls, *before))),
        "",
    ]
    lines += OUTSIDE.splitlines() if isinstance(finding, Lost) else []
    lines += ["# As in the run, each input is surrounded by memory that no result may depend on."] if bands else []
    lines += [*arrays, *filter(None, [loading_of(subject)])]
    methods = dict.fromkeys(call.method for call in (*finding.calls, *before))
    lines += [parts.calls[method].rstrip() + "\n" for method in methods if method in parts.calls]
    lines += ["# The failure depends on these earlier calls."] if before else []
    for call in first:
        lines += ["try:", f"    {call.text}", "except Exception:", "    pass"]
    if isinstance(finding, Lost):
        return "\n".join([*lines, *shown]) + "\n"
    # Two calls may disagree only sometimes.
    if sometimes or isinstance(finding, Disagreement):
        shown = _repeated(shown)
    return "\n".join([*lines, *shown, *VERDICT]) + "\n"


def _imports(setup: str, dtypes: Iterable[str]) -> list[str]:
    """The import lines, without those for dtypes that the script does not use."""
    lines = setup.strip().splitlines()
    if not any(map(is_extension, dtypes)):
        lines = [line for line in lines if line.strip() != EXTENSION]
    return [*([] if "import numpy as np" in lines else ["import numpy as np"]), *lines]


def _repeated(lines: Iterable[str]) -> list[str]:
    """The lines in a loop that ends when something is wrong, with their output after it."""
    prints = [line for line in lines if line.startswith("print(")]
    body = textwrap.indent("\n".join(line for line in lines if line not in prints), "    ").splitlines()
    return [f"for _ in range({TIMES}):", *body, "    if wrong:", "        break", *prints]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:LONGEST]
