"""Records of libraries on one page, and in the README's table: ``python tools/published.py [--add RECORD ...]``.

Each record in ``reports/published/libraries`` is of one implementation, made in an environment of its own. ``--add``
copies records of `xent run` there, after a look at what must not be published; the page and the table are then made of
all that are there.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import fields

import xent_reports
from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.record import GLYPHS, SEVERITY, Record, Status, read

ROOT = Path(__file__).parents[1]
PLACE, README = ROOT / "reports/published/libraries", ROOT / "README.md"
END = ".record.jsonl"
#: Bytes of a record: the repository has many.
MOST = 300_000
#: Folders of a machine, and those that packages are installed in: a published file begins with the name of its package.
FOLDERS = re.compile(r"/(?:tmp|root|home|work|opt|usr|Users)/[^\s\"']*")
INSTALLED = re.compile(r"/[^\s\"']*/(?:site-packages|backends)/(?=\w)")
#: The lines of the README between which the table stands.
BEGINS, ENDS = "<!-- libraries -->\n", "<!-- /libraries -->\n"
#: Elements of an input, and characters of a script, of which more are left out.
LONG, LONG_SCRIPT = 1000, 6000
#: Fields of a verdict that may be absent.
OPTIONAL = {field.name for field in fields(VerdictLine) if not field.required}
#: Statuses that are counted in a cell; where there is none of them, all that applies passes.
COUNTED = (Status.ERROR, Status.CRASH, Status.TIMEOUT, Status.FAIL, Status.WEAK, Status.DEVIATION)
JUDGED = (Status.PASS, Status.OBSERVED, *COUNTED)


def name_of(record: Record) -> str:
    """The implementation that a record is of; raises ValueError unless it is one."""
    (one,) = record.header.backends
    return one.name


def shortened(text: str) -> str:
    """A record without what its readers take for granted: fields at their defaults, folders of installed packages.

    Inputs and scripts that are long are left out.
    """
    lines = []
    for line in INSTALLED.sub("", text).splitlines():
        data = json.loads(line)
        for failure in data.get("failures", ()):
            _shorten(failure)
        for deviation in data.get("deviations", ()):
            # Its script is among the findings.
            deviation["witness"] = None
        told = {k: v for k, v in data.items() if v not in (0, None, []) or k not in OPTIONAL}
        lines.append(json.dumps(told, ensure_ascii=False, separators=(",", ":")))
    return "\n".join(lines) + "\n"


def _shorten(failure: dict[str, Any]) -> None:
    """Leave out what is long in a failure."""
    arrays = (failure["problem"][name] for name in ("logits", "target", "weight", "cotangent"))
    for array in arrays:
        if array is not None and len(array.get("values") or ()) > LONG:
            array["recipe"], array["values"] = f"{len(array['values'])} values, left out of this copy", None
    if len(failure.get("reproducer") or "") > LONG_SCRIPT:
        failure["reproducer"] = None


def complaint(path: Path) -> str | None:
    """Why a record is not to be published; None: it is."""
    text = path.read_text("utf-8")
    if len(text.encode()) > MOST:
        return f"{len(text.encode()):,} bytes, more than {MOST:,}"
    if found := FOLDERS.search(text):
        return f"it names a folder of a machine, {found[0]}"
    record = read(path)
    if record.footer is None or len(record.header.backends) != 1:
        return "it is not the whole record of one implementation"
    return None


def published() -> list[Record]:
    """All records that are there, by implementation."""
    return sorted((read(path) for path in PLACE.glob(f"*{END}")), key=name_of)


def table(records: Sequence[Record]) -> str:
    """A row for each implementation, a column for each family of requirements."""
    families = sorted({r.family for record in records for r in record.header.requirements})
    head = ["implementation", "version", "profile", *(family.replace("_", " ") for family in families)]
    rows = [f"| {' | '.join(head)} |", "|---|---|---|" + ":-:|" * len(families)]
    for record in records:
        (backend,) = record.header.backends
        version = next(iter(backend.versions.values()), "")
        by_family: dict[str, list[VerdictLine]] = {}
        for verdict in record.verdicts:
            by_family.setdefault(verdict.requirement.partition(".")[0], []).append(verdict)
        profile = ", ".join([record.header.profile, *record.header.dtypes])
        cells = [cell(by_family.get(family, [])) for family in families]
        rows.append(f"| {' | '.join([backend.name, version.partition('+')[0], profile, *cells])} |")
    return "\n".join(rows) + "\n"


def cell(verdicts: Sequence[VerdictLine]) -> str:
    """The requirements of a family by what they came to in their worst dtype: counts of what is not as it should be."""
    worst: dict[str, Status] = {}
    for verdict in verdicts:
        before = worst.get(verdict.requirement, verdict.status)
        worst[verdict.requirement] = min(before, verdict.status, key=SEVERITY.index)
    statuses = list(worst.values())
    counted = [f"{GLYPHS[s][0]} {statuses.count(s)}" for s in COUNTED if s in statuses]
    return " ".join(counted) or ("✓" if any(s in JUDGED for s in statuses) else "–")


def section(records: Sequence[Record]) -> str:
    """What stands in the README: the table, and what its signs mean."""
    signs = ", ".join(f"{GLYPHS[s][0]} {GLYPHS[s][1]}" for s in (Status.DEVIATION, Status.WEAK, Status.FAIL))
    return (
        f"{table(records)}\n"
        f"✓ all that applies passes, – nothing applies; {signs}: how many requirements of the family, by\n"
        "their worst dtype. Each deviation has its entry; `profile` says how much was judged.\n"
    )


def with_table(readme: str, records: Sequence[Record]) -> str:
    """The README with the table of these records; raises ValueError where it has no place for it."""
    before, begins, rest = readme.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not begins or not ends:
        raise ValueError(f"{README}: no lines {BEGINS.strip()} and {ENDS.strip()}")
    return f"{before}{BEGINS}{section(records)}{ENDS}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Add records, and make page and table anew; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python tools/published.py", description=__doc__)
    parser.add_argument("--add", metavar="RECORD", nargs="+", type=Path, default=[], help="publish these records too")
    given = parser.parse_args(arguments).add
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(given):
            short = Path(folder) / f"{number}{END}"
            short.write_text(shortened(path.read_text("utf-8")), "utf-8")
            if (why := complaint(short)) is not None:
                print(f"{path}: {why}", file=sys.stderr)
                return 1
            shutil.copyfile(short, PLACE / f"{name_of(read(short))}{END}")
        page = xent_reports.render(sorted(PLACE.glob(f"*{END}")), Path(folder))
        shutil.copyfile(page, PLACE / "index.html")
    README.write_text(with_table(README.read_text("utf-8"), published()), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
