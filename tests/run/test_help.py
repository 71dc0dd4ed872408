"""The command line explains itself: help with examples and exit codes, and what was meant by a name that is wrong."""

import argparse
import subprocess
import sys
from pathlib import PosixPath

import pytest

from xent_conformance import parser
from xent_conformance.cli import main
from xent_conformance.records.status import BROKEN, FAILED, OK, USAGE

COMMANDS = (
    *(
        "run",
        "watch",
        "list",
        "explain",
        "report",
        "merge",
        "diff",
        "new",
        "deviations",
        "mutants",
        "campaign",
        "coverage",
    ),
    *("vectors", "bench"),
)


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    """Run a command in this process; returns its exit code and what it has printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def parsers():
    """All parsers by the name of their command."""
    found = {}
    build = argparse._SubParsersAction.add_parser

    def add_parser(self, name, **options):
        found[name] = build(self, name, **options)
        return found[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse._SubParsersAction, "add_parser", add_parser)
        with pytest.raises(SystemExit):
            parser.parse([])
    return found


def test_without_a_command_the_help_is_printed_and_the_exit_code_is_that_of_wrong_use(said):
    code, out, err = said()
    assert (code, err) == (USAGE, "")
    assert "examples:\n  xent run torch" in out
    assert "exit codes:" in out
    for command in COMMANDS:
        assert f"\n    {command}" in out


def test_every_option_of_every_command_says_what_it_is_for(capsys):
    found = parsers()
    capsys.readouterr()
    assert set(found) == set(COMMANDS)
    for name, command in found.items():
        assert command.description, name
        for action in command._actions:
            assert action.help, f"{name} {action.dest}"
            if type(action.default) in (int, float, str, PosixPath) and action.dest != "help" and action.option_strings:
                default = str(action.default)
                assert not default or f"(default: {default})" in action.help.replace("./", ""), f"{name} {action.dest}"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_its_exit_codes(said, command):
    code, out, _ = said(command, "--help")
    assert code == 0
    codes = [OK, FAILED, USAGE, BROKEN]
    if command not in ("run", "watch", "diff", "mutants", "campaign", "bench"):
        codes.remove(FAILED)
    if command == "diff":
        codes.remove(BROKEN)
    listed = out.partition("\nexit codes")[2].splitlines()
    assert [line.split()[0] for line in listed if line.strip()][-len(codes) :] == [str(code) for code in codes]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu", "numpy"], "unknown command 'rnu'; did you mean 'run'?"),
        (["sing"], "unknown command 'sing'; there are run, watch, list, explain,"),
        (["run", "numpy", "--profil", "quick"], "unrecognized argument '--profil'; did you mean '--profile'?"),
        (["run", "numpy", "--outptu=x"], "did you mean '--output'?"),
        (["list", "numpy"], "unrecognized argument 'numpy'"),
        (["--verson"], "unrecognized argument '--verson'; did you mean '--version'?"),
        (["--"], "xent: "),
        (["--profile", "list"], "unrecognized argument '--profile'"),
        (["run"], "required: BACKEND"),
        (["run", "numqy"], "did you mean 'numpy'? A file is given as ./numqy.py"),
        (["run", "a.b"], "A callable is given with its framework, jax:a.b or numpy:a.b or torch:a.b"),
        (["run", "torhc:a.b"], "did you mean 'torch'?"),
        (["run", "numpy:numpy.summ"], "numpy has no 'summ'; did you mean 'sum'"),
        (["run", "numpy", "--only", "softplus"], "unknown requirement softplus; did you mean 'identities.softplus'?"),
        (["run", "numpy", "--only", "accuracy,gradeints.*"], "unknown requirement gradeints.*"),
        (["run", "numpy", "--dtypes", "Float32"], "unknown dtypes Float32; did you mean 'float32'"),
        (["run", "numpy", "--profile", "thorogh"], "did you mean 'thorough'?"),
        (["explain", "accuracy.los"], "did you mean 'accuracy.loss'"),
    ],
)
def test_a_wrong_name_is_one_line_with_the_one_that_was_meant(said, arguments, message):
    code, out, err = said(*arguments)
    assert (code, out) == (USAGE, "")
    assert message in err
    assert err.startswith("xent: ")
    assert len(err.splitlines()) == 1


def test_the_package_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "xent_conformance", "list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "accuracy.loss" in done.stdout


def test_patterns_select_requirements(xent, adapter, verdicts):
    done = xent(
        "run", adapter(), "--profile", "quick", "--dtypes", "float32", "--only", "*.softpl*,weights.[ct]*,edges"
    )
    assert done.returncode == 0, done.stderr
    judged = {v["requirement"] for v in verdicts()}
    assert {"identities.softplus", "weights.constant", "weights.total-weight-zero", "edges.empty-batch"} <= judged
    assert not {r for r in judged if r.startswith(("accuracy", "identities.s")) and r != "identities.softplus"}


def test_explain_has_statement_formula_references_and_commands(said, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = said("explain", "weights.total-weight-zero")
    assert code == 0
    for text in (
        "weights.total-weight-zero (MUST, since 0.1.0)",
        "\nStatement\n",
        "2.3 `none` gives the losses in the shape of the rows",
        "Backends that claim class weights.",
        "  https://",
        "  xent run BACKEND --only weights.total-weight-zero\n",
        "Conventions(zero_weight_loss=...)",
        "One of nan, zero; nan by default.",
    ):
        assert text in out
    _, both, _ = said("explain", "identities.soft*")
    assert "identities.softplus (MUST" in both
    assert "identities.softmax-rows-sum-to-one (MUST" in both
