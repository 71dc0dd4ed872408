"""Deviation files that nobody in their right mind writes: refused by name, quickly, and never otherwise."""

import os
import random
import time

import pytest

from xent_conformance.verdicts import deviations
from xent_conformance.verdicts.deviations import MAX_BYTES, DeviationError

SOUND = """
[[deviation]]
requirement = ["accuracy.loss", "weights.loss"]
versions = ">=1.0"
dtypes = ["float16"]
where = ["full-smoothing"]
reason = "the unsmoothed loss is multiplied by zero"
issue = "https://github.com/pytorch/pytorch/issues/11551"
[deviation.witness]
logits = [[0.0, 60000.0], [nan, -inf]]
target = [0, -100]
weight = { shape = [2], value = 1.0 }
ignore_index = -100
reduction = "sum"
label_smoothing = 1.0
"""


REASON = '"the unsmoothed loss is multiplied by zero"'


def changed(old, new):
    assert old in SOUND
    return SOUND.replace(old, new)


HOSTILE = {
    "bytes": (b"\xff\xfe\x00", "utf-8"),
    "a null": (b"\x00", "Invalid"),
    "cut in a string": (SOUND[:120].encode(), "newline|Unterminated|Expected|Illegal"),
    "too long": (b"#" * (MAX_BYTES + 1), f"more than {MAX_BYTES}"),
    "deeply nested lists": (b"a = " + b"[" * 100_000, "recursion"),
    "deeply nested tables": (b"a = " + b"{a = " * 40_000, "recursion"),
    "an endless dotted key": (b"a." * 100_000 + b"a = 1", "dots in a line"),
    "a key twice": (changed('reduction = "sum"', 'reduction = "sum"\nreduction = "sum"'), "overwrite"),
    "an endless integer": (changed("ignore_index = -100", "ignore_index = " + "9" * 5000), "digits"),
    "an endless hexadecimal": (changed("ignore_index = -100", "ignore_index = 0x" + "f" * 5000), "64-bit"),
    "strides that are far apart": (
        changed("shape = [2], value", "strides = [9], shape = [2], value"),
        "strides must be",
    ),
    "logits of a dtype there is not": (changed("ignore_index = -100", 'logits_dtype = "int12"'), "int12"),
    "a label of 65 bits": (changed("target = [0, -100]", f"target = [0, {2**64}]"), "64-bit"),
    "many entries": (SOUND * 501, "501 entries"),
    "a requirement that is a number": (changed('["accuracy.loss", "weights.loss"]', "7"), "list of strings"),
    "requirements that are numbers": (changed('["accuracy.loss", "weights.loss"]', "[7]"), "list of strings"),
    "no requirement": (changed('["accuracy.loss", "weights.loss"]', "[]"), "id or a list of ids"),
    "dtypes that are a text": (changed('["float16"]', '"float16"'), "dtypes must be a list"),
    "a dtype there is not": (changed('["float16"]', '["float12"]'), "unknown dtypes float12"),
    "where that is a number": (changed('["full-smoothing"]', "3"), "where must be a list"),
    "where with a table inside": (changed('["full-smoothing"]', "[{}]"), "where must be a list"),
    "a reason that is a date": (changed(REASON, "1979-05-27"), "reason must be a string"),
    "an issue that is a list": (changed('"https://github.com/pytorch/pytorch/issues/11551"', "[]"), "issue must be"),
    "versions that are a number": (changed('">=1.0"', "1.0"), "versions must be a string"),
    "a witness that is a list": (SOUND[: SOUND.index("[deviation.witness]")] + "witness = [1]", "must be a table"),
    "ragged logits": (changed("[[0.0, 60000.0], [nan, -inf]]", "[[0.0], [1.0, 2.0]]"), "inhomogeneous"),
    "logits that are texts": (changed("[[0.0, 60000.0], [nan, -inf]]", '[["0"]]'), "not an array of 64-bit numbers"),
    "logits that are times": (changed("[[0.0, 60000.0], [nan, -inf]]", "[07:32:00]"), "not an array of 64-bit numbers"),
    "a shape of too much": (changed("shape = [2]", "shape = [1000000, 1000000]"), "more than"),
    "a shape of much by nothing": (changed("shape = [2]", "shape = [0, 99999999]"), "integers from 0"),
    "a negative shape": (changed("shape = [2]", "shape = [-1, -1]"), "integers from 0"),
    "a shape that is no list": (changed("shape = [2]", "shape = 2"), "integers from 0"),
    "a value that is a list": (changed("value = 1.0", "value = [1.0, 1.0, 1.0]"), "broadcast"),
    "an exception that is a number": (changed("value = 1.0", "value = 1.0, except = 3"), "except must be"),
    "an exception without an index": (changed("value = 1.0", "value = 1.0, except = [[0.5]]"), "except must be"),
    "an exception that is a text": (changed("value = 1.0", 'value = 1.0, except = [[0, "x"]]'), "except must be"),
    "an exception outside": (changed("value = 1.0", "value = 1.0, except = [[2, 0.5]]"), r"no element \[2\]"),
    "an exception at a fraction": (changed("value = 1.0", "value = 1.0, except = [[0.5, 0.5]]"), "no element"),
    "an endless exception": (changed("value = 1.0", f"value = 1, except = [[0, {10**30}]]"), "64-bit|large|not an"),
    "a shape of 65 axes": (changed("shape = [2]", f"shape = {[1] * 65}"), "dim"),
    "a reduction that is a number": (changed('reduction = "sum"', "reduction = 1"), "reduction must be a string"),
    "smoothing that is a text": (changed("label_smoothing = 1.0", 'label_smoothing = "one"'), "one"),
    "smoothing that is a list": (changed("label_smoothing = 1.0", "label_smoothing = [1.0]"), "float"),
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "torch.toml"


def test_the_file_these_are_made_from_is_sound(file):
    file.write_text(SOUND)
    assert deviations.read(file)[0].dtypes == ("float16",)


def test_elements_may_differ_from_the_value_of_the_others(file):
    file.write_text(changed("value = 1.0", "value = 1, except = [[1, 0.5]]"))
    assert deviations.read(file)[0].witness_for("float16", None).weight.tolist() == [1.0, 0.5]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_name_in_no_time(file, name):
    content, message = HOSTILE[name]
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.perf_counter()
    with pytest.raises(DeviationError, match=message) as caught:
        deviations.read(file)
    # Seconds, where a parser without these limits takes minutes.
    assert time.perf_counter() - start < 10
    assert str(file) in str(caught.value)


def test_what_is_no_file_is_refused_and_not_waited_for(file):
    """A pipe, a folder, a link to nowhere; only an absent file is an empty list."""
    assert deviations.read(file) == ()
    os.mkfifo(file)
    with pytest.raises(DeviationError, match="not a regular file"):
        deviations.read(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(DeviationError, match="directory"):
        deviations.read(file)
    file.rmdir()
    file.symlink_to("nowhere")
    with pytest.raises(DeviationError, match="No such file"):
        deviations.read(file)


def test_a_sparse_file_of_gigabytes_is_refused_before_it_is_read(file):
    with file.open("wb") as sparse:
        sparse.truncate(5 << 30)
    with pytest.raises(DeviationError, match="5368709120 bytes, more than"):
        deviations.read(file)


def test_a_file_changed_at_random_is_read_or_refused(file):
    """Bytes cut out, doubled or overwritten: entries, or DeviationError, and nothing else."""
    refused = 0
    for seed in range(300):
        source = random.Random(seed)
        content = bytearray(SOUND.encode())
        for _ in range(source.choice((1, 1, 2, 5))):
            start = source.randrange(len(content))
            end = min(len(content), start + source.choice((1, 2, 9, 60)))
            content[start:end] = source.choice(
                (b"", content[start:end] * 2, source.randbytes(2), b"[", b'"', b"9", b"=")
            )
        file.write_bytes(content)
        try:
            deviations.read(file)
        except DeviationError as error:
            refused += 1
            assert str(file) in str(error)  # noqa: PT017 - both outcomes are right
    assert 100 < refused < 300
