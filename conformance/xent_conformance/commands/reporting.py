"""The commands about records: `xent report`, `merge`, `diff` and `deviations`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from xent_conformance.output import RECORD, check_file, complain, output_folder, renderer
from xent_conformance.records.status import BROKEN, OK, USAGE


def report(options: argparse.Namespace) -> int:
    """Render records."""
    records = _records(options.records)
    more = {name: getattr(options, name) for name in ("baseline", "kill_matrix", "speed", "coverage")}
    with output_folder(options.output) as folder:
        print(f"report: {renderer('render')(records, folder, **more)}")
    return OK


def _records(paths: Sequence[Path]) -> list[Path]:
    """The record files among ``paths``, and those in the folders among them; raises UsageError where there are none."""
    from xent_conformance.loading.errors import UsageError

    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"no file or folder {path}")
        inside = sorted(path.rglob(RECORD)) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"no {RECORD} in {path}")
        found += inside
    return found


def merge(options: argparse.Namespace) -> int:
    """Merge the records of one run's shards."""
    check_file(options.output)
    renderer("merge")(options.records, options.output)
    return OK


def diff(options: argparse.Namespace) -> int:
    """Print what changed between records."""
    text, code = renderer("diff")(options.old, options.new)
    if code == USAGE:
        return complain(text, USAGE)
    print(text)
    return int(code)


def deviations(options: argparse.Namespace) -> int:
    """Draft known deviations from the failures of a record."""
    from xent_conformance.drafting import as_toml, drafts
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.records.record import read
    from xent_conformance.request import Request
    from xent_conformance.session import Session

    if not options.record.exists():
        raise UsageError(f"no record {options.record}: `xent run {options.backend}` writes one")
    record = read(options.record)
    with Session.open(Request((options.backend,))) as session:
        for line in session.left_out:
            return complain(line, BROKEN)
        (opened,) = session.opened
        entries, without = drafts(record.verdicts, opened)
    name, path = opened.description.name, opened.description.deviations
    for line in without:
        complain(line, OK)
    if not entries:
        print(f"nothing to draft: {options.record} has no failure of {name} that an entry could be written for")
        return OK
    text = as_toml(entries)
    if path is None or not options.write:
        print(text, end="")
        return OK
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}" if file.tell() else text)
    count = f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
    print(f"{count} added to {path}: edit reason, issue and where, then run again")
    return OK
