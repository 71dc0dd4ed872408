"""Records of libraries on one page, and in the README's table: ``python tools/published.py [--add RECORD ...]``.

Each record in ``reports/published/libraries`` is of one implementation, made in an environment of its own. ``--add``
copies records of `xent run` to that folder, unless they contain paths of a machine; the page and the table are then
made from all records in it.
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
from xent_conformance.records.record import Record, read
from xent_conformance.records.status import GLYPHS, Status
from xent_reports.model import worst

ROOT = Path(__file__).parents[1]
PLACE, README = ROOT / "reports/published/libraries", ROOT / "README.md"
END = ".record.jsonl"
#: Largest record in bytes, because the repository has many. Four dtypes in the thorough profile are 520 kB.
MOST = 600_000
#: Paths that show on which machine a record was made, and the folders of packages, which are removed from paths.
FOLDERS = re.compile(r"/(?:tmp|root|home|work|opt|usr|Users)/[^\s\"']*")
INSTALLED = re.compile(r"/[^\s\"']*/(?:site-packages|backends)/(?=\w)")
#: The lines of the README before and after the table.
BEGINS, ENDS = "<!-- libraries -->\n", "<!-- /libraries -->\n"
#: Inputs with more elements, and scripts with more characters, are left out.
LONG, LONG_SCRIPT = 1000, 6000
#: Significant digits of the errors by number of classes, which are most of a record: no chart shows more.
DIGITS = 3
#: Fields of a verdict that may be absent.
OPTIONAL = {field.name for field in fields(VerdictLine) if not field.required}
#: Statuses that a cell of the table counts.
COUNTED = (Status.ERROR, Status.CRASH, Status.TIMEOUT, Status.FAIL, Status.WEAK, Status.DEVIATION)
JUDGED = (Status.PASS, Status.OBSERVED, *COUNTED)


def name_of(record: Record) -> str:
    """The implementation of a record; raises ValueError unless there is exactly one."""
    (one,) = record.header.backends
    return one.name


def shortened(text: str) -> str:
    """The text of a record without fields at their defaults, folders of packages, and long inputs and scripts."""
    lines = []
    for line in INSTALLED.sub("", text).splitlines():
        data = json.loads(line)
        for failure in data.get("failures", ()):
            _shorten(failure)
        for entry in data.get("bins", ()):
            finite = [name for name in ("ratio", "ulp") if isinstance(entry[name], float)]
            # Rounding must not make an infinite number of the largest ones.
            entry |= {name: min(float(f"{entry[name]:.{DIGITS}g}"), sys.float_info.max) for name in finite}
        for deviation in data.get("deviations", ()):
            # Its script is among the findings.
            deviation["witness"] = None
        needed = {k: v for k, v in data.items() if v not in (0, None, []) or k not in OPTIONAL}
        lines.append(json.dumps(needed, ensure_ascii=False, separators=(",", ":")))
    return "\n".join(lines) + "\n"


def _shorten(failure: dict[str, Any]) -> None:
    """Leave out long inputs and scripts of a failure."""
    arrays = (failure["problem"][name] for name in ("logits", "target", "weight", "cotangent"))
    for array in arrays:
        if array is not None and len(array.get("values") or ()) > LONG:
            array["recipe"], array["values"] = f"{len(array['values'])} values, left out of this copy", None
    if len(failure.get("reproducer") or "") > LONG_SCRIPT:
        failure["reproducer"] = None


def complaint(path: Path) -> str | None:
    """Why a record must not be published, or None if it may be."""
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
    """All published records, sorted by implementation."""
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
    """The numbers of a family's requirements that are not met, by their worst dtype."""
    by_requirement: dict[str, list[VerdictLine]] = {}
    for verdict in verdicts:
        by_requirement.setdefault(verdict.requirement, []).append(verdict)
    statuses = [one.status for same in by_requirement.values() if (one := worst(same)) is not None]
    counted = [f"{GLYPHS[s][0]} {statuses.count(s)}" for s in COUNTED if s in statuses]
    return " ".join(counted) or ("✓" if any(s in JUDGED for s in statuses) else "–")


def section(records: Sequence[Record]) -> str:
    """The section of the README: the table and its legend."""
    signs = ", ".join(f"{GLYPHS[s][0]} {GLYPHS[s][1]}" for s in (Status.DEVIATION, Status.WEAK, Status.FAIL))
    return (
        f"{table(records)}\n"
        f"✓ all that applies passes, – nothing applies; {signs}: how many requirements of the family, by\n"
        "their worst dtype. Each deviation has its entry; `profile` says how much was judged.\n"
    )


def with_table(readme: str, records: Sequence[Record]) -> str:
    """The README with the table of these records; raises ValueError if the lines around the table are missing."""
    before, begins, rest = readme.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not begins or not ends:
        raise ValueError(f"{README}: no lines {BEGINS.strip()} and {ENDS.strip()}")
    return f"{before}{BEGINS}{section(records)}{ENDS}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Add records, and write the page and the table; returns the exit code."""
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
