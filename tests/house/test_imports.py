"""Which module imports which: the order that CONTRIBUTING's map of the suite is written in."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE, BACKENDS, REPORTS = (
    ROOT / place for place in ("conformance/xent_conformance", "backends/xent_backends", "reports/xent_reports")
)
#: Dependencies that are imported by another name than they are installed by.
IMPORTED_AS = {"python-flint": "flint"}
#: The dependency that only reports have.
RENDERER = "jinja2"


def mapped() -> dict[str, int]:
    """Each folder and module of the suite with the number of its line in the map."""
    _, _, after = (ROOT / "CONTRIBUTING.md").read_text().partition(f"{SUITE.relative_to(ROOT)}/ ")
    lines = re.match(r".*\n((?:    .*\n)+)", after)
    assert lines is not None
    places = [re.match(r"    ((?:\w+(?:/|\.py) +)+)", line) for line in lines[1].splitlines()]
    return {re.split(r"\W", name)[0]: n for n, found in enumerate(places) if found for name in found[1].split()}


def modules(package: Path) -> dict[str, Path]:
    """The modules of a package by their full names."""
    paths = {path.relative_to(package.parent).with_suffix(""): path for path in package.rglob("*.py")}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in paths.items()}


def imports(path: Path, known: Iterable[str] = ()) -> set[str]:
    """What a module imports at run time, in functions too: modules, where ``known`` says that a name is one."""

    def found(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from names & {*known} or {node.module or ""}
        types_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in node.orelse if types_only else ast.iter_child_nodes(node):
            yield from found(child)

    return set(found(ast.parse(path.read_text())))


def graph(package: Path) -> dict[str, set[str]]:
    """Each module of a package with those of the same package that it imports."""
    known = modules(package)
    return {name: imports(path, known) & {*known} for name, path in known.items()}


def wrong_way(package: Path, order: dict[str, int]) -> list[str]:
    """Imports of a module that stands further down in the order."""

    def line(module: str) -> int:
        parts = module.split(".")
        return order[parts[1]] if len(parts) > 1 else -1

    return sorted(f"{a} imports {b}" for a, used in graph(package).items() for b in used if line(b) > line(a))


def test_the_map_has_every_module_and_folder_of_the_suite_and_no_other():
    there = {name.split(".")[1] for name in modules(SUITE) if "." in name}
    assert {*mapped()} == there


def test_no_module_imports_what_stands_further_down_in_the_map():
    assert wrong_way(SUITE, mapped()) == []


def test_no_module_imports_one_that_imports_it():
    # TopologicalSorter raises CycleError, which names the modules.
    assert [*TopologicalSorter(graph(SUITE)).static_order()]


@pytest.mark.parametrize(
    "written",
    [
        "import suite.high.b",
        "from suite.high import b",
        "from suite.high.b import name",
        "def f():\n  import suite.high.b",
    ],
)
def test_an_import_the_wrong_way_is_seen(tmp_path, written):
    files = {"__init__": "", "low/__init__": "", "low/a": written, "high/__init__": "", "high/b": "import suite.low.a"}
    for name, text in files.items():
        (tmp_path / "suite" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "suite" / f"{name}.py").write_text(text)
    assert wrong_way(tmp_path / "suite", {"low": 0, "high": 1}) == ["suite.low.a imports suite.high.b"]
    assert wrong_way(tmp_path / "suite", {"low": 1, "high": 1}) == []


def test_an_import_for_types_alone_is_none(tmp_path):
    module = tmp_path / "a.py"
    module.write_text("if TYPE_CHECKING:\n    import high\nelse:\n    import low\n")
    assert imports(module) == {"low"}


def test_no_module_imports_one_of_requirements():
    requirements = {name for name in modules(SUITE) if name.startswith("xent_conformance.requirements.test_")}
    assert requirements
    assert [name for name, used in graph(SUITE).items() if used & requirements] == []


def test_the_suite_imports_no_backend_no_framework_and_no_renderer():
    used = {name.partition(".")[0] for path in modules(SUITE).values() for name in imports(path)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = {re.split("[<>=]", line)[0] for line in project["dependencies"]} - {RENDERER}
    needed = {IMPORTED_AS.get(name, name) for name in installed}
    assert used - {*sys.stdlib_module_names} == {"xent_conformance", *needed}


def test_backends_import_the_interface_and_what_it_is_made_of():
    suite, allowed = graph(SUITE), {"xent_conformance.interface"}
    while more := {used for name in allowed for used in suite[name]} - allowed:
        allowed |= more
    used = {name for path in modules(BACKENDS).values() for name in imports(path, modules(SUITE))}
    assert {name for name in used if name.startswith(("xent_conformance", "xent_reports"))} <= allowed


def test_reports_import_records_and_nothing_else_of_the_suite():
    used = {name for path in modules(REPORTS).values() for name in imports(path, modules(SUITE))}
    other = {name for name in used if name.startswith(("xent_conformance", "xent_backends"))}
    assert {name for name in other if not name.startswith("xent_conformance.records.")} == set()
