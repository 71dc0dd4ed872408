"""Standalone scripts: the calls of a finding in the backend's own vocabulary, without this suite.

A script prints ``WRONG`` and exits with 1 where it shows the failure, as ``git bisect run`` wants it, and prints
``NOT REPRODUCED`` and exits with 0 where it does not: the backend has been repaired, or calls before these mattered.
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

#: Times that the calls of a failure are made which was seen in some of them only.
TIMES = 100
#: What a script imports for dtypes that NumPy does not have.
EXTENSION = "import ml_dtypes"
#: Longest comment.
LONGEST = 200
#: Seconds that a script gives a call which may never come back.
LIMIT = 20

VERDICT = ["print('WRONG' if wrong else 'NOT REPRODUCED')", "raise SystemExit(int(wrong))"]

#: What makes a call in a process of its own, which may end or never answer: the script starts itself again.
OUTSIDE = f"""\
import subprocess
import sys

LIMIT = {LIMIT}  # seconds
if "call" not in sys.argv:
    command = [sys.executable, __file__, "call"]
    try:
        done = subprocess.run(command, timeout=LIMIT, check=False, start_new_session=True)
        wrong = done.returncode != {CAME_BACK}
        print(f"the call ended its process with {{done.returncode}}" if wrong else "the call came back")
    except subprocess.TimeoutExpired:
        wrong = True
        print(f"the call did not come back within {{LIMIT}} s")
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
) -> str:
    """A script that makes the calls of a finding and prints what they give beside what they should.

    Calls ``before`` those are made first, without which there is no failure in a new process.
    ``sometimes``: the failure was not seen each time that the problem was judged, so the calls are made again.
    """
    parts = parts_of(subject)
    bands = isinstance(finding, StrayRead | StrayWrite) or needs_bands(requirement, subject, problem, finding)
    calls, arrays = call_texts((*finding.calls, *before), parts, bands=bands)
    first, calls = calls[len(finding.calls) :], calls[: len(finding.calls)]
    shown = finding.script(calls)
    lines = [
        f"# {requirement.id} on {subject.name}: {requirement.title}",
        f"# {_one_line(finding.message)}",
        *_imports(parts.setup, dtypes_of((*finding.calls, *before))),
        "",
    ]
    lines += OUTSIDE.splitlines() if isinstance(finding, Lost) else []
    lines += ["# Around each input lies what no result may depend on, as it did in the run."] if bands else []
    lines += [*arrays, *filter(None, [loading_of(subject)])]
    methods = dict.fromkeys(call.method for call in (*finding.calls, *before))
    lines += [parts.calls[method].rstrip() + "\n" for method in methods if method in parts.calls]
    lines += ["# What these calls leave behind is part of the failure."] if before else []
    for call in first:
        lines += ["try:", f"    {call.text}", "except Exception:", "    pass"]
    if isinstance(finding, Lost):
        return "\n".join([*lines, *shown]) + "\n"
    # Two calls that disagree may do so now and then only.
    if sometimes or isinstance(finding, Disagreement):
        shown = _repeated(shown)
    return "\n".join([*lines, *shown, *VERDICT]) + "\n"


def _imports(setup: str, dtypes: Iterable[str]) -> list[str]:
    """The lines that import what the script needs, and nothing that its dtypes do not need."""
    lines = setup.strip().splitlines()
    if not any(map(is_extension, dtypes)):
        lines = [line for line in lines if line.strip() != EXTENSION]
    return [*([] if "import numpy as np" in lines else ["import numpy as np"]), *lines]


def _repeated(lines: Iterable[str]) -> list[str]:
    """The lines again and again until something is wrong, and what they print after that."""
    prints = [line for line in lines if line.startswith("print(")]
    body = textwrap.indent("\n".join(line for line in lines if line not in prints), "    ").splitlines()
    return [f"for _ in range({TIMES}):", *body, "    if wrong:", "        break", *prints]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:LONGEST]
