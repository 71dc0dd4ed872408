"""What users install, and that the documents say what is true."""

import importlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import xent_conformance
from xent_conformance.conventions import Conventions
from xent_conformance.requirements.registry import load
from xent_conformance.spec import specification

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this repository."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_exactly_the_three_packages(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    packages = {name for name in top if not name.endswith(".dist-info")}
    assert packages == {"xent_conformance", "xent_backends", "xent_reports"}
    for needed in (
        "xent_conformance/py.typed",
        "xent_backends/py.typed",
        "xent_reports/py.typed",
        "xent_conformance/records/record.schema.json",
        "xent_conformance/new_backend.py.txt",
        "xent_conformance/semantics.md",
        "xent_backends/deviations/torch.toml",
        "xent_reports/templates/report.html.j2",
    ):
        assert needed in names
    assert not [name for name in names if "screenshot" in name or name.endswith(".png")]


def test_the_description_of_the_wheel_is_the_readme(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    (name,) = (name for name in names if name.endswith("/METADATA"))
    head, _, description = zipfile.ZipFile(wheel).read(name).decode("utf-8").partition("\n\n")
    assert description == (ROOT / "README.md").read_text("utf-8")
    assert "Description-Content-Type: text/markdown" in head
    # No host of the repository is known in it: see the next test.
    assert "Project-URL" not in head


def test_a_release_has_no_relative_link(monkeypatch):
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    monkeypatch.syspath_prepend(ROOT)
    hook = importlib.import_module("hatch_build")
    monkeypatch.setenv(hook.VARIABLE, "https://example.org/xent/")
    metadata = {}
    hook.CustomMetadataHook(str(ROOT), {}).update(metadata)
    written, text = (ROOT / "README.md").read_text("utf-8"), metadata["readme"]["text"]
    place = f"v{xent_conformance.__version__}/reports/published"
    first = f"](https://example.org/xent/raw/{place}/report.png)](https://example.org/xent/blob/{place})"
    assert first in text
    assert re.sub(r"https://example\.org/xent/(raw|blob)/v[^/]+/", "", text) == written
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", text) == []
    assert all(url.startswith("https://example.org/xent") for url in metadata["urls"].values())


def test_the_wheel_runs_outside_of_the_repository(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    commands = [["list", "--spec"], ["explain", "accuracy.loss"], ["new", "mine.py"]]
    commands.append(["run", "./mine.py", "--profile", "quick", "--dtypes", "float32", "--only", "identities.softplus"])
    run = "import sys, xent_reports; from xent_conformance.cli import main; code = main(); print(xent_reports.__file__)"
    for arguments in commands:
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"{run}; sys.exit(code)", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert (done.returncode, done.stderr) == (0, ""), arguments
        assert done.stdout.splitlines()[-1].startswith(str(site))
    assert "<h1>" in (tmp_path / "xent-report" / "index.html").read_text("utf-8")


def test_spec_is_what_the_registry_says():
    written = (ROOT / "conformance" / "SPEC.md").read_text("utf-8")
    assert written == specification(load().values()), "run: xent list --spec > conformance/SPEC.md"


def test_the_specification_has_every_convention_with_its_choices():
    table = re.search(r"## 5\. Conventions(.*?)## 6", specification(load().values()), re.DOTALL)
    rows = [line for line in table[1].splitlines() if line.startswith("| `")]
    hints = get_type_hints(Conventions)
    for name, default in Conventions().choices().items():
        (row,) = (row for row in rows if f"`{name}`" in row)
        assert default in row
        assert all(choice in row for choice in get_args(hints[name]))


def test_arrows_between_the_packages_point_one_way():
    def imports(folder):
        lines = (line for path in (ROOT / folder).rglob("*.py") for line in path.read_text("utf-8").splitlines())
        return {m[1] for line in lines if (m := re.match(r"\s*(?:from|import) (xent_\w+(?:\.\w+)?)", line))}

    assert not {m for m in imports("conformance") if m.startswith(("xent_backends", "xent_reports"))}
    of_suite = {m for m in imports("backends") if m.startswith("xent_conformance")}
    assert of_suite <= {f"xent_conformance.{m}" for m in ("interface", "conventions", "formats", "problem")}
    of_records = {m for m in imports("reports") if m.startswith("xent_conformance")}
    assert of_records <= {f"xent_conformance.{m}" for m in ("records",)}


def test_no_framework_is_imported_outside_its_own_module():
    for path in (ROOT / "conformance").rglob("*.py"):
        text = path.read_text("utf-8")
        assert not re.search(r"^\s*(?:from|import) (?:torch|jax)\b", text, re.MULTILINE), path


def test_readme_commands_are_where_ci_looks_for_them():
    readme = (ROOT / "README.md").read_text("utf-8")
    for marker in ("run", "tests"):
        section = re.search(rf"<!-- {marker} -->(.*?)<!-- /{marker} -->", readme, re.DOTALL)
        assert section, marker
        assert len(re.findall(r"^\$ ", section[1], re.MULTILINE)) == 1


def test_every_reference_of_a_requirement_is_a_link():
    for requirement in load().values():
        assert all(link.startswith("https://") for link in requirement.references), requirement.id
