"""Exported vectors: what the files hold, that a correct implementation passes, and that wrong ones do not."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import load_file

from xent_backends import numpy_cross_entropy
from xent_conformance.cli import main
from xent_conformance.formats import format_named
from xent_conformance.judging.findings import compare
from xent_conformance.oracle import Exact
from xent_conformance.records.status import OK, USAGE
from xent_conformance.vectors.schema import schema

EXAMPLE = Path(__file__).parents[2] / "examples" / "vectors"
DTYPES = ("float16", "bfloat16", "float32", "float64")
#: What stands in the C implementation, and what stands there instead.
WRONG = {
    "gradients of a mean are not divided": ("(c->reduction == MEAN ? divisor : 1)", "1"),
    "ignored rows count": ("int ignored = c->labels &&", "int ignored = 0 &&"),
    "smoothing leaves the target out": ("+ eps / c->classes", "+ eps / (c->classes > 1 ? c->classes - 1 : 1)"),
    "the largest logit is not subtracted": ("exp((double)x[AT(j)] - x[AT(top)])", "exp(x[AT(j)]) / exp(x[AT(top)])"),
    "the tail of a block of four is left out of the sum": (
        "if (j != top)\n",
        "if (j != top && (j < 4 || j < c->classes / 4 * 4))\n",
    ),
    "the first logit is subtracted": ("if (x[AT(j)] > x[AT(top)])", "if (j < 0)"),
    "gradient of the shares without class weights": ("scale * w * (1 - eps)", "scale * (1 - eps)"),
}


def export(folder, *options):
    assert main(["vectors", "--output", str(folder), *options]) == OK
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What ``xent vectors`` writes with the default options."""
    return export(tmp_path_factory.mktemp("exported") / "vectors")


def vectors(folder, dtype):
    """The lines of a dtype, each with its tensors by name."""
    tensors = {name.name: load_file(name) for name in folder.glob(f"{dtype}-*.safetensors")}
    for text in (folder / f"{dtype}.jsonl").read_text().splitlines():
        line = json.loads(text)
        yield line, {name: tensors[line["file"]][f"{line['id']}/{name}"] for name in line["tensors"]}


def failed(folder, dtype, implementation):
    """Ids of the vectors that an implementation with the signature of cross_entropy_vjp fails."""
    found = []
    for line, given in vectors(folder, dtype):
        ignore = {} if line["ignore_index"] is None else {"ignore_index": line["ignore_index"]}
        options = {"reduction": line["reduction"], "label_smoothing": line["label_smoothing"], **ignore}
        results = implementation(
            given["cotangent"], given["logits"], given["target"], weight=given.get("weight"), **options
        )
        for name, got in zip(("loss", "grad_logits", "grad_target"), results, strict=True):
            if got is None:
                continue
            exact = Exact(given[f"{name}.exact"], given.get(f"{name}.rest", 0.0))
            also = given.get(f"{name}.also", np.uint8(0))
            excuses = {"overflows": also & 1 != 0, "undefined": also & 2 != 0}
            beside = compare(name, got, exact, given[f"{name}.bound"], format_named(dtype), **excuses)
            found += [line["id"]] if beside.ratio > 1 else []
    return found


def test_every_file_is_in_the_manifest_and_obeys_the_schema(folder):
    validator = jsonschema.Draft202012Validator(json.loads((folder / "vectors.schema.json").read_text()))
    manifest = json.loads((folder / "manifest.json").read_text())
    validator.validate(manifest)
    named = {file["name"]: file["sha256"] for file in manifest["files"]}
    written = {path.name: path for path in folder.iterdir()}
    assert {*written} == {*named, "manifest.json"}
    for name, digest in named.items():
        assert hashlib.sha256(written[name].read_bytes()).hexdigest() == digest
    for dtype in DTYPES:
        lines = [json.loads(line) for line in (folder / f"{dtype}.jsonl").read_text().splitlines()]
        assert len({line["id"] for line in lines}) == len(lines) == manifest["vectors"][dtype] > 200
        for line in lines:
            validator.validate(line)


def test_the_committed_schema_is_what_the_types_generate(folder):
    """After a change of a type: python -m xent_conformance.vectors.schema > .../vectors/vectors.schema.json."""
    written = json.loads((folder / "vectors.schema.json").read_text())
    assert {k: v for k, v in written.items() if k != "anyOf"} == {k: v for k, v in schema().items() if k != "anyOf"}


