"""The page of what the suite has found in libraries: ``python tools/findings.py``; with ``--run``, its scripts too.

A finding is a script in ``findings/LIBRARY/``: its docstring is the statement, the comment behind it says where, how
bad and since when, its last lines are what it prints. Entries of deviation files name the script, and give the issue;
one that is in none says so in a comment, ``# not listed: REASON``, and has its issue in another, ``# upstream: URL``.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS, DEVIATIONS, PAGE = ROOT / "findings", ROOT / "backends/xent_backends/deviations", ROOT / "FINDINGS.md"
#: How bad a finding is, the worst first.
SEVERITIES = (
    "crash",
    "memory",
    "wrong number",
    "wrong gradient",
    "wrong acceptance",
    "wrong refusal",
    "lost accuracy",
)
HEAD = re.compile(
    r"^# (?P<library>[\w-]+) (?P<version>[\w.]+): (?P<severity>[a-z ]+), first seen (?P<seen>\d{4}-\d\d-\d\d)$"
)
#: The issue of a finding that is no deviation; another comment, `# not listed: REASON`, says why it is none.
ISSUE = re.compile(r"^# upstream: (https://\S+)$", re.MULTILINE)
#: What stands before each line that a script prints, in its last lines.
PRINTED = "# prints: "
UNREPORTED = "unreported"
START = """# Findings

What this suite has found in libraries: faults of theirs, each with the smallest script that shows it, in the library's
own words. The lines behind `# prints:` are its output. Each is listed as a
[known deviation](docs/how-to/deviations.md) of its backend, with a witness that must fail, or says why not: one that is
fixed leaves this page. `python tools/findings.py` writes it; with `--run LIBRARY` it runs the scripts of a
library with the interpreter that it is given, each in a process of its own, and compares what they print.
"""


@dataclass(frozen=True)
class Finding:
    """One script and what is said of it. ``issues`` are of the deviations that name it."""

    path: Path
    statement: str
    library: str
    version: str
    severity: str
    seen: str
    code: str
    printed: str
    issues: tuple[str, ...]

    @property
    def name(self) -> str:
        """Where it is, as deviations name it."""
        return self.path.relative_to(SCRIPTS).with_suffix("").as_posix()

    @property
    def upstream(self) -> str:
        """The issue as Markdown."""
        links = [f"[{issue.rpartition('/')[2]}]({issue})" for issue in self.issues if issue != UNREPORTED]
        return ", ".join(links) or UNREPORTED


def named() -> Iterator[tuple[str, str, str]]:
    """Backend, finding and issue of each deviation that names a finding."""
    for path in sorted(DEVIATIONS.glob("*.toml")):
        for entry in tomllib.loads(path.read_text("utf-8")).get("deviation", []):
            if "finding" in entry:
                yield path.stem, entry["finding"], entry["issue"]


def findings() -> list[Finding]:
    """All of them: by library, the worst first. Raises ValueError for a script that does not say what it must."""
    issues: dict[str, set[str]] = {}
    for _, name, issue in named():
        issues.setdefault(name, set()).add(issue)
    found = [_read(path, issues) for path in SCRIPTS.rglob("*.py")]
    return sorted(found, key=lambda f: (f.library, SEVERITIES.index(f.severity), f.name))


def _read(path: Path, issues: dict[str, set[str]]) -> Finding:
    text = path.read_text("utf-8")
    statement = ast.get_docstring(ast.parse(text, str(path)))
    head = next(filter(None, map(HEAD.match, text.splitlines())), None)
    if statement is None or head is None or head["severity"] not in SEVERITIES:
        raise ValueError(f"{path}: no docstring, or no line '# LIBRARY VERSION: SEVERITY, first seen YYYY-MM-DD'")
    printed = [line.removeprefix(PRINTED) for line in text.splitlines() if line.startswith(PRINTED)]
    if not printed:
        raise ValueError(f"{path}: no line {PRINTED!r} with what it prints")
    code = text[text.index(head[0]) + len(head[0]) :].strip()
    name = path.relative_to(SCRIPTS).with_suffix("").as_posix()
    known = {*issues.get(name, ()), *ISSUE.findall(text)}
    return Finding(
        path,
        statement,
        **head.groupdict(),
        code=code,
        printed="\n".join(printed),
        issues=tuple(sorted(known)),
    )


def page(found: Sequence[Finding]) -> str:
    """The page: a table, and the scripts."""
    rows = ["| | library | severity | upstream |", "|---|---|---|---|"]
    rows += [
        f"| [{f.statement}](#{f.name.replace('/', '')}) | {f.library} {f.version} | {f.severity} | {f.upstream} |"
        for f in found
    ]
    parts = [START, f"{len(found)} findings in {len({f.library for f in found})} libraries.\n", "\n".join(rows) + "\n"]
    for f in found:
        about = f"{f.statement}\n\n{f.library} {f.version}, {f.severity}, first seen {f.seen}, {f.upstream}."
        parts.append(f"## {f.name}\n\n{about}\n\n```python\n{f.code}\n```\n")
    return "\n".join(parts)


def run(finding: Finding, python: str) -> str | None:
    """What is wrong with a script's output, in a clean process of some interpreter; None: it is as it says."""
    done = subprocess.run([python, "-I", finding.path], capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
    printed = done.stdout.rstrip("\n")
    return None if printed == finding.printed and not done.returncode else f"{printed}\n{done.stderr[-500:]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or run scripts; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python tools/findings.py", description=main.__doc__)
    parser.add_argument("--run", metavar="LIBRARY", nargs="+", help="run the scripts of these libraries instead")
    parser.add_argument("--python", default=sys.executable, help="with this interpreter")
    options = parser.parse_args(arguments)
    if not options.run:
        PAGE.write_text(page(findings()), "utf-8")
        return 0
    wrong = 0
    for finding in (f for f in findings() if f.library in options.run):
        complaint = run(finding, options.python)
        print(f"{'as said' if complaint is None else 'OTHERWISE'}: {finding.name}")
        if complaint is not None:
            print(complaint)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
