"""A record that can no longer be written: one line, exit code 3, whenever it happens."""

import errno
import os
import subprocess
import sys

CHOSEN = ("--profile", "quick", "--dtypes", "float32", "--only", "identities")


def assert_one_line(done, message):
    assert done.returncode == 3, done.stderr
    assert done.stderr == f"xent: {message}\n"
    assert done.stdout == ""


def test_a_full_disk_is_one_line(xent, output):
    output.mkdir()
    (output / "record.jsonl").symlink_to("/dev/full")
    done = xent("run", "numpy", *CHOSEN)
    assert_one_line(done, f"cannot write {output / 'record.jsonl'}: No space left on device")


def test_a_disk_that_is_full_in_the_middle_of_the_header_is_one_line_and_the_run_can_be_resumed(xent, output, tmp_path):
    # Python takes what is beyond the limit for an error of writing, as a full disk is.
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    code += "; from xent_conformance.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "run", "numpy", *CHOSEN, "--in-process"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert_one_line(done, f"cannot write {output / 'record.jsonl'}: {os.strerror(errno.EFBIG)}")
    assert (output / "record.jsonl").stat().st_size == 1000
    assert xent("run", "numpy", *CHOSEN, "--in-process", "--resume").returncode == 0


def test_an_output_folder_that_is_removed_during_the_run_is_one_line(xent, adapter, output):
    removed = {
        "import numpy as np\n": "import shutil\n\nimport numpy as np\n\nCALLS = []\n",
        "        log_p, _, weights, label =": "        CALLS.append(1)\n"
        "        if len(CALLS) == 30:\n"
        f"            shutil.rmtree({str(output)!r}, ignore_errors=True)\n        log_p, _, weights, label =",
    }
    done = xent("run", adapter(changes=removed), *CHOSEN)
    assert_one_line(done, f"cannot write {output / 'record.jsonl'}: No such file or directory")
    assert not output.exists()


def test_records_that_cannot_be_compared_are_one_line_on_stderr(xent, tmp_path):
    (tmp_path / "old.jsonl").write_text("{}\n")
    done = xent("diff", "old.jsonl", "old.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "xent: old.jsonl:1: not a record: the first line is not a header\n"


def test_a_folder_of_records_that_is_not_there_is_said_and_not_made(xent, tmp_path):
    done = xent("report", "local", "--output", "local")
    assert (done.returncode, done.stderr) == (2, "xent: no file or folder local\n")
    assert not list(tmp_path.iterdir())