def test_results_have_the_shapes_of_the_call(folder):
    for line, given in vectors(folder, "float32"):
        logits = given["logits"].shape
        rows = logits[2:] if len(logits) == 1 else (logits[0], *logits[2:])
        rows = () if len(logits) == 1 else rows
        loss = rows if line["reduction"] == "none" else ()
        assert given["target"].shape == (rows if line["target"] == "labels" else logits)
        assert given["cotangent"].shape == given["loss.exact"].shape == given["loss.bound"].shape == loss
        assert given["grad_logits.exact"].shape == given["grad_logits.bound"].shape == logits
        assert ("grad_target.exact" in given) == (line["target"] == "probabilities")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_correct_implementation_passes_in_every_dtype(folder, dtype):
    assert failed(folder, dtype, numpy_cross_entropy.cross_entropy_vjp) == []


def test_a_loss_that_float64_alone_cannot_tell_from_the_exact_one_is_told_by_the_rest(folder):
    assert any("loss.rest" in given for _, given in vectors(folder, "float64"))
    assert not any("loss.rest" in given for _, given in vectors(folder, "float32"))


def test_what_the_claims_leave_out_is_not_asked_for_and_other_conventions_give_other_answers(tmp_path, folder):
    options = ("--dtypes", "float32", "--claim", "no-weight", "--claim", "no-spatial")
    narrow = export(tmp_path / "narrow", *options, "--convention", "all_ignored_loss=zero")
    assert not any("weight" in given or given["logits"].ndim > 2 for _, given in vectors(narrow, "float32"))

    def means_of_nothing(folder):
        return {
            str(given["loss.exact"])
            for line, given in vectors(folder, "float32")
            if {"every-row-ignored", "reduction-mean"} <= {*line["situation"]}
        }

    assert means_of_nothing(folder) == {"nan"}
    assert means_of_nothing(narrow) == {"0.0"}


def test_the_same_options_write_the_same_bytes_and_another_precision_other_bounds(tmp_path):
    once, again = (export(tmp_path / name, "--dtypes", "float16") for name in ("once", "again"))
    native = export(tmp_path / "native", "--dtypes", "float16", "--precision", "internals=native")
    first, second, third = (f / "float16-000.safetensors" for f in (once, again, native))
    assert first.read_bytes() == second.read_bytes()
    changed = {name for name, _ in differing(load_file(first), load_file(third))}
    bounds = {f"{result}.bound" for result in ("loss", "grad_logits", "grad_target")}
    # A larger bound may reach the largest finite number, where infinity is right as well.
    assert bounds <= changed <= bounds | {name.replace("bound", "also") for name in bounds}


def differing(one, other):
    for name in {*one} | {*other}:
        if name not in one or name not in other or one[name].tobytes() != other[name].tobytes():
            yield name.partition("/")[2], name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--claim", "no-wieght"], "unknown claim 'no-wieght'; did you mean 'no-weight'"),
        (["--dtypes", "float23"], "unknown dtypes float23; did you mean 'float32'"),
        (["--precision", "form=C"], "unknown 'C' for form"),
        ([], "is not empty; choose another folder with --output DIR"),
    ],
)
def test_a_wrong_command_line_writes_nothing(tmp_path, capsys, options, message):
    (tmp_path / "mine").touch()
    assert main(["vectors", "--output", str(tmp_path), *options]) == USAGE
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.fixture
def checked(tmp_path, folder):
    """Compile the example in C with its implementation, or with another text of it, and run it on float32."""
    compiler = shutil.which("gcc") or pytest.skip("no gcc")
    for path in EXAMPLE.iterdir():
        shutil.copy(path, tmp_path)

    def run(change=None):
        if change is not None:
            text = (tmp_path / "cross_entropy.c").read_text()
            assert text.count(change[0]) == 1
            (tmp_path / "cross_entropy.c").write_text(text.replace(*change))
        options, sources = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"), ("check.c", "cross_entropy.c")
        subprocess.run([compiler, *options, *sources, "-o", "check", "-lm"], cwd=tmp_path, check=True)
        arguments = [tmp_path / "check", folder / "float32.jsonl"]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    return run


def test_the_implementation_in_c_passes(checked, folder):
    count = json.loads((folder / "manifest.json").read_text())["vectors"]["float32"]
    assert checked() == (0, [f"{count} vectors, 0 failed"])


def test_the_page_has_the_number_of_vectors_that_its_command_writes(tmp_path):
    page = (EXAMPLE.parents[1] / "conformance" / "VECTORS.md").read_text("utf-8")
    (command,) = re.findall(r"^\$ xent vectors --output vectors (--dtypes .*)$", page, re.MULTILINE)
    manifest = json.loads((export(tmp_path / "vectors", *command.split()) / "manifest.json").read_text())
    assert f"\n{manifest['vectors']['float32']} vectors, 0 failed\n" in page


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_implementation_in_c_fails(checked, name):
    code, (*failures, _) = checked(WRONG[name])
    assert code == 1
    assert all(line.startswith("float32-") and "expected" in line for line in failures)
    assert failures
