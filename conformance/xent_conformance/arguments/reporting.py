"""The arguments of the commands about requirements, adapters and records."""

from __future__ import annotations

from pathlib import Path

from xent_conformance.arguments.kinds import Add, folder, sentence
from xent_conformance.commands import exporting, reporting

DIFF_EXIT_CODES = """\
exit codes, as of diff(1):
  0  nothing is worse
  1  something is worse
  2  a record cannot be read
"""


def add_list(add: Add) -> None:
    """`xent list`."""
    what = "print the requirements and the registered backends"
    listing = add("list", help=what, description=sentence(what))
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--spec", action="store_true", help="as the specification, conformance/SPEC.md")
    listing.set_defaults(command=exporting.listing)


def add_explain(add: Add) -> None:
    """`xent explain`."""
    what = "explain a requirement: its statement, why it exists, and what to do about a failure"
    explain = add("explain", help=what, description=sentence(what))
    explain.add_argument(
        "only", nargs="+", metavar="ID", help="ids, families or patterns such as 'gradients.*'; `xent list` prints them"
    )
    explain.set_defaults(command=exporting.explain)


def add_report(add: Add) -> None:
    """`xent report`."""
    what = "render records as HTML, Markdown and a badge"
    report = add("report", help=what, description=sentence(what))
    report.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="files, or folders that hold them")
    report.add_argument(
        "--output", type=folder, default=Path("xent-report"), metavar="DIR", help="folder (default: ./xent-report)"
    )
    report.add_argument(
        "--baseline",
        nargs="+",
        type=Path,
        metavar="RECORD",
        help="an earlier record to show changes against; several are shown as a history",
    )
    report.add_argument(
        "--kill-matrix", type=Path, metavar="FILE", help="output of `xent mutants`, to be rendered as a page of its own"
    )
    report.add_argument(
        "--speed", type=Path, metavar="FILE", help="output of `xent bench --output FILE` or of pytest-benchmark"
    )
    report.add_argument(
        "--coverage", type=Path, metavar="FILE", help="output of `xent coverage --output FILE`, to be shown as a map"
    )
    report.set_defaults(command=reporting.report)


def add_merge(add: Add) -> None:
    """`xent merge`."""
    what = "merge the records of one run's shards"
    merge = add("merge", help=what, description=sentence(what))
    merge.add_argument(
        "records", nargs="+", type=Path, metavar="RECORD", help="records with the same seed, profile and requirements"
    )
    merge.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record to write")
    merge.set_defaults(command=reporting.merge)


def add_diff(add: Add) -> None:
    """`xent diff`."""
    what = "print what changed since an earlier record, or several"
    diff = add("diff", help=what, description=sentence(what), epilog=DIFF_EXIT_CODES)
    diff.add_argument(
        "old", nargs="+", type=Path, metavar="OLD", help="earlier records; NEW is compared with the latest of them"
    )
    diff.add_argument("new", type=Path, metavar="NEW", help="the later record")
    diff.set_defaults(command=reporting.diff)


def add_new(add: Add) -> None:
    """`xent new`."""
    what = "write a commented adapter to start from"
    new = add("new", help=what, description=sentence(what))
    new.add_argument("file", type=Path, metavar="FILE", help="the file to write; an existing file is not overwritten")
    new.set_defaults(command=exporting.new)


def add_deviations(add: Add) -> None:
    """`xent deviations`."""
    what = "draft known deviations from the failures of a run"
    deviations = add("deviations", help=what, description=sentence(what))
    deviations.add_argument("backend", metavar="BACKEND", help="as for `xent run`")
    deviations.add_argument(
        "--record",
        type=Path,
        default=Path("xent-report/record.jsonl"),
        metavar="FILE",
        help="the record of a run (default: ./xent-report/record.jsonl)",
    )
    deviations.add_argument(
        "--write", action="store_true", help="append to deviations/NAME.toml beside the adapter instead of printing"
    )
    deviations.set_defaults(command=reporting.deviations)
