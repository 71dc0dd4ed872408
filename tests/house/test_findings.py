"""The page of findings is what its scripts and the deviation files say."""

import pytest

import findings


def test_the_page_is_up_to_date():
    assert findings.PAGE.read_text("utf-8") == findings.page(findings.findings()), "run python tools/findings.py"


@pytest.mark.parametrize("path", sorted(findings.SCRIPTS.rglob("*.py")), ids=lambda path: path.stem)
def test_each_script_compiles_and_imports_nothing_of_ours(path):
    text = path.read_text("utf-8")
    compile(text, str(path), "exec")
    assert "xent_" not in text


def test_each_finding_is_named_by_a_deviation_or_says_why_not_and_each_name_is_a_finding():
    every = findings.findings()
    unlisted = {f.name for f in every if "\n# not listed: " in f.path.read_text("utf-8")}
    assert {name for _, name, _ in findings.named()} == {f.name for f in every} - unlisted


def test_a_script_without_its_line_or_what_it_prints_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(findings, "SCRIPTS", tmp_path)
    script = tmp_path / "a.py"
    head = "# torch 2.13.0: wrong number, first seen 2026-11-28\n"
    for text in ('"""No line."""\n# prints: 1\n', f'"""No output."""\n{head}', f"{head}# prints: 1\n"):
        script.write_text(text)
        with pytest.raises(ValueError, match="no "):
            findings.findings()
    script.write_text(f'"""One is two."""\n{head}print(1)\n# prints: 1\n')
    (found,) = findings.findings()
    assert (found.statement, found.code, found.printed) == ("One is two.", "print(1)\n# prints: 1", "1")
    assert findings.run(found, findings.sys.executable) is None
    script.write_text(f'"""One is two."""\n{head}print(1)\n# prints: 2\n')
    assert findings.run(findings.findings()[0], findings.sys.executable) is not None
