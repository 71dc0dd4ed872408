"""The page about causes: ``PYTHONPATH=tests python -m composites.page FOLDER > docs/explanation/causes.md``.

Each example is judged, with its report in the folder, unless that has a record of it already.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from composites.examples import EXAMPLES, PAIRS, Three
from composites.planted import candidates
from xent_conformance.records.causes import Cause, causes
from xent_conformance.records.record import read
from xent_reports import summary_lines

INTRODUCTION = """\
# Causes, by example

Failures that are the same fault are shown as one cause. A failing problem is reduced, and every option, size, layout
and special value of the small one is removed in turn. Those that it needs in order to fail follow the word "with".
Failures of one kind that need the same are one cause; [how judging works](judging.md#one-fault-one-cause) says when
that may be wrong.

Each example is a correct NumPy implementation with faults planted in it, and the output of `xent run`: for each cause
what it takes to fail, how the smallest problem fails, that problem, the requirements that break, and the command that
judges it again.
The report has a script for each cause that shows it without the suite. The examples are in the tests of the repository;
in a clone of it, these are set for the commands below, which judge only some requirements to save time:

```console
$ export PYTHONPATH=tests
$ export REQUIREMENTS={only}
```
"""
#: What is judged: enough to see all faults of the examples.
ONLY = (
    "accuracy.loss,accuracy.every-class-count,accuracy.every-combination,accuracy.nll-every-combination,"
    "gradients.logits,gradients.probability-targets,gradients.every-combination,invalid_calls.reduction"
)
#: Rows that the problem of a cause may have.
ROWS = 3


def main() -> None:
    """Print the page; raises AssertionError where an example is not told as it should be."""
    folder = Path(sys.argv[1])
    print(INTRODUCTION.format(only=ONLY))
    for name in EXAMPLES:
        asked = f"xent run tests/composites/examples.py:{name} --dtypes float32 --profile quick --in-process"
        record = folder / name / "record.jsonl"
        if not record.exists():
            command = [*asked.split(), "--only", ONLY, "--output", str(record.parent)]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        found = causes(read(record).verdicts)
        assert len(found) == len(planted(name)), (name, found)
        for cause in found:
            check(cause)
        print(f"## {name.replace('_', ' ').capitalize()}\n")
        print("\n".join(f"- {idea}" for idea in planted(name)))
        print(f"\n```console\n$ {asked} --only $REQUIREMENTS")
        print("\n".join(summary_lines([record])))
        print("```\n" if name != EXAMPLES[-1] else "```")


def planted(name: str) -> list[str]:
    """What is wrong with an example."""
    if name not in PAIRS:
        return [(kind.__doc__ or "").strip() for kind in Three.__bases__]
    mutants = candidates()
    return [mutants[mutant].idea for mutant in PAIRS[name]]


def check(cause: Cause) -> None:
    """A cause has a small problem, and a script that shows it."""
    failure = cause.shown.failure
    rows = failure.problem.logits.shape[:1] + failure.problem.logits.shape[2:]
    size = 1
    for axis in rows if len(failure.problem.logits.shape) > 1 else ():
        size *= axis
    assert size <= ROWS, failure.text
    done = subprocess.run([sys.executable, "-c", failure.reproducer], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr


if __name__ == "__main__":
    main()
