"""The documentation: what it says is done and compared, and the diagram is what the modules import."""

import os
import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from test_imports import SUITE, graph, mapped

from composites.page import INTRODUCTION, ONLY

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: A fenced block: its first line without the fence, and what is in it.
BLOCK = re.compile(r"^```(\w+.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def environment(folder, programs):
    """An environment in which the programs that pages call are those of this interpreter."""
    folder.mkdir()
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def done(command, folder, environment):
    """A command that ran in a folder."""
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize(("page", "commands"), [("tutorial.md", 4), ("explanation/allclose.md", 1)])
def test_a_page_prints_what_it_says(tmp_path, page, commands):
    python = {"python": f'exec "{sys.executable}" "$@"', "xent": f'exec "{sys.executable}" -m xent_conformance "$@"'}
    folder = tmp_path / "new"
    folder.mkdir()
    inside = environment(tmp_path / "bin", python)
    text = (DOCS / page).read_text("utf-8")
    compared = 0
    for kind, content in BLOCK.findall(text):
        if name := re.fullmatch(r'python title="(\w+\.py)"', kind):
            (folder / name[1]).write_text(content, "utf-8")
            continue
        assert kind == "console"
        command, _, expected = content.removeprefix("$ ").partition("\n")
        ran = done(command, folder, inside)
        assert ran.stdout.replace(f"report: {folder}/", "report: ") == expected, (command, ran.stderr)
        compared += 1
        if command.startswith("xent"):
            summary = (folder / "xent-report" / "summary.md").read_text("utf-8")
            script = re.search(r"```python\n(.*?)```", summary, re.DOTALL)
            assert script is None or script[1] in text
    assert compared == commands


#: What the how-to pages call by name.
KERNEL = """
import numpy as np

def loss(logits, target, reduction="mean"):
    x, t = np.asarray(logits, dtype=np.float64), np.asarray(target)
    shifted = x - x.max(axis=1, keepdims=True)
    rows = np.log(np.exp(shifted).sum(axis=1)) - np.take_along_axis(shifted, t[:, None], axis=1)[:, 0]
    rows = rows.astype(logits.dtype)
    return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()
"""
TORCH_KERNELS = """
from torch.nn.functional import cross_entropy as fused_cross_entropy
loss = fused_cross_entropy

def fused(hidden, weight, target, reduction="mean"):
    return fused_cross_entropy(hidden @ weight.T, target, reduction=reduction)

fused_linear_loss = fused
"""
JAX_LOSSES = """
import jax, jax.numpy as jnp

def cross_entropy(logits, target, reduction="mean"):
    rows = -jnp.take_along_axis(jax.nn.log_softmax(logits, axis=1), target[:, None], axis=1)[:, 0]
    return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()
"""
#: A run judges one requirement and dtype, unless it asks for others.
NARROWED = """\
case "$*" in *--only*) ;; run*) set -- "$@" --only accuracy.loss ;; esac
case "$*" in *--profile*) ;; run*) set -- "$@" --profile quick ;; esac
case "$*" in *--dtypes*) ;; run*) set -- "$@" --dtypes float32 ;; esac
"""


def how_to_blocks():
    """Console blocks of the how-to pages with what stands before each."""
    for path in sorted((DOCS / "how-to").glob("*.md")):
        before = ""
        for part in re.split(r"^(```console\n(?:.*\n)*?```)$", path.read_text("utf-8"), flags=re.MULTILINE):
            if part.startswith("```console"):
                yield path, before, [line[2:] for line in part.splitlines() if line.startswith("$ ")]
            before = part


def test_a_command_of_a_how_to_page_that_is_not_run_says_why():
    marked = [re.search(r"<!-- not run: (.*) -->\n\Z", before) for _, before, _ in how_to_blocks()]
    assert all(len(match[1]) > 10 for match in marked if match)


def test_the_adapter_with_conventions_declares_them():
    blocks = dict(BLOCK.findall((DOCS / "how-to" / "conventions.md").read_text("utf-8")))
    defined = {}
    exec(blocks["python"], defined)
    assert defined["MyBackend"].capabilities.conventions.mean_divisor == "valid_rows"


@pytest.mark.parametrize("page", sorted(path.name for path in (DOCS / "how-to").glob("*.md")))
def test_the_commands_of_a_how_to_page_work(tmp_path, page):
    """Exit code 0 or 1, never wrong use and never broken. Runs are narrowed: the pages are about options."""
    xent = f'{NARROWED}exec "{sys.executable}" -m xent_conformance "$@"'
    inside = environment(tmp_path / "bin", {"xent": xent, "pytest": f'exec "{sys.executable}" -m pytest "$@"'})
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "my_kernel.py").write_text(KERNEL)
    (folder / "my_kernels.py").write_text(TORCH_KERNELS)
    (folder / "my_losses.py").write_text(JAX_LOSSES)
    assert done("xent new my_backend.py" if page != "adapter.md" else "true", folder, inside).returncode == 0
    shutil.copytree(ROOT / "tests" / "mutants", folder / "tests" / "mutants")
    if page == "ci.md":
        assert done("xent run numpy:my_kernel.loss --output baseline", folder, inside).returncode in {0, 1}
    tried = 0
    for path, before, commands in how_to_blocks():
        if path.name != page or before.rstrip().endswith("-->"):
            continue
        for command in commands:
            if any(find_spec(name) is None for name in re.findall(r"\b(torch|jax|scipy)[:.]", command)):
                continue
            ran = done(command, folder, inside)
            assert ran.returncode in {0, 1}, (command, ran.stdout[-2000:], ran.stderr[-2000:])
            assert "Traceback" not in ran.stderr, command
            tried += 1
    assert tried or page == "gpu.md"


