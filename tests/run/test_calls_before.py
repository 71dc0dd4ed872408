"""What a backend carries from call to call is part of the witness: its script makes the calls that matter."""

import subprocess
import sys

#: Weights are cached by their number: the first of each length serve for all that follow.
CACHED = {
    "class MyBackend:": "CACHE = {}\n\n\nclass MyBackend:",
    "        weights = np.ones(classes, logits.dtype) if weight is None else weight": (
        "        weight = None if weight is None else CACHE.setdefault(len(weight), np.array(weight))\n"
        "        weights = np.ones(classes, logits.dtype) if weight is None else weight"
    ),
}
CHOSEN = ("weights.constant", "weights.loss", "weights.scale", "weights.gradient")


def test_the_script_of_a_failure_that_needs_an_earlier_call_makes_that_call(xent, adapter, verdicts, tmp_path):
    arguments = ["--profile", "quick", "--dtypes", "float32", "--only", ",".join(CHOSEN)]
    assert xent("run", adapter(changes=CACHED), *arguments).returncode == 1
    assert all(verdict["failures"] for verdict in verdicts())
    failures = [failure for verdict in verdicts() for failure in verdict["failures"]]
    assert any("(after 1 other call)" in failure["message"] for failure in failures)
    for failure in failures:
        path = tmp_path / "script.py"
        path.write_text(failure["reproducer"], "utf-8")
        done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1, (failure["message"], done.stdout, done.stderr)
        assert done.stdout.endswith("WRONG\n")


def test_a_failure_whose_earlier_calls_are_not_known_is_said_to_be_seen_in_no_new_process(xent, adapter, verdicts):
    """More calls than are remembered must be made before this one is wrong."""
    counted = (
        "        COUNT.append(1)\n        weights = np.ones(classes, logits.dtype) * (1 + (len(COUNT) > 300)) if weight"
    )
    changes = {
        "class MyBackend:": "COUNT = []\n\n\nclass MyBackend:",
        "        weights = np.ones(classes, logits.dtype) if weight": counted,
    }
    arguments = ["--profile", "quick", "--dtypes", "float32", "--only", "accuracy,identities,layout", "-n", "1"]
    assert xent("run", adapter(changes=changes), *arguments).returncode == 1
    failures = [failure for verdict in verdicts() for failure in verdict["failures"]]
    seen = [failure for failure in failures if "(only after earlier calls of the run)" in failure["message"]]
    assert seen
    assert all("depends on earlier calls that are not known" in failure["reproducer"] for failure in seen)
    assert all(failure["only_in_run"] == (failure in seen) for failure in failures)
    # Variants of its problem pass wherever it passes itself.
    assert not any(failure["situation"] for failure in seen)
