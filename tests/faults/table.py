"""The table of faults that a run survives, as Markdown: ``PYTHONPATH=tests python -m faults.table``."""

from importlib import import_module

from faults.catalogue import MODULES

HEAD = """\
# Faults survived

Written by `PYTHONPATH=tests python -m faults.table > tests/faults/SURVIVED.md` from the catalogue in this folder, which
`pytest tests/faults` runs: each line is a test. After every fault all other requirements of the run have the verdicts
of a clean run, and the record is complete.
"""


def survived() -> str:
    """The page."""
    parts = [HEAD]
    for name in MODULES:
        module = import_module(f"faults.{name}")
        title = module.__doc__.splitlines()[0].rstrip(".")
        parts.append(f"\n## {title}\n\n| fault | what it does | what the run says |\n|---|---|---|\n")
        parts += [f"| {f.name} | {f.does} | {f.expected} |\n" for f in module.FAULTS]
    return "".join(parts)


if __name__ == "__main__":
    print(survived(), end="")
