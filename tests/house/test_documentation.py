"""The documentation: what the tutorial says is done and compared, and the diagram is what the modules import."""

import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

from test_imports import SUITE, graph, mapped

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: A fenced block: its first line without the fence, and what is in it.
BLOCK = re.compile(r"^```(\w+.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def test_the_tutorial_prints_what_it_says(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, module in (("python", ""), ("xent", "-m xent_conformance")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (programs / name).chmod(0o755)
    folder = tmp_path / "new"
    folder.mkdir()
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    compared = 0
    for kind, content in BLOCK.findall((DOCS / "tutorial.md").read_text("utf-8")):
        if name := re.fullmatch(r'python title="(\w+\.py)"', kind):
            (folder / name[1]).write_text(content, "utf-8")
            continue
        assert kind == "console"
        command, _, expected = content.removeprefix("$ ").partition("\n")
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.stdout.replace(f"report: {folder}/", "report: ") == expected, (command, done.stderr)
        compared += 1
        if command.startswith("xent"):
            summary = (folder / "xent-report" / "summary.md").read_text("utf-8")
            script = re.search(r"```python\n(.*?)```", summary, re.DOTALL)
            assert script is None or script[1] in (DOCS / "tutorial.md").read_text("utf-8")
    assert compared == 4


def reduced(edges):
    """The edges that no longer path stands for."""
    nodes = {node for edge in edges for node in edge}
    after = {node: {b for a, b in edges if a == node} for node in nodes}
    reached = {}
    for node in TopologicalSorter(after).static_order():
        reached[node] = after[node].union(*(reached[other] for other in after[node]))
    return {(a, b) for a, b in edges if not any(b in reached[other] for other in after[a] - {b})}


def imported():
    """Folders of the suite, and which imports which, as few as say it."""
    folders = {name for name in mapped() if (SUITE / name).is_dir()}
    used = ((a, b) for a, those in graph(SUITE).items() for b in those if "." in a and "." in b)
    pairs = {(a.split(".")[1], b.split(".")[1]) for a, b in used}
    return folders, reduced({(a, b) for a, b in pairs if a != b and {a, b} <= folders})


def test_the_diagram_has_the_folders_of_the_map_and_what_they_import():
    text = (DOCS / "explanation" / "architecture.md").read_text("utf-8")
    (diagram,) = (content for kind, content in BLOCK.findall(text) if kind == "mermaid")
    folders, edges = imported()
    assert {tuple(line.split(" --> ")) for line in re.findall(r"^ +(\w+ --> \w+)$", diagram, re.MULTILINE)} == edges
    assert set(re.findall(r"\w+", diagram)) - {"flowchart", "BT"} == folders


def test_every_page_is_in_the_navigation_and_every_link_within_the_pages_leads_somewhere():
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    _, _, navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")
    assert set(re.findall(r"- ([\w/-]+\.md)$", navigation, re.MULTILINE)) == pages
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+\.md)[^)]*\)", (DOCS / page).read_text("utf-8")):
            assert ((DOCS / page).parent / link).is_file(), (page, link)


def test_the_reference_lists_every_command():
    listed = re.findall(r"^\| `xent (\w+)", (DOCS / "reference" / "command-line.md").read_text("utf-8"), re.MULTILINE)
    done = subprocess.run([sys.executable, "-m", "xent_conformance"], capture_output=True, text=True, check=False)
    commands, _, _ = done.stdout.partition("\nexamples:")
    assert sorted(listed) == sorted(re.findall(r"^    (\w+)\b", commands.partition("COMMAND\n")[2], re.MULTILINE))
