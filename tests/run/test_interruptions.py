"""Runs that are cut off: the record holds what was judged, and ``--resume`` finishes it to the same verdicts."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: A run of a few seconds with some dozens of verdicts.
CHOSEN = ("--only", "edges,purity,weights", "--dtypes", "float16,float32")
RUN = ("run", "numpy", "--profile", "quick", "--seed", "4", *CHOSEN)
KILLS = 5


@pytest.fixture
def cut_off(tmp_path):
    """Run `xent` and send it a signal once its record has so many lines; returns the completed process."""

    def run(*arguments, number, lines, folder=tmp_path / "xent-report"):
        process = subprocess.Popen(
            [sys.executable, "-m", "xent_conformance.cli", *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while process.poll() is None and len(lines_of(folder)) < lines:
            time.sleep(0.02)
        try:
            out, err = process.communicate(timeout=0)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


def lines_of(folder):
    record = folder / "record.jsonl"
    return record.read_text("utf-8").splitlines() if record.is_file() else []


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of the run that nothing has cut off."""
    folder = tmp_path_factory.mktemp("whole")
    command = [sys.executable, "-m", "xent_conformance.cli", *RUN, "--output", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


def test_a_run_that_is_killed_again_and_again_ends_with_the_verdicts_of_one_that_is_not(
    xent, cut_off, verdicts, whole, tmp_path
):
    moments = random.Random(0)
    folder = tmp_path / "cut"
    kills = partial = 0
    while kills < KILLS:
        begun = (folder / "record.jsonl").is_file()
        resume = ["--resume"] if begun else []
        lines = len(lines_of(folder)) + moments.randint(0, 6)
        done = cut_off(*RUN, "--output", "cut", *resume, lines=lines, folder=folder, number=signal.SIGKILL)
        if done.returncode == -signal.SIGKILL:
            kills += 1
            *complete, _ = [*lines_of(folder), ""]
            partial += len(complete) > 1
            assert all(json.loads(line) for line in complete)
            continue
        assert done.returncode == 0, done.stderr
        assert verdicts("cut") == verdicts(whole)
        (folder / "record.jsonl").unlink()
    assert partial
    if (folder / "record.jsonl").is_file():
        assert xent(*RUN, "--output", "cut", "--resume").returncode == 0
        assert verdicts("cut") == verdicts(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_shows_what_there_is(xent, cut_off, verdicts, whole, tmp_path, number):
    done = cut_off(*RUN, lines=4, number=number)
    assert done.returncode == 3
    assert "--resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Truncated" in done.stdout
    assert "truncated" in (tmp_path / "xent-report" / "index.html").read_text("utf-8").lower()
    assert xent(*RUN, "--resume", "-n", "2").returncode == 0
    assert verdicts() == verdicts(whole)


def test_an_interruption_that_python_drops_comes_again(xent, adapter):
    path = adapter(
        changes={
            "import numpy as np\n": "import signal\nimport numpy as np\n\nCALLS = []\n",
            "class MyBackend:": "class Finalised:\n"
            "    def __del__(self):\n"
            "        signal.raise_signal(signal.SIGINT)\n\n\n"
            "class MyBackend:",
            "        log_p, _, weights, label =": "        CALLS.append(Finalised() if len(CALLS) == 30 else None)\n"
            "        CALLS[-1] = None\n"
            "        log_p, _, weights, label =",
        }
    )
    done = xent("run", path, "--profile", "quick", "--in-process")
    assert done.returncode == 3
    assert "--resume" in done.stderr
    assert "KeyboardInterrupt" not in done.stderr


@pytest.mark.parametrize("moment", ["header", "judged"])
def test_an_interruption_before_anything_is_judged_is_said(tmp_path, moment):
    early = (
        "import signal, sys\n"
        "from xent_conformance import cli, session\n"
        f"session.Session.{moment} = lambda *_: signal.raise_signal(signal.SIGTERM)\n"
        "sys.exit(cli.main(['run', 'numpy', '--profile', 'quick', '-n', '1']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", early], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 3, done.stderr
    begun = (tmp_path / "xent-report" / "record.jsonl").is_file()
    assert begun is (moment == "judged")
    assert done.stderr == ("xent: interrupted: finish the run with --resume\n" if begun else "xent: interrupted\n")
    assert (tmp_path / "xent-report" / "index.html").is_file() is begun


@pytest.mark.parametrize("moment", [0.4, 1.0, 2.0])
def test_a_job_in_the_background_of_a_shell_ends_when_it_is_terminated_and_leaves_nothing_half_made(tmp_path, moment):
    # Such a job ignores SIGINT from its beginning.
    script = f'trap "" INT; exec "{sys.executable}" -m xent_conformance.cli run numpy --profile thorough'
    process = subprocess.Popen(["sh", "-c", script], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while "xent_conformance.cli" not in Path(f"/proc/{process.pid}/cmdline").read_text("utf-8").split("\0")[2:3]:
        time.sleep(0.01)
    time.sleep(moment)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    # Python itself ends as by SIGINT where the interruption came while a dataclass was being made.
    assert process.returncode in (3, -signal.SIGTERM, -signal.SIGINT), err
    left = tmp_path / "xent-report"
    assert not left.exists() or (left / "record.jsonl").is_file()


@pytest.mark.parametrize(
    ("prepared", "arguments", "message"),
    [
        ("", [], "nothing to resume: no "),
        ("complete", ["--seed", "5"], "another seed"),
        ("cut", ["--seed", "5"], "another seed"),
        ("cut", ["--dtypes", "float32"], "another backends"),
        ("cut", ["--only", "edges"], "another requirements"),
        ("not a record", [], "not JSON"),
    ],
)
def test_only_the_same_run_is_resumed(xent, tmp_path, prepared, arguments, message):
    short = ("run", "numpy:numpy_loss.loss", "--profile", "quick", "--only", "purity.repeatable", "--output", "cut")
    (tmp_path / "numpy_loss.py").write_text(
        "import numpy as np\n"
        "def loss(logits, target, reduction='mean'):\n"
        "    x = logits - logits.max(axis=1, keepdims=True)\n"
        "    rows = np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), target]\n"
        "    return {'mean': rows.mean, 'sum': rows.sum, 'none': lambda: rows}[reduction]()\n"
    )
    if prepared:
        xent(*short, PYTHONPATH=str(tmp_path))
        record = tmp_path / "cut" / "record.jsonl"
        if prepared == "cut":
            record.write_text("".join(record.read_text("utf-8").splitlines(keepends=True)[:-2]), "utf-8")
        elif prepared == "not a record":
            record.write_text("nothing\n")
    done = xent(*short, *arguments, "--resume", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_reached_its_end_is_only_rendered_again(xent, verdicts, output):
    assert xent(*RUN).returncode == 0
    before, page = verdicts(), (output / "index.html").read_text("utf-8")
    (output / "index.html").unlink()
    assert xent(*RUN, "--resume").returncode == 0
    assert verdicts() == before
    assert (output / "index.html").read_text("utf-8") == page


def test_a_full_disk_ends_the_run_with_a_record_that_can_be_read(tmp_path):
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (25_000, 25_000));"
        "from xent_conformance.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        # In one process: memory shared with a worker would be limited too.
        [sys.executable, "-c", limited, *RUN, "--in-process"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 3, done.stdout
    assert "cannot write" in done.stderr
    assert "record.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
    *complete, last = (tmp_path / "xent-report" / "record.jsonl").read_text("utf-8").split("\n")
    assert len(complete) > 1
    assert all(json.loads(line) for line in complete)
    assert '"footer"' not in complete[-1]
    assert not last or '"footer"' not in last


def test_two_runs_do_not_write_one_folder(cut_off, xent, tmp_path):
    first = subprocess.Popen(
        [sys.executable, "-m", "xent_conformance.cli", *RUN],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "xent-report" / "record.jsonl").is_file():
        assert first.poll() is None
    second = xent(*RUN)
    assert second.returncode == 2
    assert "another run is writing" in second.stderr
    assert first.wait(120) == 0
    assert '"footer"' in lines_of(tmp_path / "xent-report")[-1]


def test_no_worker_outlives_a_run_that_is_killed(tmp_path):
    (tmp_path / "asleep.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path)!r}, 'pid').write_text(str(os.getpid()))\n"
        "time.sleep(1000)\n"
    )
    run = subprocess.Popen([sys.executable, "-m", "xent_conformance.cli", "run", "./asleep.py"], cwd=tmp_path)
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
        assert run.poll() is None
        time.sleep(0.02)
    worker = Path("/proc") / (tmp_path / "pid").read_text()
    run.kill()
    run.wait(60)
    while worker.is_dir() and " Z " not in (worker / "stat").read_text():
        time.sleep(0.02)
