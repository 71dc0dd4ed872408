"""The pytest plugin: ordinary items, options with one prefix, nothing heavy in an unrelated run."""

import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest
from test_deviations import DROPPED, ENTRY


def run_pytest(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_requirements_are_items_of_ones_own_suite(tmp_path):
    done = run_pytest(
        tmp_path,
        "--pyargs",
        "xent_conformance.requirements",
        "--xent-backend=numpy",
        "--xent-profile=quick",
        "-k",
        "labels-out-of-range or purity.repeatable",
        "-v",
    )
    assert done.returncode == 0, done.stdout
    assert "::purity.repeatable[numpy-bfloat16] PASSED" in done.stdout
    assert "::invalid_calls.labels-out-of-range[numpy-float32] PASSED" in done.stdout
    assert "8 passed" in done.stdout


def test_no_backend_is_a_usage_error_that_says_so(tmp_path):
    done = run_pytest(tmp_path, "--pyargs", "xent_conformance.requirements")
    assert "choose a backend: --xent-backend" in done.stdout + done.stderr
    assert "1 error in" in done.stdout
    assert done.returncode in (2, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--xent-backend=nope"], "known: autograd, jax, jax-eager"),
        (["--xent-backend=numpy", "--xent-backend=./broken.py"], "ZeroDivisionError"),
        (["--xent-backend=numpy", "--xent-timeout=0"], "a timeout is"),
    ],
)
def test_what_cannot_be_judged_is_said_once_and_nothing_is_collected(tmp_path, arguments, message):
    (tmp_path / "broken.py").write_text("1 / 0")
    done = run_pytest(tmp_path, "--pyargs", "xent_conformance.requirements", *arguments)
    assert (done.stdout + done.stderr).count(message) == 1
    assert done.returncode == 4


def test_every_option_begins_with_the_prefix(pytestconfig):
    parser = pytestconfig._parser
    (group,) = [g for g in parser._groups if g.name == "xent"]
    assert all(name.startswith("--xent-") for option in group.options for name in option.names())


@pytest.mark.parametrize("module", ["xent_conformance", "xent_conformance.plugin"])
def test_importing_pulls_in_nothing_heavy(module):
    code = f"import sys, {module}; print([m for m in ('numpy', 'hypothesis', 'torch', 'jax') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_failing_item_says_what_is_wrong_and_how_to_see_it_again(tmp_path, adapter, workers):
    path = adapter(changes={"if logits.dtype not in (np.float32, np.float64):": "if logits.dtype == complex:"})
    chosen = (f"--xent-backend={path}", "--xent-profile=quick", "--xent-only=dtypes,weights", "--junitxml=items.xml")
    if workers:
        pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    done = run_pytest(tmp_path, "--pyargs", "xent_conformance.requirements", *chosen, *workers)
    assert done.returncode == 1
    assert "::dtypes.logits-must-be-floating[my-backend-all]" in done.stdout
    assert "xent run ./my_backend.py --only dtypes.logits-must-be-floating --output xent-dtypes" in done.stdout
    items = ET.parse(tmp_path / "items.xml").getroot().iter("testcase")
    properties = [{p.get("name"): p.get("value") for p in item.iter("property")} for item in items]
    count, *told = ET.parse(tmp_path / "items.xml").getroot().findall("testsuite/properties/property")
    assert (count.get("value"), len(told)) == ("1 cause, 1 requirement", 1)
    assert f" {count.get('value')} " in done.stdout
    assert all(cause.get("value") in done.stdout for cause in told)
    assert {"fail", "pass", "vacuous"} <= {found["status"] for found in properties}
    for found in properties:
        assert set(found) == {"backend", "requirement", "dtype", "status", "level", "ratio"}
        assert not any("{" in value for value in found.values())


def test_a_known_deviation_is_an_expected_failure(tmp_path, adapter):
    (tmp_path / "deviations").mkdir()
    (tmp_path / "deviations" / "my-backend.toml").write_text(ENTRY.format(where='"weight"', last=3.0))
    path = adapter(changes=DROPPED)
    chosen = (f"--xent-backend={path}", "--xent-only=accuracy.loss", "--xent-dtypes=float32")
    done = run_pytest(tmp_path, "-rx", "--pyargs", "xent_conformance.requirements", *chosen)
    assert done.returncode == 0, done.stdout
    assert "1 xfailed" in done.stdout
    assert "known deviation: with weights the last class is missing" in done.stdout