def test_the_examples_of_causes_are_those_that_are_planted():
    """The page has as many causes as faults for each, and the README shows the first of them as the page does."""
    text = (DOCS / "explanation" / "causes.md").read_text("utf-8")
    assert text.startswith(INTRODUCTION.format(only=ONLY))
    source = (ROOT / "tests" / "composites" / "examples.py").read_text("utf-8")
    names = ["three", *re.findall(r'^    "(\w+)": \("', source, re.MULTILINE)]
    sections = text.split("\n## ")[1:]
    assert len(sections) == len(names) == 5
    for name, section in zip(names, sections, strict=True):
        planted = section.partition("```console")[0].count("\n- ")
        printed = re.search(r"```console\n\$ (.*)\n((?:.*\n)*?)```", section)
        assert f"examples.py:{name} " in printed[1]
        assert printed[2].startswith(f"{planted} causes, ")
        assert len(re.findall(r"^✗ fail ", printed[2], re.MULTILINE)) == planted
    assert len(sections[0].partition("```console\n")[2].splitlines()) <= 1 + 15
    assert sections[0].partition("--only $REQUIREMENTS\n")[2].partition("```")[0] in (ROOT / "README.md").read_text(
        "utf-8"
    )


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
    """`PYTHONPATH=tests/house python tools/architecture.py > docs/explanation/architecture.svg` makes it anew."""
    specification = spec_from_file_location("architecture", ROOT / "tools" / "architecture.py")
    tool = module_from_spec(specification)
    specification.loader.exec_module(tool)
    folders, edges = imported()
    picture = (DOCS / "explanation" / "architecture.svg").read_text("utf-8")
    assert picture == tool.drawn(folders, edges)
    assert set(re.findall(r">(\w+)</text>", picture)) == folders
    (said,) = re.findall(r"<title>Folders of the suite: (.*)</title>", picture)
    assert {tuple(pair.split(" imports ")) for pair in said.split("; ")} == edges


def test_every_page_is_in_the_navigation_and_every_link_within_the_pages_leads_somewhere():
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    _, _, navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")
    assert set(re.findall(r"- ([\w/-]+\.md)$", navigation, re.MULTILINE)) == pages
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+\.md)[^)]*\)", (DOCS / page).read_text("utf-8")):
            assert ((DOCS / page).parent / link).is_file(), (page, link)


def test_the_reference_lists_every_command():
    listed = re.findall(r"^\| `xent (\w+)", (DOCS / "reference" / "command-line.md").read_text("utf-8"), re.MULTILINE)
    ran = subprocess.run([sys.executable, "-m", "xent_conformance"], capture_output=True, text=True, check=False)
    commands, _, _ = ran.stdout.partition("\nexamples:")
    assert sorted(listed) == sorted(re.findall(r"^    (\w+)\b", commands.partition("COMMAND\n")[2], re.MULTILINE))
