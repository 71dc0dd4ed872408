"""Compiled templates: read while they are current, made anew otherwise, and never needed."""

import sys

import pytest
import records
from jinja2 import Environment, FileSystemLoader

import xent_reports
from xent_reports import compiled, html


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A folder of this test's own for what Python compiles."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def names(monkeypatch):
    """The names of the templates that are compiled from now on."""
    made, compile_ = [], Environment.compile
    monkeypatch.setattr(Environment, "compile", lambda *a, **k: made.append(a[2]) or compile_(*a, **k))
    return made


@pytest.fixture
def render(tmp_path, monkeypatch):
    """Renders a template as a new process would."""
    templates, module = tmp_path / "templates", tmp_path / "module.py"
    templates.mkdir()
    templates.joinpath("a.j2").write_text("{% include 'b.j2' %} of {{ count }}")
    templates.joinpath("b.j2").write_text("all")
    module.touch()
    monkeypatch.setattr(compiled, "TEMPLATES", templates)

    def rendered():
        cache = compiled.CompiledTemplates(module)
        return (
            Environment(loader=FileSystemLoader(templates), bytecode_cache=cache).get_template("a.j2").render(count=3)
        )

    return rendered


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_second_page_compiles_no_template_and_is_the_same(names, tmp_path):
    record = records.written(tmp_path / "record.jsonl", *records.large(1, 4, 1))
    pages = []
    for _ in range(2):
        html._environment.cache_clear()
        pages.append(xent_reports.render(record, tmp_path / "page").read_text("utf-8"))
        assert names.count("report.html.j2") == 1
    assert pages[0] == pages[1]
    assert len(names) == len(set(names))
    html._environment.cache_clear()


@pytest.mark.parametrize("content", ["empty", "other", "cut short", "one bit changed", "of another template"])
def test_a_damaged_file_is_compiled_anew(render, names, cache, content):
    render()
    first, last = files_in(cache)
    good = first.read_bytes()
    changed = {
        "empty": b"",
        "other": b"\0" * 100,
        "cut short": good[:-10],
        "one bit changed": good[:-1] + bytes([good[-1] ^ 1]),
        "of another template": last.read_bytes(),
    }
    first.write_bytes(changed[content])
    assert render() == "all of 3"
    assert names == ["a.j2", "b.j2", "a.j2"]
    assert first.read_bytes() == good


@pytest.mark.parametrize("changed", ["module.py", "templates/a.j2"])
def test_what_has_changed_is_compiled_anew(render, names, tmp_path, changed):
    render()
    with (tmp_path / changed).open("a") as file:
        file.write(" changed")
    assert render() == ("all of 3 changed" if changed.endswith("j2") else "all of 3")
    assert names.count("a.j2") == 2


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(render, names, cache):
    cache.touch()
    assert render() == render() == "all of 3"
    assert names == ["a.j2", "b.j2"] * 2


def test_nothing_is_written_where_python_writes_no_compiled_modules(render, names, monkeypatch, cache):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert render() == render() == "all of 3"
    assert names == ["a.j2", "b.j2"] * 2
    assert files_in(cache) == []


def test_templates_in_an_archive_are_compiled_each_time(render, names, monkeypatch, tmp_path):
    (tmp_path / "suite.zip").touch()
    monkeypatch.setattr(compiled, "TEMPLATES", tmp_path / "suite.zip" / "templates")
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert render() == render() == "all of 3"
    assert names == ["a.j2", "b.j2"] * 2
