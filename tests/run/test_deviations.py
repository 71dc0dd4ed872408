"""Known deviations: excused within their domain, an error once they are stale, checked as files."""

import pytest

from xent_conformance.verdicts import deviations
from xent_conformance.verdicts.deviations import DeviationError

DROPPED = {
    "np.log(np.exp(shifted).sum(axis=1, keepdims=True))": "np.log("
    "np.exp(shifted[:, : -1 if weight is not None and x.shape[1] > 1 else None]).sum(axis=1, keepdims=True))"
}
ENTRY = """
[[deviation]]
requirement = "accuracy.loss"
where = [{where}]
reason = "with weights the last class is missing from the sum"
issue = "unreported"
[deviation.witness]
logits = [[0.0, {last}]]
target = [0]
weight = [1.0, 1.0]
reduction = "sum"
"""


@pytest.fixture
def listed(tmp_path):
    """Write the deviations of the adapter in this folder."""

    def write(text):
        folder = tmp_path / "deviations"
        folder.mkdir(exist_ok=True)
        (folder / "my-backend.toml").write_text(text)

    return write


ONLY = ("--only", "accuracy.loss", "--dtypes", "float32")


def test_a_known_failure_is_a_deviation_and_the_run_passes(xent, adapter, listed, verdicts):
    path = adapter(changes=DROPPED)
    assert xent("run", path, *ONLY).returncode == 1
    listed(ENTRY.format(where='"weight"', last=3.0))
    assert xent("run", path, *ONLY).returncode == 0
    (verdict,) = verdicts()
    assert verdict["status"] == "deviation"
    assert verdict["excused"] > 0
    assert verdict["deviations"][0]["witness"]["got"] == 0.0


def test_a_failure_outside_the_domain_is_still_a_failure(xent, adapter, listed, verdicts):
    listed(ENTRY.format(where='"weight", "smoothing"', last=3.0))
    assert xent("run", adapter(changes=DROPPED), *ONLY).returncode == 1
    assert verdicts()[0]["status"] == "fail"


def test_an_entry_whose_witness_passes_is_stale_and_an_error(xent, adapter, listed, verdicts):
    listed(ENTRY.format(where='"weight"', last=3.0))
    assert xent("run", adapter(), *ONLY).returncode == 3
    assert verdicts()[0]["status"] == "error"
    assert "stale" in verdicts()[0]["reason"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml", "TOML|expected|Expected"),
        ("[[deviation]]\nrequirement = 'x'\n", "no reason, issue, witness"),
        ("[other]\n", r"\[\[deviation\]\] tables"),
        (ENTRY.format(where='"sideways"', last=1.0), "unknown traits sideways"),
        (ENTRY.format(where="", last=1.0).replace('"unreported"', '"somewhere"'), "https link"),
        (ENTRY.format(where="", last=1.0).replace("target = [0]", "targets = [0]"), "unknown keys|target"),
        (ENTRY.format(where="", last=1.0) + "[deviation.extra]\n", "unknown keys extra"),
        (ENTRY.format(where="", last=1.0).replace("where = []", 'versions = "two"'), "two"),
    ],
)
def test_a_file_that_is_not_right_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(DeviationError, match=message) as error:
        deviations.read(path)
    assert str(path) in str(error.value)


def test_versions_limit_an_entry(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(ENTRY.format(where="", last=1.0).replace("where = []", 'versions = ">=2,<3"'))
    (entry,) = deviations.read(path)
    assert entry.concerns("accuracy.loss", "float32", "2.5+cpu")
    assert not entry.concerns("accuracy.loss", "float32", "3.0")
    assert not entry.concerns("accuracy.softmax", "float32", "2.5")


def test_drafts_excuse_what_failed_and_nothing_else(xent, adapter, verdicts, tmp_path):
    path = adapter(changes=DROPPED)
    assert xent("run", path, *ONLY).returncode == 1
    printed = xent("deviations", path)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert not (tmp_path / "deviations").exists()
    written = xent("deviations", path, "--write")
    assert written.stdout.startswith("1 entry added to ")
    listed = tmp_path / "deviations" / "my-backend.toml"
    assert listed.read_text("utf-8") == printed.stdout
    (entry,) = deviations.read(listed)
    assert (entry.requirements, entry.dtypes, entry.issue) == (("accuracy.loss",), ("float32",), "unreported")
    # Whatever the reduction is.
    assert entry.where == ("weight",)
    assert xent("run", path, *ONLY).returncode == 0
    assert verdicts()[0]["status"] == "deviation"
    assert "nothing to draft" in xent("deviations", path, "--write").stdout
    assert len(deviations.read(listed)) == 1
    # Repaired, the entry is stale.
    assert xent("run", adapter(), *ONLY).returncode == 3


def test_drafts_are_added_behind_what_is_there(xent, adapter, listed, tmp_path):
    path = adapter(changes=DROPPED)
    listed("# mine\n" + ENTRY.format(where='"weight", "spatial"', last=3.0))
    assert xent("run", path, *ONLY).returncode == 1
    assert xent("deviations", path, "--write").returncode == 0
    file = tmp_path / "deviations" / "my-backend.toml"
    assert file.read_text("utf-8").startswith("# mine\n")
    assert [entry.where for entry in deviations.read(file)] == [("weight", "spatial"), ("weight",)]


def test_a_failure_whose_problem_has_no_literals_has_no_draft(xent, adapter):
    parts = "        log_p, _, weights, label ="
    strided = "        if not logits.flags.c_contiguous:\n            logits = -logits\n"
    path = adapter(changes={parts: strided + parts})
    assert xent("run", path, "--profile", "quick", "--only", "layout.loss", "--dtypes", "float32").returncode == 1
    done = xent("deviations", path)
    assert done.returncode == 0
    assert (
        "xent: no draft for layout.loss (float32): a deviation file cannot express the layout or dtypes" in done.stderr
    )
    assert "nothing to draft" in done.stdout


def test_deviations_of_a_callable_are_beside_its_module(xent, tmp_path, verdicts):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "wrong.py").write_text(
        "import numpy as np\n"
        "def loss(input, target, reduction='mean'):\n"
        "    x = input.astype(np.float64)\n"
        "    losses = np.log(np.exp(x[:, :-1]).sum(1)) - x[range(len(target)), target]\n"
        "    return (losses if reduction == 'none' else getattr(losses, reduction)()).astype(input.dtype)\n"
    )
    spec = "numpy:kernels.wrong.loss"
    assert xent("run", spec, *ONLY).returncode == 1, "it is wrong"
    assert xent("deviations", spec, "--write").returncode == 0
    assert [file.suffix for file in (tmp_path / "kernels" / "deviations").iterdir()] == [".toml"]
    xent("run", spec, *ONLY)
    assert verdicts()[0]["excused"]
