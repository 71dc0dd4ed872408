"""Scripts that judge a requirement again with this suite: for inputs that are too long to write out."""

from __future__ import annotations

from collections.abc import Sequence

from xent_conformance.loading.loader import is_callable, is_file
from xent_conformance.records.status import UNEXPECTED, Status
from xent_conformance.witnesses.script import NOT_JUDGED

#: Statuses of a requirement whose failure is shown: that of a known deviation, and one of a SHOULD, are failures too.
SHOWN = (*UNEXPECTED, Status.WEAK, Status.DEVIATION)

#: Looks for the file of a backend, whose place may be another one on the machine that the script runs on.
FILE = """\
# The folder that the file is in, seen from where this script is run or lies.
places = [pathlib.Path.cwd(), *pathlib.Path(sys.argv[0]).resolve().parents]
place = next((place for place in places if (place / pathlib.Path({name!r}).expanduser()).is_file()), None)
if place is None:
    not_judged("no file " + {name!r} + " from this folder, or from that of this script or one above it")
"""

SCRIPT = """\
import json
import pathlib
import subprocess
import sys
import tempfile


def not_judged(why):
    print("NOT JUDGED:", why)
    raise SystemExit({not_judged})  # git bisect run skips this


{place}
with tempfile.TemporaryDirectory() as folder:
    command = [sys.executable, "-m", "xent_conformance", *{words!r}, "--output", folder]
    done = subprocess.run(command, cwd=place, check=False)
    record = pathlib.Path(folder, "record.jsonl")
    if done.returncode not in (0, 1) or not record.is_file():
        not_judged(f"the suite ended with {{done.returncode}}")
    lines = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
statuses = {{line["status"] for line in lines if line["kind"] == "verdict"}}
wrong = not statuses.isdisjoint({shown!r})
if not wrong and statuses != {{{right!r}}}:
    not_judged(", ".join(sorted(statuses)) or "no verdict")
print('WRONG' if wrong else 'NOT REPRODUCED')
raise SystemExit(int(wrong))
"""


def judged_again(spec: str, words: Sequence[str]) -> str:
    """A script that runs ``xent`` with the words, which name no folder for its output, for a backend.

    It exits with 1 if the requirement fails and with 0 if it holds. It exits with 125 if that could not be judged:
    there is no such file or library, or the requirement no longer applies.
    """
    name = file_of(spec)
    place = "place = pathlib.Path.cwd()\n" if name is None else FILE.format(name=name)
    shown, right = tuple(map(str, SHOWN)), str(Status.PASS)
    return SCRIPT.format(not_judged=NOT_JUDGED, place=place, words=[*words], shown=shown, right=right)


def not_judged(why: str) -> str:
    """A script that only says why it can judge nothing."""
    return f"print({f'NOT JUDGED: {why}'!r})\nraise SystemExit({NOT_JUDGED})\n"


def file_of(spec: str) -> str | None:
    """The file in a specification, as it was given: relative to the folder of the run. None for any other backend.

    Example:
        >>> file_of("torch:./kernels/fused.py:loss"), file_of("torch")
        ('./kernels/fused.py', None)
    """
    path = spec.partition(":")[2] if is_callable(spec) else spec
    if not is_file(path):
        return None
    return path if path.endswith(".py") else path.rpartition(":")[0] or path
